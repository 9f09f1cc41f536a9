"""Files of a local Ray are inaccessible to other users."""

from __future__ import annotations

import os
import stat
from contextlib import ExitStack
from pathlib import Path

import pytest

from cluster.session.private_folder import private_folder
from cluster.session.ray_token import keep_token_private
from staragents.base.environment import secret_values
from staragents.base.errors import RunFailed


@pytest.fixture
def above(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The folder of this user, not created yet."""
    monkeypatch.setattr("cluster.session.private_folder.LONGEST", 1000)
    monkeypatch.setenv("RAY_TMPDIR", str(tmp_path))
    return tmp_path / f"staragents-{os.getuid()}"


def mode(path: Path) -> int:
    return stat.S_IMODE(path.stat().st_mode)


def test_a_session_has_its_own_folder_that_only_its_user_can_enter(above: Path) -> None:
    with private_folder() as one, private_folder() as other:
        assert one != other
        assert {one.parent, other.parent} == {above}
        assert {mode(path) for path in (above, one, other)} == {0o700}
    assert not one.exists()
    assert not other.exists()


def test_the_folder_of_a_failed_session_stays_until_the_next(above: Path) -> None:
    session = ExitStack()
    failed = session.enter_context(private_folder())
    (failed / "log").write_text("why")
    error = RuntimeError("it failed")
    session.__exit__(RuntimeError, error, None)
    assert (failed / "log").exists()
    with private_folder():
        assert not failed.exists()


def test_the_folder_of_a_running_session_is_left_alone(above: Path) -> None:
    with private_folder() as one:
        with private_folder():
            pass
        assert one.is_dir()


def test_a_long_path_is_replaced_by_a_short_one(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("RAY_TMPDIR", str(tmp_path / ("x" * 60)))
    with private_folder() as folder:
        assert len(str(folder)) < 50


@pytest.mark.parametrize("given", ["", "relative", "/proc/nowhere", "/etc/passwd"])
def test_a_temporary_folder_that_can_not_be_used_is_replaced(
    given: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.delenv("RAY_TMPDIR", raising=False)
    monkeypatch.setattr("cluster.session.private_folder.FALLBACK", tmp_path)
    monkeypatch.setenv("TMPDIR", given)
    with private_folder() as folder:
        assert folder.parent == tmp_path / f"staragents-{os.getuid()}"
    assert ("(TMPDIR, RAY_TMPDIR)" in caplog.text) is given.startswith("/")


@pytest.mark.parametrize("permissions", [0o770, 0o707, 0o711])
def test_a_folder_that_others_can_enter_is_refused(above: Path, permissions: int) -> None:
    above.mkdir()
    above.chmod(permissions)
    with pytest.raises(
        RunFailed, match=f"expected a folder that you own with mode 0700, got .*{permissions:04o}"
    ):
        private_folder().__enter__()


def test_a_symbolic_link_and_a_file_in_its_place_are_refused(above: Path, tmp_path: Path) -> None:
    (tmp_path / "elsewhere").mkdir(mode=0o700)
    above.symlink_to(tmp_path / "elsewhere")
    with pytest.raises(RunFailed, match="got a symbolic link; remove it, or set RAY_TMPDIR"):
        private_folder().__enter__()
    above.unlink()
    above.write_text("")
    with pytest.raises(RunFailed, match="staragents-"):
        private_folder().__enter__()
    assert list((tmp_path / "elsewhere").iterdir()) == []


@pytest.mark.skipif(os.getuid() != 0, reason="only root can give a folder away")
def test_somebody_elses_folder_is_refused(above: Path) -> None:
    above.mkdir(mode=0o700)
    os.chown(above, 12345, 12345)
    with pytest.raises(RunFailed, match="got a folder of user 12345"):
        private_folder().__enter__()


def test_a_token_is_created_that_only_its_user_can_read(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "new" / "token"
    monkeypatch.setenv("RAY_AUTH_TOKEN_PATH", str(path))
    keep_token_private()
    token = path.read_text()
    assert len(token) == 64
    assert mode(path) == 0o600
    path.chmod(0o644)
    keep_token_private()
    assert mode(path) == 0o600
    assert path.read_text() == token


def test_a_link_in_place_of_the_token_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "other").write_text("x")
    (tmp_path / "token").symlink_to(tmp_path / "other")
    monkeypatch.setenv("RAY_AUTH_TOKEN_PATH", str(tmp_path / "token"))
    with pytest.raises(RunFailed, match="can't keep Ray's token private"):
        keep_token_private()


def test_no_token_is_created_if_ray_uses_none(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("RAY_AUTH_TOKEN_PATH", str(tmp_path / "token"))
    monkeypatch.setenv("RAY_AUTH_MODE", "disabled")
    keep_token_private()
    assert not (tmp_path / "token").exists()


def test_without_a_writable_home_the_token_is_in_the_private_folder(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("RAY_AUTH_TOKEN_PATH", "")  # restored, although the code sets it
    monkeypatch.setenv("HOME", "/proc")
    with pytest.raises(RunFailed, match=r"/proc/\.ray/auth_token: can't keep Ray's token private"):
        keep_token_private()
    keep_token_private(tmp_path / "auth_token")
    assert os.environ["RAY_AUTH_TOKEN_PATH"] == str(tmp_path / "auth_token")
    assert mode(tmp_path / "auth_token") == 0o600
    assert (tmp_path / "auth_token").read_text() in secret_values()
