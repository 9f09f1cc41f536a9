"""What a saved run shows: statistics over its shards, the summary, findings, the story of one seed.

Reads run directories only and writes nothing; `staragents.report` draws pages from it.
"""
