"""The reason of a dead vLLM engine, from lines as vLLM 0.32 writes them."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from actors.engines.core_log import LARGEST, CoreLog

EARLIER = """(EngineCore pid=1) ERROR 11-28 04:39:13 [core.py:1510] Traceback (most recent call last):
(EngineCore pid=1) ERROR 11-28 04:39:13 [core.py:1510]   File "core.py", line 1, in run
(EngineCore pid=1) ERROR 11-28 04:39:13 [core.py:1510] OSError: of an earlier engine
"""
WORKER = """(EngineCore pid=7) WARNING 11-28 04:38:33 [vllm.py:725] Model Runner V2 requires Triton.
(Worker_TP1 pid=9) ERROR 11-28 04:39:13 [multiproc_executor.py:9] WorkerProc hit an exception.
(Worker_TP1 pid=9) ERROR 11-28 04:39:13 [multiproc_executor.py:9] Traceback (most recent call last):
(Worker_TP1 pid=9) ERROR 11-28 04:39:13 [multiproc_executor.py:9]   File "worker.py", line 3, in load
(Worker_TP1 pid=9) ERROR 11-28 04:39:13 [multiproc_executor.py:9]     self.load_model()
(Worker_TP1 pid=9) ERROR 11-28 04:39:13 [multiproc_executor.py:9]     ^^^^^^^^^^^^^^^^^
(Worker_TP1 pid=9) ERROR 11-28 04:39:13 [multiproc_executor.py:9] torch.OutOfMemoryError: CUDA out of memory.
"""
CORE = """(EngineCore pid=7) ERROR 11-28 04:39:13 [core.py:1510] EngineCore failed to start.
(EngineCore pid=7) ERROR 11-28 04:39:13 [core.py:1510] Traceback (most recent call last):
(EngineCore pid=7) ERROR 11-28 04:39:13 [core.py:1510]   File "core.py", line 1500, in run_engine_core
(EngineCore pid=7) ERROR 11-28 04:39:13 [core.py:1510]     engine_core = EngineCoreProc(*args)
(EngineCore pid=7) ERROR 11-28 04:39:13 [core.py:1510] RuntimeError: see the root cause above, key sk-{secret}
"""
COMPILER = """(EngineCore pid=7) ERROR 11-28 04:39:13 [core.py:1510]   File "builder.py", line 108, in search
(EngineCore pid=7) ERROR 11-28 04:39:13 [core.py:1510] torch.InductorError: InvalidCxxCompiler: none found
"""


@pytest.fixture
def log(tmp_path: Path) -> Path:
    path = tmp_path / "worker.out"
    path.write_text(EARLIER)
    return path


def append(path: Path, text: str) -> None:
    with path.open("a") as file:
        file.write(text)


def test_the_first_process_that_failed_gives_the_reason(log: Path) -> None:
    core_log = CoreLog(log)
    assert core_log.reason() is None
    append(log, WORKER + CORE)
    assert core_log.reason() == "OutOfMemoryError: CUDA out of memory."


def test_without_workers_it_is_that_of_the_core_and_keeps_secrets(log: Path) -> None:
    core_log = CoreLog(log)
    append(log, CORE.replace("{secret}", "a" * 40))
    reason = core_log.reason()
    assert reason is not None
    assert reason.startswith("RuntimeError: see the root cause above")
    assert "a" * 40 not in reason


def test_without_a_compiler_it_says_what_to_do(log: Path) -> None:
    core_log = CoreLog(log)
    append(log, COMPILER)
    reason = core_log.reason()
    assert reason is not None
    assert "install a C++ compiler such as g++, or set engine_args.enforce_eager=true" in reason


def test_only_the_end_of_a_long_log_is_read(log: Path) -> None:
    core_log = CoreLog(log)
    append(log, WORKER + "other output\n" * (LARGEST // 10) + CORE)
    reason = core_log.reason()
    assert reason is not None
    assert reason.startswith("RuntimeError")


def test_errors_without_a_traceback_are_no_reason(log: Path) -> None:
    core_log = CoreLog(log)
    append(log, "(EngineCore pid=7) ERROR 11-28 04:39:13 [core.py:1510] a request was refused\n")
    assert core_log.reason() is None


def test_an_output_that_is_no_file_has_no_reason() -> None:
    reading, writing = os.pipe()
    try:
        assert CoreLog(Path(f"/proc/self/fd/{writing}")).reason() is None
    finally:
        os.close(reading)
        os.close(writing)
    assert CoreLog(Path("/no/such/file")).reason() is None
