"""Converts the GGUF file of a packaged model to a folder that transformers and vLLM load."""

from __future__ import annotations

import io
import logging
import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager, redirect_stderr
from pathlib import Path

from staragents.base.errors import BadInput
from staragents.files.folders import folder_problem
from staragents.models.packaged_models import PackagedModel, files_of

logger = logging.getLogger(__name__)


def convert_once(packaged: PackagedModel) -> None:
    """Convert the model unless it is done. The final rename makes the folder appear atomically."""
    folder = packaged.converted_folder
    if folder.is_dir():
        return
    from filelock import FileLock

    if problem := folder_problem(folder.parent):
        raise BadInput(f"STARAGENTS_CACHE: {problem}")
    folder.parent.mkdir(parents=True, exist_ok=True)
    with FileLock(folder.with_name(folder.name + ".lock")):
        if folder.is_dir():
            return
        logger.info("converting %s, once, to %s", packaged.name, folder)
        work = folder.with_name(folder.name + ".partial")
        # Left by a killed process, as we hold the lock.
        shutil.rmtree(work, ignore_errors=True)
        work.mkdir()
        try:
            gguf = work / "model.gguf"
            with gguf.open("wb") as joined:
                for file in files_of(packaged):
                    with file.open("rb") as stream:
                        shutil.copyfileobj(stream, joined, 1 << 20)
            convert(gguf, work / "model")
            (work / "model" / "SOURCE.txt").write_text(
                f"{packaged.source}\nLicence: {packaged.licence}\n"
                f"Changed: dequantised to float32 safetensors by staragents\nSha256: {packaged.sha256}\n"
            )
            os.rename(work / "model", folder)
        finally:
            shutil.rmtree(work, ignore_errors=True)


def convert(gguf: Path, folder: Path) -> None:
    """Convert a GGUF file to a float32 safetensors folder with tokenizer, chat template and generation
    config."""
    import torch
    from tokenizers import pre_tokenizers, processors
    from transformers import AutoModelForCausalLM, AutoTokenizer, GgufConfig

    with _quiet_transformers():
        model = AutoModelForCausalLM.from_pretrained(
            gguf.parent,
            gguf_file=gguf.name,
            dtype=torch.float32,
            quantization_config=GgufConfig(dequantize=True),
            local_files_only=True,
        )
        tokenizer = AutoTokenizer.from_pretrained(gguf.parent, gguf_file=gguf.name, local_files_only=True)
        tokenizer.model_max_length = model.config.max_position_embeddings
        # transformers 5.19 drops two settings of the GGUF file: Gemma's add_bos_token (without BOS its
        # perplexity is 20 times worse) and SmolLM2's splitting of digits from the spaces before them.
        if model.config.model_type == "gemma3_text":
            bos = tokenizer.bos_token
            tokenizer.backend_tokenizer.post_processor = processors.TemplateProcessing(
                single=f"{bos} $A",
                pair=f"{bos} $A {bos} $B:1",
                special_tokens=[(bos, tokenizer.bos_token_id)],
            )
        else:
            tokenizer.backend_tokenizer.pre_tokenizer = pre_tokenizers.Sequence(
                [
                    pre_tokenizers.Digits(individual_digits=True),
                    pre_tokenizers.ByteLevel(add_prefix_space=False),
                ]
            )
        model.save_pretrained(folder)
        tokenizer.save_pretrained(folder)


@contextmanager
def _quiet_transformers() -> Iterator[None]:
    from transformers.utils import logging as transformers_logging

    verbosity = transformers_logging.get_verbosity()
    transformers_logging.set_verbosity_error()
    try:
        # The GGUF reader's progress bar is a plain tqdm without a switch in transformers.
        with redirect_stderr(io.StringIO()):
            yield
    finally:
        transformers_logging.set_verbosity(verbosity)
