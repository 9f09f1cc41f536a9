"""The domain of staragents: agents, scores, verdicts, evolution, memory, files. Pure Python.

Nothing in here imports ray or vllm (a test enforces it), and torch only in `staragents.scoring`.
`actors` may import this package; `cluster` may import both.
"""

__version__ = "0.1.0"
