"""With fake packages and a fake conversion: nothing is installed or converted."""

import hashlib
import threading
import time
from pathlib import Path

import pytest

from staragents.base.errors import BadInput
from staragents.models import gguf_conversion, prepare_packaged
from staragents.models.model_names import check_model, resolve_model
from staragents.models.packaged_models import PACKAGED, PackagedModel

NAME = "packaged:stand-in"
INSTALL = "pip install -c constraints.txt -e '.[demo]', in the checkout"


class Conversion:
    """Replaces the real one: writes its input, slowly, and counts its calls."""

    def __init__(self) -> None:
        self.runs = 0
        self.crash = False

    def __call__(self, gguf: Path, folder: Path) -> None:
        self.runs += 1
        folder.mkdir()
        (folder / "config.json").write_text("{}")
        time.sleep(0.2)
        if self.crash:
            raise MemoryError("killed")
        (folder / "model.safetensors").write_bytes(gguf.read_bytes())


@pytest.fixture
def conversion(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Conversion:
    """A model in two packages, like Gemma, and one that is used in place."""
    for part in (1, 2):
        (tmp_path / f"stand_in_part{part}").mkdir()
        (tmp_path / f"stand_in_part{part}" / "weights").write_bytes(f"part {part}.".encode())
    (tmp_path / "stand_in_ready" / "model").mkdir(parents=True)
    (tmp_path / "stand_in_ready" / "model" / "weights").write_bytes(b"ready")
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.setenv("STARAGENTS_CACHE", str(tmp_path / "cache"))
    digest = hashlib.sha256(b"part 1.part 2.").hexdigest()
    parts = (("stand_in_part1", "weights"), ("stand_in_part2", "weights"))
    monkeypatch.setitem(PACKAGED, NAME, PackagedModel(NAME, "MIT", "nowhere", digest, parts))
    monkeypatch.setitem(
        PACKAGED,
        "packaged:ready",
        PackagedModel(
            "packaged:ready",
            "MIT",
            "nowhere",
            hashlib.sha256(b"ready").hexdigest(),
            (("stand_in_ready", "model/weights"),),
            folder="model",
        ),
    )
    conversion = Conversion()
    monkeypatch.setattr(gguf_conversion, "convert", conversion)
    return conversion


def test_a_packaged_model_is_joined_and_converted_once(conversion: Conversion) -> None:
    folder = Path(resolve_model(NAME))
    assert (folder / "model.safetensors").read_bytes() == b"part 1.part 2."
    assert "Licence: MIT" in (folder / "SOURCE.txt").read_text()
    assert resolve_model(NAME) == str(folder)
    assert conversion.runs == 1
    assert not list(folder.parent.glob("*.partial"))


def test_two_simultaneous_starts_convert_once(conversion: Conversion) -> None:
    found: list[str] = []
    threads = [threading.Thread(target=lambda: found.append(resolve_model(NAME))) for _ in range(3)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert conversion.runs == 1
    assert len(set(found)) == 1
    assert len(found) == 3


def test_a_crashed_conversion_is_never_taken_for_a_finished_one(conversion: Conversion) -> None:
    conversion.crash = True
    with pytest.raises(MemoryError):
        resolve_model(NAME)
    assert not PACKAGED[NAME].converted_folder.exists()
    conversion.crash = False
    assert (Path(resolve_model(NAME)) / "model.safetensors").exists()


def test_leftovers_of_a_killed_conversion_are_removed(conversion: Conversion) -> None:
    folder = PACKAGED[NAME].converted_folder
    left = folder.with_name(folder.name + ".partial") / "model"
    left.mkdir(parents=True)
    (left / "stale.safetensors").write_text("half")
    assert not (Path(resolve_model(NAME)) / "stale.safetensors").exists()


def test_a_damaged_package_is_named_and_not_converted(conversion: Conversion, tmp_path: Path) -> None:
    (tmp_path / "stand_in_part2" / "weights").write_bytes(b"part 3.")
    with pytest.raises(BadInput, match="sha256") as error:
        resolve_model(NAME)
    assert INSTALL in str(error.value)
    assert conversion.runs == 0
    assert check_model(NAME) == str(error.value)


@pytest.mark.parametrize("gone", ["file", "package"])
def test_a_missing_package_says_what_to_install(conversion: Conversion, tmp_path: Path, gone: str) -> None:
    (tmp_path / "stand_in_part2" / "weights").unlink()
    if gone == "package":
        (tmp_path / "stand_in_part2").rmdir()
    with pytest.raises(BadInput) as error:
        resolve_model(NAME)
    assert INSTALL in str(error.value)
    assert conversion.runs == 0


def test_a_model_that_needs_no_conversion_is_used_in_place(conversion: Conversion, tmp_path: Path) -> None:
    assert resolve_model("packaged:ready") == str(tmp_path / "stand_in_ready" / "model")
    (tmp_path / "stand_in_ready" / "model" / "weights").write_bytes(b"damaged")
    assert "sha256" in (check_model("packaged:ready") or "")


def test_checking_converts_nothing(conversion: Conversion) -> None:
    assert check_model(NAME) is None
    assert conversion.runs == 0


def test_another_source_gets_another_folder() -> None:
    a, b = (PackagedModel("packaged:x", "", "", digest, ()) for digest in ("aa", "bb"))
    assert a.converted_folder != b.converted_folder
    assert a.converted_folder.name.startswith("x-")


def test_an_unknown_packaged_name_gets_the_nearest_known_one() -> None:
    with pytest.raises(BadInput, match="packaged:gemma-3-270m") as error:
        resolve_model("packaged:gemma-3-207m")
    assert "smollm2" not in str(error.value)
    with pytest.raises(BadInput) as error:
        resolve_model("packaged:zzz")
    assert all(name in str(error.value) for name in PACKAGED)


def test_preparing_all_prints_one_line_each(
    conversion: Conversion, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    for name in [name for name in PACKAGED if name not in (NAME, "packaged:ready")]:
        monkeypatch.delitem(PACKAGED, name)
    assert prepare_packaged.main() == 0
    assert prepare_packaged.main() == 0
    first, ready, again, _ = capsys.readouterr().out.splitlines()
    assert first.startswith(f"{NAME} (MIT): converted in")
    assert ready.startswith("packaged:ready (MIT): checked")
    assert "already converted" in again


def test_preparing_fails_with_exit_code_2_if_a_package_is_missing(
    conversion: Conversion,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    (tmp_path / "stand_in_part1" / "weights").unlink()
    for name in [name for name in PACKAGED if name != NAME]:
        monkeypatch.delitem(PACKAGED, name)
    assert prepare_packaged.main() == 2
    assert INSTALL in capsys.readouterr().err
