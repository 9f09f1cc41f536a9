"""What a test's vLLM gets of a GPU, where the installed one needs it. Two tests run at a time."""

from __future__ import annotations

from staragents.models.vllm_build import needs_gpu

GPU_SHARE = 0.3 if needs_gpu() else 0.0
