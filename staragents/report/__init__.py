"""Human-readable results of a run: statistics over its shards, charts and report.html.

Reads run directories only; imported by `staragents.summary`, `staragents.dataset_card` and the command line.
"""
