"""Finds the commit behind a model's hub id, whose branch may move."""

from __future__ import annotations

from pathlib import Path


def hub_commit(model: str, revision: str | None = None) -> str | None:
    """The commit of a hub id at a revision (None: its default branch), by the hub or else by this machine's
    cache.

    None for a folder, and where neither of them knows the model: loading the model says why.
    """
    if Path(model).is_dir():
        return None
    from huggingface_hub import constants, resolve_revision  # takes as long as the rest of `validate`

    try:
        # Asked offline, it would warn about a hub that can't be reached.
        return resolve_revision(model, revision=revision, local_files_only=constants.HF_HUB_OFFLINE).resolved
    except Exception:  # the hub, its cache and its HTTP client raise their own types
        return None
