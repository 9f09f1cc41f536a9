"""Resolves a path to files: a file, a folder, a pattern, a URL that fsspec supports, or `hf:dataset`."""

from __future__ import annotations

import difflib
import os
import re
from collections.abc import Iterable
from itertools import takewhile
from pathlib import Path
from typing import Any

from staragents.base.errors import BadInput
from staragents.base.redaction import redacted, url_secret
from staragents.data.readers.content import DataFile, local_file
from staragents.data.readers.folder_files import chosen_files, note_mixture
from staragents.data.readers.notes import Notes
from staragents.data.readers.own_outputs import without_outputs
from staragents.data.readers.raw_row import shown
from staragents.files.user_files import MOST_TEXT_BYTES, open_file

SUFFIXES = (".jsonl", ".ndjson", ".json", ".csv", ".tsv", ".parquet", ".arrow", ".feather")
PACKED_SUFFIXES = (".gz", ".zst", ".bz2")
EXPECTED = "a file, a folder, a pattern, a URL such as s3://bucket/file, or hf:dataset"

NAMES_SHOWN = 3

_HUB = "hf:"
_MAGIC = re.compile(r"[*?[]")
_SPLIT = re.compile(r"[\w.-]+")

FSSPEC = "fsspec's own configuration (~/.config/fsspec/*.json or FSSPEC_* variables)"
"""Where to put the credentials for a URL that fsspec opens."""


def data_files(path: str, setting: str, notes: Notes | None = None) -> list[DataFile]:
    """The files, sorted by name. Raises BadInput with a message that begins with `setting` if there are none.

    A folder stands for the files below it with a known data suffix, except hidden ones, folders behind
    symbolic links, and what `chosen_files` leaves out, which `notes` receives.
    """
    notes = notes or Notes()
    _check_secrets(path, setting)
    try:
        if path.startswith(_HUB):
            return _of_hub(path, setting)
        return _behind_url(path, setting, notes) if is_url(path) else _local(path, setting, notes)
    except (OSError, ValueError, RuntimeError) as error:
        # The name is too long, contains a null byte, or is ~user of an unknown user.
        raise BadInput(f"{setting}: expected {EXPECTED}, got {path}: {error}") from error


def check_location(path: str, setting: str) -> None:
    """Check a path without network access. Raises BadInput."""
    _check_secrets(path, setting)
    if not path.startswith(_HUB) and not is_url(path):
        data_files(path, setting)


def _check_secrets(path: str, setting: str) -> None:
    """Messages, run directories and cards repeat the path, so it must not contain a secret."""
    if kind := url_secret(path):
        raise BadInput(f"{setting}: expected a URL without {kind}; it belongs in {FSSPEC}")


def is_url(path: str) -> bool:
    return "://" in path


def suffix_of(name: str) -> str:
    """The lower-case suffix of the content, without that of the compression."""
    path = Path(name.lower())
    return (path.with_suffix("") if path.suffix in PACKED_SUFFIXES else path).suffix


def _local(path: str, setting: str, notes: Notes) -> list[DataFile]:
    location = Path(path).expanduser()
    if location.is_file():
        return [local_file(location, path)]
    if location.is_dir():
        location = _snapshot(location)
        names = _wanted(found.relative_to(location).as_posix() for found in _below(location))
        names = chosen_files(
            names, lambda name: read_bytes_of(location / name), str(location), setting, notes
        )
        files = sorted(str(location / name) for name in names)
        others = "" if files else _first_names(location)
        return _some([local_file(Path(found), found) for found in files], path, setting, others)
    if not location.exists() and _MAGIC.search(path):
        found = _matching(location)
        note_mixture([str(file) for file in found], path, notes)
        return _some([local_file(file, str(file)) for file in found], path, setting)
    problem = f"no such file{_near(location)}"
    if location.is_symlink():
        problem = "a broken symbolic link"
    elif location.exists():
        problem = "something that is not a file"
    raise BadInput(f"{setting}: expected {EXPECTED}, got {problem}: {path}")


def _matching(pattern: Path) -> list[Path]:
    """The files that a pattern means. `**` stands for no folders of runs and score commands."""
    relative = pattern.relative_to(pattern.anchor)
    # Unlike glob.glob, Path.glob follows no symbolic links for **, so it can't loop.
    found = [file for file in Path(pattern.anchor).glob(str(relative)) if file.is_file()]
    if "**" in pattern.parts:
        above = Path(*takewhile(lambda part: not _MAGIC.search(part), pattern.parts))
        names = [file.relative_to(above).as_posix() for file in found]
        found = [above / name for name in without_outputs(names, lambda name: (above / name).is_file())]
    return sorted(found)


def read_bytes_of(file: Path) -> bytes:
    """The beginning of a small file. Raises OSError."""
    with open_file(file) as stream:
        return stream.read(MOST_TEXT_BYTES)


