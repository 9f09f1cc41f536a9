"""Ray's token, which lets its holder run code on the cluster as our user."""

from __future__ import annotations

import os
import secrets
import stat
from pathlib import Path

from staragents.base.environment import RAY_TOKEN_PATH, ray_token_path
from staragents.base.errors import RunFailed


def keep_token_private(spare: Path | None = None) -> None:
    """Create the token of a local Ray, or remove others' permissions from an existing one: Ray itself leaves
    it world-readable.

    If the home folder can't be written to, the token is in `spare`, which only this user can reach, for this
    process and its children. Raises RunFailed if the file belongs to another user.
    """
    if os.environ.get("RAY_AUTH_TOKEN") or os.environ.get("RAY_AUTH_MODE", "token").lower() != "token":
        return
    path = ray_token_path()
    try:
        _keep(path)
    except OSError as error:
        if spare is None or os.environ.get(RAY_TOKEN_PATH) or os.path.lexists(path):
            raise RunFailed(f"{path}: can't keep Ray's token private: {error.strerror}") from error
        os.environ[RAY_TOKEN_PATH] = str(spare)
        keep_token_private()


def _keep(path: Path) -> None:
    try:
        path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        try:
            file = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK)
        except FileNotFoundError:
            file = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
            os.write(file, secrets.token_hex(32).encode())
        try:
            found = os.fstat(file)
            if not stat.S_ISREG(found.st_mode):
                raise RunFailed(f"{path}: expected a file with Ray's token, got something else")
            if stat.S_IMODE(found.st_mode) & 0o077:
                os.fchmod(file, 0o600)
        finally:
            os.close(file)
    except FileExistsError:
        return  # created by another of our processes at the same time
