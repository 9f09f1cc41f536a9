"""Everything that Ray runs: coordinator, seed workers, generator replicas, scorers, the memory bank's actor.

`engines` is the only room that imports vllm.
"""