def _snapshot(folder: Path) -> Path:
    """The newest files of a dataset in the hub's cache, which keeps all versions side by side."""
    try:
        revision = (folder / "refs" / "main").read_text(encoding="utf-8").strip()
    except (OSError, ValueError):
        return folder
    newest = folder / "snapshots" / revision
    return newest if revision and newest.is_dir() else folder


def _below(folder: Path) -> Iterable[Path]:
    for parent, folders, names in os.walk(folder):
        folders[:] = [name for name in folders if not name.startswith(".")]
        for name in names:
            if not name.startswith(".") and (file := Path(parent, name)).is_file():
                yield file


def _behind_url(url: str, setting: str, notes: Notes) -> list[DataFile]:
    import fsspec

    try:
        system, root = fsspec.core.url_to_fs(url)
        if system.isfile(root):
            found = [root]
        elif _MAGIC.search(root):
            found = sorted(path for path in system.glob(root) if system.isfile(path))
            note_mixture(found, redacted(url), notes)
        else:
            every = system.find(root)
            found = _wanted(every)
            below = {path.removeprefix(root).lstrip("/"): path for path in found}
            shown = redacted(url)

            def read(name: str) -> bytes:
                if (path := f"{root.rstrip('/')}/{name}") not in every:
                    raise FileNotFoundError(path)
                return bytes(system.cat_file(path, end=MOST_TEXT_BYTES))

            found = sorted(below[name] for name in chosen_files(below, read, shown, setting, notes))
    except BadInput:
        raise
    except ImportError as error:
        raise BadInput(f"{setting}: {url} needs another package: {error}") from error
    # Every file system has its own error types, and these calls raise no others.
    except Exception as error:
        raise BadInput(f"{setting}: can't read {url}: {_first_line(error)}") from error

    def remote(path: str) -> DataFile:
        name = redacted(str(system.unstrip_protocol(path)))

        def opened() -> Any:
            try:
                return system.open(path, "rb")
            except Exception as error:
                raise BadInput(f"{name}: can't be read: {_first_line(error)}") from error

        return DataFile(name, opened, lambda: [name, str(system.ukey(path))])

    return _some([remote(path) for path in found], url, setting)


def _of_hub(path: str, setting: str) -> list[DataFile]:
    """The Arrow files that `datasets` makes of a dataset's split."""
    form = f"{setting}: expected hf:dataset, hf:dataset:split or hf:dataset:config:split"
    name, *more = path.removeprefix(_HUB).split(":")
    if not name or len(more) > 2 or not all(_SPLIT.fullmatch(part) for part in more):
        raise BadInput(f"{form}, got {path}")
    try:
        import datasets
    except ImportError as error:
        raise BadInput(f"{setting}: {path} needs the package datasets: pip install datasets") from error
    config = more[0] if len(more) == 2 else None
    try:
        split = more[-1] if more else _split(datasets.get_dataset_split_names(name, config), path, setting)
        loaded = datasets.load_dataset(name, config, split=split)
    except BadInput:
        raise
    # Errors of the hub, the network or the dataset's files: all concern the path given by the user.
    except Exception as error:
        raise BadInput(f"{setting}: can't load {path}: {_first_line(error.__cause__ or error)}") from error
    files = [Path(file["filename"]) for file in loaded.cache_files]
    return _some([local_file(file, f"hf:{name}:{split}/{file.name}") for file in files], path, setting)


def _split(names: list[str], path: str, setting: str) -> str:
    if "train" in names or len(names) == 1:
        return "train" if "train" in names else names[0]
    raise BadInput(f"{setting}: expected a split, one of {', '.join(names)}, as in {path}:{names[0]}")


def _first_names(folder: Path) -> str:
    """The first files of a folder without data, for a message."""
    names = sorted(found.relative_to(folder).as_posix() for found in _below(folder))
    return ", ".join(shown(name).strip("'") for name in names[:NAMES_SHOWN]) + ", ..." * (
        len(names) > NAMES_SHOWN
    )


def _near(location: Path) -> str:
    """A file beside a missing one whose name is alike, for a message."""
    try:
        names = [found.name for found in location.parent.iterdir()]
    except OSError:
        return ""
    near = difflib.get_close_matches(location.name, names, n=1, cutoff=0.8)
    return f" (did you mean {shown(near[0])}?)" if near else ""


def _wanted(names: Iterable[str]) -> list[str]:
    return sorted(name for name in names if suffix_of(name) in SUFFIXES)


def _some(files: list[DataFile], path: str, setting: str, others: str = "") -> list[DataFile]:
    if not files:
        raise BadInput(f"{setting}: expected {', '.join(SUFFIXES)} files in {path}, got {others or 'none'}")
    return files


def _first_line(error: BaseException) -> str:
    return (str(error).strip().splitlines() or [type(error).__name__])[0]
