"""Starts and stops the pools of actors and Serve apps that a run needs."""
