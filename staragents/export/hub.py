"""Pushes exported files and their card to a dataset repository on the Hugging Face hub, in one commit."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from huggingface_hub import CommitOperationAdd, CommitOperationDelete, HfApi
from huggingface_hub.errors import HFValidationError
from huggingface_hub.utils import validate_repo_id

import staragents
from staragents.analysis.saved_run import SavedRun
from staragents.base.environment import hub_token
from staragents.base.errors import BadInput, RunFailed
from staragents.data.formats.known import FORMATS
from staragents.export.exporter import Exported
from staragents.export.split_file import SPLITS, SUFFIXES
from staragents.report.dataset_card import Contents, card_text

OPTION = "--push-to-hub"
KINDS = {
    "dpo": "pairs of a preferred and a rejected answer",
    "kto": "answers that a judge preferred or rejected",
}
"""What the rows of a format are, if they are not instruction-tuning samples."""


@dataclass(frozen=True, slots=True)
class Push:
    """The repository's files: `README.md` and `data/SPLIT.SUFFIX`. Nothing is uploaded before `send`.

    Files of these names that this export lacks are deleted: their rows may be in another split now.
    """

    repo: str
    private: bool
    card: str
    files: dict[str, Path]

    @classmethod
    def of(cls, run: SavedRun, exported: Exported, repo: str, private: bool) -> Push:
        files = {f"data/{split}{path.suffix}": path for split, (path, _) in exported.files.items()}
        return cls(repo, private, card_text(run, _contents(exported, files)), files)

    def sizes(self) -> dict[str, int]:
        """Size in bytes of every file in the repository."""
        return {
            "README.md": len(self.card.encode()),
            **{name: path.stat().st_size for name, path in self.files.items()},
        }

    @property
    def outdated(self) -> list[str]:
        """The files to delete where the repository has them."""
        names = (f"data/{split}{suffix}" for split in SPLITS for suffix in SUFFIXES)
        return [name for name in names if name not in self.files]

    def send(self) -> tuple[str, list[str]]:
        """Create the repository if needed and make one commit; returns its URL and the deleted files.

        Raises BadInput without a token, RunFailed if the hub rejects the upload or can't be reached.
        """
        api = HfApi(token=_token(), library_name="staragents", library_version=staragents.__version__)
        files: dict[str, bytes | Path] = {"README.md": self.card.encode(), **self.files}
        added = [CommitOperationAdd(name, content) for name, content in files.items()]
        try:
            url = api.create_repo(self.repo, repo_type="dataset", private=self.private, exist_ok=True)
            # The name may have been given without its owner.
            present = set(api.list_repo_files(url.repo_id, repo_type="dataset"))
            deleted = [name for name in self.outdated if name in present]
            api.create_commit(
                url.repo_id,
                [*added, *(CommitOperationDelete(name) for name in deleted)],
                commit_message=f"Dataset made with staragents {staragents.__version__}",
                repo_type="dataset",
            )
        except (OSError, ValueError) as error:
            raise RunFailed(f"{OPTION}: the hub did not accept {self.repo}: {_first_line(error)}") from error
        return str(url), deleted


def check_push(repo: str, dry_run: bool) -> None:
    """Check before anything is written. Raises BadInput if the name is invalid or the token is missing."""
    try:
        validate_repo_id(repo)
    except HFValidationError as error:
        raise BadInput(f"{OPTION}: expected OWNER/NAME, got {repo!r}") from error
    if not dry_run:
        _token()


def _token() -> str:
    token = hub_token()
    if token is None:
        raise BadInput(
            f"{OPTION}: expected a token with write access in the environment variable HF_TOKEN, got none"
        )
    return token


def _contents(exported: Exported, files: dict[str, Path]) -> Contents:
    splits: list[dict[str, Any]] = [
        {"split": split, "path": name} for split, name in zip(exported.files, files, strict=True)
    ]
    columns = ", ".join(f"`{name}`" for name in FORMATS[exported.format].schema.names)
    rows = ", ".join(f"{count:,} in `{split}`" for split, (_, count) in exported.files.items())
    fields = f"Format `{exported.format}`, columns {columns}. Rows: {rows}."
    if exported.reasoning:
        fields += f" {exported.reasoning:,} rows have reasoning in `reasoning_content` of their turns."
    if exported.reasoning_dropped:
        fields += f" The reasoning of {exported.reasoning_dropped:,} rows is left out."
    total = sum(count for _, count in exported.files.values())
    kind = KINDS.get(exported.format, "instruction-tuning samples")
    return Contents([{"config_name": "default", "data_files": splits}], fields, total, kind=kind)


def _first_line(error: Exception) -> str:
    """HTTP errors have a page of text. It contains no tokens, which are only in headers."""
    return next((line.strip() for line in str(error).splitlines() if line.strip()), type(error).__name__)
