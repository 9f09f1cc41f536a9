"""Folders of the packaged models, converted into the user's cache on first use (takes minutes, once)."""

import pytest

from staragents.models.model_names import check_model, resolve_model


def folder_of(name: str) -> str:
    if problem := check_model(name):
        pytest.skip(problem)
    return resolve_model(name)


@pytest.fixture(scope="session")
def smollm2() -> str:
    return folder_of("packaged:smollm2-135m-instruct")


@pytest.fixture(scope="session")
def gemma3() -> str:
    return folder_of("packaged:gemma-3-270m")


@pytest.fixture(scope="session")
def minilm() -> str:
    return folder_of("packaged:all-minilm-l6-v2")
