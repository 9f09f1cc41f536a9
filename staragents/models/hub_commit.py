"""Finds the commit behind a model's hub id, whose branch may move."""

from __future__ import annotations

from pathlib import Path


def hub_commit(model: str, revision: str | None = None) -> str | None:
    """The commit of a hub id at a revision (None: its default branch), by the hub or else by this machine's
    cache.

    None for a folder, and where neither of them has the model's config.json: loading the model says why.
    """
    if Path(model).is_dir():
        return None
    from huggingface_hub import hf_hub_download  # takes as long as the rest of `validate`

    try:
        file = hf_hub_download(model, "config.json", revision=revision)
    except Exception:  # the hub, its cache and its HTTP client raise their own types
        return None
    # In the cache, the folder of a snapshot is called as its commit.
    return Path(file).parent.name
