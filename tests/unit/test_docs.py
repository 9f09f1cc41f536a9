"""The pages that speak of our code say what it is today."""

from __future__ import annotations

import os
import re
import runpy
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
DOCS = sorted((ROOT / "docs").glob("*.md"))
OURS = re.compile(r"`((?:staragents|actors|cluster|configs|benchmarks|deploy|docs|tests)/[\w./-]*)`")


def test_the_reference_of_settings_is_current() -> None:
    page = runpy.run_path(str(ROOT / "docs/configuration.py"))["page"]()
    said = (ROOT / "docs/configuration.md").read_text(encoding="utf-8")
    assert said == page, "run: python docs/configuration.py"


@pytest.mark.parametrize("page", [ROOT / "README.md", *DOCS], ids=lambda page: page.name)
def test_files_and_pages_that_are_named_exist(page: Path) -> None:
    text = page.read_text(encoding="utf-8")
    for name in OURS.findall(text):
        assert (ROOT / name).exists(), f"{page.name}: {name}"
    for target in re.findall(r"\]\(([^)#]+?)(?:#[^)]*)?\)", text):
        if not re.match(r"[a-z]+:", target):
            assert (page.parent / target).exists(), f"{page.name}: {target}"


def test_the_site_builds_and_fetches_nothing(tmp_path: Path) -> None:
    done = subprocess.run(
        [sys.executable, "-m", "mkdocs", "build", "--strict", "--site-dir", str(tmp_path / "site")],
        cwd=ROOT, env={**os.environ, "NO_MKDOCS_2_WARNING": "1"}, capture_output=True, text=True, timeout=120,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    pages = sorted((tmp_path / "site").glob("*.html"))
    assert {page.stem for page in DOCS} <= {page.stem for page in pages}
    for page in pages:
        loaded = re.findall(
            r'<(?:script|link|img|iframe)[^>]+(?:src|href)="(https?://[^"]+)"', page.read_text()
        )
        assert loaded == [], page.name


def test_what_troubleshooting_calls_our_words_is_said_by_our_code() -> None:
    source = "\n".join(
        re.sub(r'"\s*\n\s*f?"', "", path.read_text(encoding="utf-8"))
        for package in ("staragents", "actors", "cluster")
        for path in (ROOT / package).rglob("*.py")
    )
    table = (ROOT / "docs/troubleshooting.md").read_text(encoding="utf-8")
    said = re.findall(r"^\| `([^`]+)`", table, flags=re.MULTILINE)
    assert len(said) > 10
    for message in said:
        for part in message.split("..."):
            assert part.strip() in source, message
