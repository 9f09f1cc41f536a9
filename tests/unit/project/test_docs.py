"""The documentation matches the current code."""

from __future__ import annotations

import os
import re
import runpy
import subprocess
import sys
from pathlib import Path

import pytest

from tests.support import browser
from tests.support.paths import ROOT

DOCS = sorted((ROOT / "docs").glob("*.md"))
OURS = re.compile(r"`((?:staragents|actors|cluster|configs|benchmarks|deploy|docs|tests)/[\w./-]*)`")


def test_the_reference_of_settings_is_current() -> None:
    page = runpy.run_path(str(ROOT / "docs/configuration.py"))["page"]()
    said = (ROOT / "docs/configuration.md").read_text(encoding="utf-8")
    assert said == page, "run: python docs/configuration.py"


@pytest.mark.parametrize("page", [ROOT / "README.md", *DOCS], ids=lambda page: page.name)
def test_named_files_and_pages_exist(page: Path) -> None:
    text = page.read_text(encoding="utf-8")
    for name in OURS.findall(text):
        assert (ROOT / name).exists(), f"{page.name}: {name}"
    for target in re.findall(r"\]\(([^)#]+?)(?:#[^)]*)?\)", text):
        if not re.match(r"[a-z]+:", target):
            assert (page.parent / target).exists(), f"{page.name}: {target}"


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The docs site, built as by `make docs`."""
    built = tmp_path_factory.mktemp("docs") / "site"
    done = subprocess.run(
        [sys.executable, "-m", "mkdocs", "build", "--strict", "--site-dir", str(built)],
        cwd=ROOT, env={**os.environ, "NO_MKDOCS_2_WARNING": "1"}, capture_output=True, text=True, timeout=120,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    return built


def test_the_site_builds_and_fetches_nothing(site: Path) -> None:
    pages = sorted(site.glob("*.html"))
    assert {page.stem for page in DOCS} <= {page.stem for page in pages}
    for page in pages:
        loaded = re.findall(
            r'<(?:script|link|img|iframe)[^>]+(?:src|href)="(https?://[^"]+)"', page.read_text()
        )
        assert loaded == [], page.name


@pytest.mark.skipif(browser.PROGRAM is None, reason=browser.ABSENT)
def test_the_site_can_be_searched_from_the_disk(site: Path) -> None:
    with browser.Browser() as tab:
        tab.open(site / "index.html")
        tab.until("document.readyState === 'complete'")
        tab.type(".md-search__input", "gpu_memory_utilization")
        found = ".md-search-result__link[href*='configuration.html']"
        tab.until(f'document.querySelector("{found}") !== null', timeout_s=20)
        asked = {event["request"]["url"] for event in tab.seen("Network.requestWillBeSent")}
    assert asked
    assert [url for url in asked if not url.startswith(("file:", "data:"))] == []


def test_messages_quoted_in_troubleshooting_occur_in_the_source() -> None:
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
