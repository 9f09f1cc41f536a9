"""The driver process of a run: starts pools, follows the coordinator, serves `scale` and `change`."""
