"""Resolves a path to files: a file, a folder, a pattern, a URL that fsspec supports, or `hf:dataset`."""

from __future__ import annotations

import os
import re
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from staragents.base.errors import BadInput
from staragents.base.redaction import redacted, url_secret
from staragents.data.readers.content import DataFile, local_file
from staragents.data.readers.folder_files import chosen_files, note_mixture
from staragents.data.readers.local_files import (
    EXPECTED,
    MAGIC,
    check_links,
    files_below,
    files_matching,
    first_names,
    newest_snapshot,
    similar_name,
)
from staragents.data.readers.notes import Notes
from staragents.data.readers.own_outputs import matching_without_outputs, without_outputs, written_for
from staragents.files.user_files import MOST_TEXT_BYTES, open_file

SUFFIXES = (".jsonl", ".ndjson", ".json", ".csv", ".tsv", ".parquet", ".arrow", ".feather")
PACKED_SUFFIXES = (".gz", ".zst", ".bz2")

_HUB = "hf:"
_SPLIT = re.compile(r"[\w.-]+")

FSSPEC = "fsspec's own configuration (~/.config/fsspec/*.json or FSSPEC_* variables)"
"""Where to put the credentials for a URL that fsspec opens."""


def data_files(
    path: str,
    setting: str,
    notes: Notes | None = None,
    everything: bool = False,
    output: Path | None = None,
) -> list[DataFile]:
    """The files, sorted by name. Raises BadInput with a message that begins with `setting` if there are none.

    A folder stands for the files below it with a known data suffix, except hidden ones, folders behind
    symbolic links, and what `chosen_files` leaves out, which `notes` receives. A dataset of the hub stands
    for its training split. With `everything`, both stand for all splits. Folders and patterns don't mean what
    a score command with this `output` has written.
    """
    notes = notes or Notes()
    _check_secrets(path, setting)
    try:
        if path.startswith(_HUB):
            return _of_hub(path, setting, everything)
        if is_url(path):
            return _behind_url(path, setting, notes, everything)
        return _local(path, setting, notes, everything, output)
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


def _local(path: str, setting: str, notes: Notes, everything: bool, output: Path | None) -> list[DataFile]:
    location, is_own = Path(path).expanduser(), written_for(output)
    if location.is_file():
        return [local_file(location, path)]
    if location.is_dir():
        location = newest_snapshot(location)
        others = (file for file in files_below(location) if not is_own(file))
        names = _wanted(file.relative_to(location).as_posix() for file in others)
        names = without_outputs(names, lambda name: (location / name).is_file())

        def read(name: str) -> bytes:
            return read_bytes_of(location / name)

        names = chosen_files(names, read, str(location), setting, notes, everything)
        files = sorted(str(location / name) for name in names)
        check_links(map(Path, files), setting)
        instead = "" if files else first_names(location)
        return _some([local_file(Path(found), found) for found in files], path, setting, instead)
    if not location.exists() and MAGIC.search(path):
        every = (str(file) for file in files_matching(location) if not is_own(file))
        found = [Path(name) for name in matching_without_outputs(every, str(location), os.path.isfile)]
        check_links(found, setting)
        note_mixture([str(file) for file in found], path, notes)
        return _some([local_file(file, str(file)) for file in found], path, setting)
    check_links([location], setting)
    problem = "something that is not a file"
    if not location.exists():
        problem = f"no such file{similar_name(location)}"
    raise BadInput(f"{setting}: expected {EXPECTED}, got {problem}: {path}")


def read_bytes_of(file: Path) -> bytes:
    """The beginning of a small file. Raises OSError."""
    with open_file(file) as stream:
        return stream.read(MOST_TEXT_BYTES)


def _behind_url(url: str, setting: str, notes: Notes, everything: bool) -> list[DataFile]:
    import fsspec

    try:
        system, root = fsspec.core.url_to_fs(url)
        if system.isfile(root):
            found = [root]
        elif MAGIC.search(root):
            every = sorted(path for path in system.glob(root) if system.isfile(path))
            found = matching_without_outputs(every, root, system.isfile)
            note_mixture(found, redacted(url), notes)
        else:
            every = system.find(root)
            below = {path.removeprefix(root).lstrip("/"): path for path in every}
            names = without_outputs(_wanted(below), below.__contains__)
            shown = redacted(url)

            def read(name: str) -> bytes:
                if name not in below:
                    raise FileNotFoundError(name)
                return bytes(system.cat_file(below[name], end=MOST_TEXT_BYTES))

            names = chosen_files(names, read, shown, setting, notes, everything)
            found = sorted(below[name] for name in names)
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


def _of_hub(path: str, setting: str, everything: bool) -> list[DataFile]:
    """The Arrow files that `datasets` makes of a dataset's split, or of all its splits."""
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
        splits = more[-1:] or datasets.get_dataset_split_names(name, config)
        if not everything:
            splits = [_split(splits, path, setting)]
        loaded = {split: datasets.load_dataset(name, config, split=split) for split in splits}
    except BadInput:
        raise
    # Errors of the hub, the network or the dataset's files: all concern the path given by the user.
    except Exception as error:
        raise BadInput(f"{setting}: can't load {path}: {_first_line(error.__cause__ or error)}") from error
    files = [
        local_file(Path(file["filename"]), f"hf:{name}:{split}/{Path(file['filename']).name}")
        for split, one in loaded.items()
        for file in one.cache_files
    ]
    return _some(files, path, setting)


def _split(names: list[str], path: str, setting: str) -> str:
    if "train" in names or len(names) == 1:
        return "train" if "train" in names else names[0]
    raise BadInput(f"{setting}: expected a split, one of {', '.join(names)}, as in {path}:{names[0]}")


def _wanted(names: Iterable[str]) -> list[str]:
    return sorted(name for name in names if suffix_of(name) in SUFFIXES)


def _some(files: list[DataFile], path: str, setting: str, others: str = "") -> list[DataFile]:
    if not files:
        raise BadInput(f"{setting}: expected {', '.join(SUFFIXES)} files in {path}, got {others or 'none'}")
    return files


def _first_line(error: BaseException) -> str:
    return (str(error).strip().splitlines() or [type(error).__name__])[0]
