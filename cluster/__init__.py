"""Demand and placement, starting and stopping pools, the job's entry point and command line."""
