"""Resource demand and capacity, starting and stopping pools, the driver of a run, and the command line."""
