"""Hub ids and folders; packaged models are in `test_packaged_models`."""

from pathlib import Path

import pytest

from staragents.base.errors import BadInput
from staragents.models.model_names import check_model, resolve_model


@pytest.mark.parametrize("hub_id", ["gpt2", "org/name", "Qwen/Qwen2.5-0.5B_x", "fake"])
def test_a_hub_id_stays_as_it_is(hub_id: str) -> None:
    assert resolve_model(hub_id) == hub_id


def test_an_existing_folder_becomes_absolute(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "models" / "mine").mkdir(parents=True)
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("HOME", str(tmp_path))
    absolute = str(tmp_path / "models" / "mine")
    for name in ("models/mine", "./models/mine", absolute, "~/models/mine"):
        with pytest.raises(BadInput, match=r"expected a model folder with config\.json"):
            resolve_model(name)
    for marking in ("config.json", "adapter_config.json", "modules.json"):
        (tmp_path / "models" / "mine" / marking).touch()
        for name in ("models/mine", "./models/mine", absolute, "~/models/mine"):
            assert resolve_model(name) == absolute
        (tmp_path / "models" / "mine" / marking).unlink()


@pytest.mark.parametrize(
    "path", ["", " ", "./nothing", "/nothing/here", "~/nothing", "a/b/c", "nothing/", "a b"]
)
def test_a_path_that_leads_nowhere_is_bad_input(
    path: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    with pytest.raises(BadInput, match="expected"):
        resolve_model(path)
    assert check_model(path) is not None


def test_a_file_is_not_a_model(tmp_path: Path) -> None:
    (tmp_path / "model.gguf").touch()
    with pytest.raises(BadInput, match="folder"):
        resolve_model(str(tmp_path / "model.gguf"))
