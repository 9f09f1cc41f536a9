"""Find a running job from another process, by its run directory or its name."""

from __future__ import annotations

import ipaddress
import json
import os
import stat
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from actors.actor_names import coordinator_name
from actors.request_queue import Answer
from staragents.base.environment import ray_address
from staragents.base.errors import BadInput, RunFailed
from staragents.run_directory.run_directory import SESSION, RunDirectory
from staragents.text.printable import printable

LARGEST_SESSION = 10_000
LONGEST_ADDRESS = 100
ELSE = "; set RAY_ADDRESS to the cluster that the run is on"


@contextmanager
def announced(run: RunDirectory) -> Iterator[None]:
    """Write to the run directory which Ray the run is on and its name there, so that other commands find it.

    Raises RunFailed if that can't be written.
    """
    import ray

    from actors.clean_up import quietly
    from actors.ray_internals import stays_on_loopback, uses_token

    address = ray.get_runtime_context().gcs_address
    session = {
        "name": run.name,
        "address": address,
        "loopback": stays_on_loopback(),
        "token": uses_token(),
    }
    try:
        with run.writing(SESSION) as temporary:
            # Readers send Ray's token to the address in the file, so nobody else may write to it.
            temporary.touch(mode=0o600)
            temporary.write_text(json.dumps(session), encoding="utf-8")
    except OSError as error:
        raise RunFailed(f"output.dir: can't write to {run.path}: {error.strerror}") from error
    try:
        yield
    finally:
        # On a failed disk it can't be removed, but the user must see how the run ended, not this error.
        quietly((run.path / SESSION).unlink, True)


@contextmanager
def joined(run: str) -> Iterator[Any]:
    """The coordinator of a running job. `run` is a run directory, or the run's name with RAY_ADDRESS set.

    Raises BadInput if `run` names nothing, RunFailed if the run is not running.
    """
    path = Path(run)
    session = _announced(path) if ray_address() is None and path.is_dir() else None
    address = session["address"] if session is not None else ray_address()
    if address is None:
        if path.is_dir():
            raise RunFailed(f"{run} is not running here; if it runs on a cluster, set RAY_ADDRESS to it")
        raise BadInput(f"RUN: expected a run directory, or a run's name and RAY_ADDRESS, got {run!r}")
    name = session["name"] if session is not None else _name(run)
    # Not before: most questions are about a run that has ended, and Ray takes longer than their answers.
    import ray

    from cluster.session.ray_session import NAMESPACE, join

    try:
        join(address)
    except RunFailed as error:
        if ray_address() or not isinstance(error.__cause__, ConnectionRefusedError):
            raise
        # A killed driver leaves the address behind.
        raise RunFailed(f"{run} is not running: its Ray is gone; run the same command to resume") from error
    try:
        yield ray.get_actor(coordinator_name(name), namespace=NAMESPACE)
    except ValueError as error:
        if "Failed to look up actor" not in str(error):
            raise
        raise RunFailed(f"{run} is not running on the Ray at {address}") from error
    finally:
        ray.shutdown()


@contextmanager
def asked(run: str) -> Iterator[Any]:
    """As `joined`; raises RunFailed too if the coordinator does not answer what the block asks it."""
    with joined(run) as coordinator:
        from ray.exceptions import RayError

        from actors.reasons import reason_of

        try:
            yield coordinator
        except RayError as error:
            raise RunFailed(
                f"{run}: the coordinator did not answer, try again: {reason_of(error)}"
            ) from error


def raise_if_failed(answer: Answer) -> None:
    """Raises BadInput or RunFailed if the driver reports an error."""
    if answer.exit_code == BadInput.exit_code:
        raise BadInput(answer.lines)
    if answer.exit_code:
        raise RunFailed("\n".join(answer.lines))


def _name(run: str) -> str:
    path = Path(run)
    return RunDirectory(path).name if path.is_dir() else run


def _announced(path: Path) -> dict[str, str] | None:
    """The address and the name in the run directory, or None. Raises RunFailed if it can't be trusted.

    Ray's token is sent there, so the file must be written by this user and name this machine; the user must
    give any other address explicitly.
    """
    session = _read_session(path / SESSION)
    if session is None:
        return None
    address = str(session["address"])
    if not _is_loopback(address):
        raise RunFailed(
            f"{path} is on the Ray at {printable(address)[:LONGEST_ADDRESS]}: set RAY_ADDRESS to it, if you "
            "trust that cluster (Ray's token is sent there)"
        )
    from actors.ray_internals import load_token, stay_on_loopback

    if session["loopback"]:
        stay_on_loopback()
    if session["token"]:
        load_token()
    return {"address": address, "name": str(session["name"])}


def _read_session(path: Path) -> dict[str, Any] | None:
    try:
        file = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK)
    except FileNotFoundError:
        return None
    except OSError as error:
        raise RunFailed(f"{path}: expected a file of this run, got {error.strerror}{ELSE}") from error
    with open(file, encoding="utf-8") as opened:
        found = os.fstat(file)
        if not stat.S_ISREG(found.st_mode) or found.st_uid != os.getuid() or found.st_mode & 0o022:
            raise RunFailed(f"{path}: expected a file that you own and only you can write{ELSE}")
        try:
            session = json.loads(opened.read(LARGEST_SESSION))
            return {name: session[name] for name in ("name", "address", "loopback", "token")}
        except (ValueError, KeyError, TypeError) as error:
            raise RunFailed(f"{path}: damaged{ELSE}") from error


def _is_loopback(address: str) -> bool:
    host = address.rpartition(":")[0].strip("[]")
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"
