"""Environment variables of an actor with vLLM: folders that it can write to, and what makes a CPU faster."""

from __future__ import annotations

import os
import sys
import tempfile
from pathlib import Path

from staragents.base.environment import cache_dir
from staragents.config import ModelConfig
from staragents.files.folders import folder_problem

LONGEST_SOCKET_FOLDER = 65
"""The name of one of vLLM's sockets takes another 37 characters."""


def vllm_environment(config: ModelConfig, local_model: bool) -> dict[str, str]:
    """Environment variables that the actor needs before it imports vLLM (for `runtime_env`)."""
    variables = {
        "VLLM_NO_USAGE_STATS": "1",
        "VLLM_LOGGING_LEVEL": os.environ.get("VLLM_LOGGING_LEVEL", "WARNING"),
    }
    if len(tempfile.gettempdir()) > LONGEST_SOCKET_FOLDER:
        # Its sockets are there, and their paths may have 107 characters.
        variables["VLLM_RPC_BASE_PATH"] = "/tmp"
    if folder_problem(os.path.expanduser("~/.cache")):
        folders = {"VLLM_CACHE_ROOT": "vllm", "TRITON_CACHE_DIR": "triton"}
        unset = {name: folder for name, folder in folders.items() if name not in os.environ}
        variables |= {name: str(cache_dir() / folder) for name, folder in unset.items()}
    if local_model:
        variables["HF_HUB_OFFLINE"] = "1"
    if not config.num_gpus:
        variables |= {
            # Automatic binding pins two engines on one host to the same core (vllm#43240).
            "VLLM_CPU_OMP_THREADS_BIND": "nobind",
            "VLLM_CPU_KVCACHE_SPACE": str(config.kv_cache_gib),
            "OMP_NUM_THREADS": str(max(1, round(config.num_cpus))),
            "LD_PRELOAD": ":".join(_faster_libraries()),
            # Does not change the `uni` executor on a CPU, and saves a child process and an import of vllm.
            "VLLM_ENABLE_V1_MULTIPROCESSING": "0",
        }
        if config.engine_args.get("enforce_eager"):
            # vLLM compiles two small functions of its sampler even so. That would need a C++ compiler, and
            # without one the engine would die at the first judgement with log-probabilities (vllm 0.32).
            variables["TORCHDYNAMO_DISABLE"] = "1"
    return variables


def _faster_libraries() -> list[str]:
    """Intel's OpenMP from its wheel and the system's tcmalloc, if installed: nearly twice the tokens/s."""
    candidates = [
        Path(sys.prefix) / "lib" / "libiomp5.so",
        *sorted(Path("/usr/lib/x86_64-linux-gnu").glob("libtcmalloc_minimal.so.4")),
    ]
    return [str(path) for path in candidates if path.exists()]
