"""Modules of benchmarks/chaos.py: plan and progress, cluster and runs, and each kind of disturbance."""
