"""Rows/s and memory of the seed scan of `validate`; baselines: json.loads alone, and 1 % of the rows.

    python benchmarks/validate.py --rows 1000000

Writes a JSONL file of Alpaca rows of about 460 bytes, 1 % of them duplicates, and reads it in a separate
process for each size. Seconds are CPU time, all on one core.
"""

from __future__ import annotations

import argparse
import json
import os
import random
import resource
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from staragents.config import SeedsConfig
from staragents.data.seed_file import SeedFile

WORDS = Path(__file__).read_text(encoding="utf-8").split()
DUPLICATES = 0.01


def write_seeds(path: Path, rows: int) -> None:
    rng = random.Random(0)
    with path.open("w", encoding="utf-8") as file:
        line = ""
        for number in range(rows):
            if not line or rng.random() >= DUPLICATES:
                given = " ".join(rng.choices(WORDS, k=9)) if number % 2 else ""
                task, answer = (" ".join(rng.choices(WORDS, k=k)) for k in (12, 40))
                row = {"instruction": f"{task} {number}", "input": given, "output": answer}
                line = json.dumps(row) + "\n"
            file.write(line)


def scan(path: str) -> None:
    """Scan once; prints rows, seconds and peak memory in MiB."""
    start = time.process_time()
    found = SeedFile(SeedsConfig(path=path)).scan()
    seconds = time.process_time() - start
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    print(json.dumps([found.seeds + found.duplicates + found.bad_rows, seconds, peak]))


def parse(path: str) -> None:
    start, rows = time.process_time(), 0
    with open(path, "rb") as file:
        for line in file:
            json.loads(line)
            rows += 1
    print(json.dumps([rows, time.process_time() - start, 0]))


def measure(way: str, path: Path) -> tuple[int, float, float]:
    command = [sys.executable, __file__, "--way", way, "--file", str(path)]
    ended = subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True, env=os.environ)
    rows, seconds, peak = json.loads(ended.stdout)
    return rows, seconds, peak


def main(rows: int) -> None:
    with tempfile.TemporaryDirectory() as folder:
        few, many = Path(folder, "few.jsonl"), Path(folder, "many.jsonl")
        write_seeds(few, max(1, rows // 100))
        write_seeds(many, rows)
        size = many.stat().st_size
        _, _, low = measure("scan", few)
        read, seconds, high = measure("scan", many)
        _, base, _ = measure("parse", many)
    print(f"{read} rows, {size / read:.0f} bytes each")
    print(f"scan        {read / seconds:9.0f} rows/s of one core, {size / seconds / 1e6:.0f} MB/s")
    print(f"json.loads  {read / base:9.0f} rows/s, only the lines; ratio {base / seconds:.2f}")
    print(f"memory      {high:.0f} MiB at most; {low:.0f} MiB with 1 % of the rows ({high / low - 1:+.1%})")


if __name__ == "__main__":
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--rows", type=int, default=1_000_000)
    parser.add_argument("--way", choices=["scan", "parse"], help=argparse.SUPPRESS)
    parser.add_argument("--file", help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.way:
        (scan if arguments.way == "scan" else parse)(arguments.file)
    else:
        main(arguments.rows)
