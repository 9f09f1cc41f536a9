"""Ray actors and Serve deployments: engines, scorers, the embedder, the coordinator.

The only package that imports vllm. It may import `staragents`, never `cluster`.
"""
