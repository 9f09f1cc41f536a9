"""report.html for many candidates: build time, size, and seconds until its table is usable in a browser.

    python benchmarks/report.py --candidates 100000

Baseline: the report of the same run with one seed in the table. The run is synthetic, from a `fake` engine;
texts are random words of docs/, and one in three candidates keeps most of its seed's response. The browser is
headless Chromium, restarted for each measurement. Seconds are measured from the navigation: until rows are
shown, until the table has applied a filter set at that time, and until all charts are drawn, which starts
afterwards. `main thread` is the CPU time of the page's thread until then; unlike wall time, it hardly depends
on other load.
"""

from __future__ import annotations

import argparse
import json
import random
import statistics
import sys
import tempfile
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1]))
from staragents.base.messages import Message
from staragents.base.records import Candidate
from staragents.report.report import write_report
from tests.support.browser import Browser
from tests.unit.conftest import write_run

A_SEED = 3
MARK = "performance.getEntriesByName('{}').map((mark) => mark.startTime)[0]"
READY, FILTERED, DRAWN = map(MARK.format, ("candidates-ready", "filtered", "charts-drawn"))
# Injected before the page's own scripts: sets the outcome filter as soon as there are rows.
CHOOSE = """new PerformanceObserver((list) => {
  if (!list.getEntriesByName("candidates-ready").length) return;
  const select = document.getElementById("table-outcome"), count = document.getElementById("table-count");
  new MutationObserver(() => performance.mark("filtered")).observe(count, { childList: true });
  select.value = select.options[1].value;
  select.dispatchEvent(new Event("change"));
}).observe({ type: "mark" })"""
COUNT = "document.getElementById('table-count').textContent"
WORDS = " ".join(
    path.read_text(encoding="utf-8") for path in sorted((Path(__file__).parents[1] / "docs").glob("*.md"))
).split()


def random_texts(seed: list[Candidate]) -> None:
    """Instructions of 12 words and answers of 80: about 600 bytes, as in Alpaca-like datasets."""
    rng = random.Random(seed[0].seed_id)
    instruction, response = rng.choices(WORDS, k=12), rng.choices(WORDS, k=80)
    conversation = (Message("user", " ".join(instruction)), Message("assistant", " ".join(response)))
    for candidate in seed:
        candidate.seed_messages = conversation
        if candidate.messages:
            answer = response[:60] if rng.random() < 1 / 3 else []
            answer = [*answer, *rng.choices(WORDS, k=80 - len(answer))]
            task = [*instruction, *rng.choices(WORDS, k=6)]
            candidate.messages = (Message("user", " ".join(task)), Message("assistant", " ".join(answer)))


def read(run: Path, max_rows: int, rounds: int) -> dict[str, list[float]]:
    """Measurements by name: seconds, and MiB of the file."""
    start = time.process_time()
    page = write_report(run, max_rows=max_rows)
    readings = {"build, CPU s": [time.process_time() - start], "size, MiB": [page.stat().st_size / 2**20]}
    for _ in range(rounds):
        with Browser() as browser:
            browser.ask("Performance.enable", timeDomain="threadTicks")
            browser.ask("Page.addScriptToEvaluateOnNewDocument", source=CHOOSE)
            browser.open(page)
            measured = {
                "all charts drawn, s": browser.until(DRAWN) / 1000,
                "rows shown, s": browser.until(READY) / 1000,
                "filter answered, s": browser.until(FILTERED) / 1000,
                "main thread, CPU s": cpu_seconds(browser),
            }
        for name, value in measured.items():
            readings.setdefault(name, []).append(value)
    return readings


def cpu_seconds(browser: Browser) -> float:
    metrics = browser.ask("Performance.getMetrics")["metrics"]
    return next(metric["value"] for metric in metrics if metric["name"] == "ThreadTime")


def searched(page: Path, candidates: int) -> tuple[float, float, str]:
    """Seconds of the first and the second search of all texts, and the table's message."""
    seconds = []
    with Browser() as browser:
        browser.open(page)
        browser.until(READY)
        for word in ("candidate", "propensity"):
            before = browser.evaluate(COUNT)
            start = time.perf_counter()
            browser.evaluate("document.getElementById('table-search').value = ''")
            browser.type("#table-search", word)
            browser.until(f"![{json.dumps(before)}].includes({COUNT}) && !{COUNT}.startsWith('Searching')")
            seconds.append(time.perf_counter() - start)
        return seconds[0], seconds[1], browser.evaluate(COUNT)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--candidates", type=int, default=100_000)
    parser.add_argument("--rounds", type=int, default=5)
    options = parser.parse_args()
    seeds = -(-options.candidates // A_SEED)
    with tempfile.TemporaryDirectory() as folder:
        run = write_run(
            Path(folder) / "run",
            seeds=seeds,
            seeds_per_shard=2_000,
            facts={"engines": {"smollm": "fake"}},
            edit=random_texts,
        )
        without = read(run, A_SEED, options.rounds)
        table = read(run, seeds * A_SEED, options.rounds)
        first, second, count = searched(run / "report.html", seeds * A_SEED)
    print(
        f"{seeds * A_SEED:,} synthetic candidates of a fake engine; median (best) of {options.rounds} starts"
    )
    print(f"{'':26}{'with table':>18}{'without':>18}{'ratio':>8}")
    for name, values in table.items():
        both = (values, without[name])
        columns = "".join(f"{f'{statistics.median(v):.2f} ({min(v):.2f})':>18}" for v in both)
        print(f"{name:26}{columns}{statistics.median(values) / statistics.median(without[name]):8.2f}")
    print(f"search of all texts: {first:.2f} s the first time, {second:.2f} s afterwards ({count})")


if __name__ == "__main__":
    main()
