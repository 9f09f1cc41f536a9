"""Ray's token: whoever has it runs code on the cluster as its user."""

from __future__ import annotations

import os
import secrets
import stat

from staragents.environment import ray_token_path
from staragents.errors import RunFailed


def keep_token_private() -> None:
    """Make the token of a local Ray, or take others' permissions from the one that is there: Ray itself
    leaves it readable for everyone. Raises RunFailed if the file is somebody else's."""
    if os.environ.get("RAY_AUTH_TOKEN") or os.environ.get("RAY_AUTH_MODE", "token").lower() != "token":
        return
    path = ray_token_path()
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
        return  # made by another process of ours in this moment
    except OSError as error:
        raise RunFailed(f"{path}: can't keep Ray's token private: {error.strerror}") from error
