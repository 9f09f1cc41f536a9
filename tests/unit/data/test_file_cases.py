"""Files and folders in shapes that others write: what each becomes."""

from __future__ import annotations

from pathlib import Path

import pytest

from staragents.config import SeedsConfig
from staragents.data.seed_file import SeedFile

CASES = Path(__file__).parent / "cases"
BASIL = "How do I keep basil alive on a balcony?"
TABLE = {
    "d01_saved": (6, BASIL, None),
    "d02_saved_dict": (4, BASIL, "reads train/data-00000-of-00001.arrow, not test/data-00000-of-00001.arrow"),
    "d02_saved_dict/test": (2, "Give a short plan for tidying a shed.", None),
    "d04_excel.csv": (6, BASIL, None),
    "d04_min.csv": (1, "a?", None),
    "d07_field_lines.json": (6, BASIL, "rows are read from the field data"),
    "d07_field_one_line.json": (6, BASIL, "rows are read from the field data"),
    "d07_pandas.json": (6, BASIL, "rows are read from its columns"),
    "d07_splits.json": (4, BASIL, "rows are read from the field train, not test"),
    "d16_cp1252.csv": (6, f"{BASIL} \u2013 caf\u00e9 style", "read as cp1252, a guess (seeds.encoding"),
    "d16_gbk.json": (2, "\u9633\u53f0\u4e0a\u7684\u7f57\u52d2\u600e\u4e48\u517b\uff1f", "read as gb18030"),
    "d24_images.parquet": (6, f"<image>{BASIL}", None),
}
"""Seeds, the first instruction and a part of the note."""


@pytest.mark.parametrize("name", TABLE)
def test_each_file_has_its_meaning_with_no_setting_but_its_path(name: str) -> None:
    number, first, note = TABLE[name]
    file = SeedFile(SeedsConfig(path=str(CASES / name)))
    scan = file.scan()
    assert (scan.seeds, scan.bad_rows, scan.duplicates) == (number, 0, 0)
    assert next(file.seeds()).instruction == first
    if note is None:
        assert scan.notes == ()
    else:
        (line,) = scan.notes
        assert line.startswith(f"{CASES / name}: ")
        assert note in line
