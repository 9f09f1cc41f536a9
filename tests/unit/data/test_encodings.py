# ruff: noqa: RUF001
"""Text that is not UTF-8: guessed, named, or left as bad rows."""

from __future__ import annotations

import gzip
import io
import json
from pathlib import Path

import pytest

from staragents.base.errors import BadInput
from staragents.config import SeedsConfig
from staragents.data.readers import utf8_stream
from staragents.data.readers.encodings import encoding_problem, guessed
from staragents.data.readers.utf8_stream import Utf8Stream
from staragents.data.seed_file import SeedFile

TEXTS = {
    "gb18030": "如何在阳台上养活罗勒？给它早晨的阳光，表土干了再浇水，开花就掐掉。",
    "big5": "如何在陽台上養活羅勒？給它早晨的陽光，表土乾了再澆水，開花就掐掉。",
    "cp932": "ベランダでバジルを育てるにはどうすればいいですか？朝の日光を当てます。",
    "euc_jp": "ベランダでバジルを育てるにはどうすればいいですか？朝の日光を当てます。",
    "cp949": "발코니에서 바질을 어떻게 키우나요? 아침 햇빛을 주고 흙이 마르면 물을 줍니다.",
    "cp1251": "Как сохранить базилик на балконе? Давайте ему утреннее солнце.",
    "koi8_r": "Как сохранить базилик на балконе? Давайте ему утреннее солнце.",
    "cp1253": "Πώς κρατάω τον βασιλικό ζωντανό στο μπαλκόνι; Δώστε του πρωινό ήλιο.",
    "cp1255": "איך שומרים על בזיליקום חי במרפסת? תנו לו שמש בוקר.",
    "cp1256": "كيف أحافظ على الريحان حيا على الشرفة؟ امنحه شمس الصباح.",
    "cp874": "จะเลี้ยงโหระพาบนระเบียงให้รอดได้อย่างไร ให้แดดเช้าและรดน้ำ",
    "cp1252": "Comment garder le basilic en vie ? Arrosez-le quand la terre est sèche, dès l'été.",
    "mac_roman": "Comment garder le basilic en vie ? Arrosez-le quand la terre est sèche, dès l'été.",
    "cp850": "Comment garder le basilic en vie ? Arrosez-le quand la terre est sèche, dès l'été.",
    "cp1250": "Jak utrzymać bazylię przy życiu? Daj jej poranne słońce, są śliczne kwiaty. Żółć.",
    "iso8859_2": "Jak utrzymać bazylię przy życiu? Daj jej poranne słońce, są śliczne kwiaty. Żółć.",
    "cp1254": "Fesleğeni balkonda nasıl canlı tutarım? Sabah güneşi verin, toprak kuruyunca sulayın.",
    "cp1257": "Kaip išlaikyti baziliką gyvą balkone? Duokite jam rytinės saulės ir laistykite.",
}


def rows(text: str, count: int = 4) -> str:
    """JSONL without escapes."""
    lines = [{"instruction": f"{n}. {text}", "output": f"{text} {n}"} for n in range(count)]
    return "".join(json.dumps(line, ensure_ascii=False) + "\n" for line in lines)


def seed_file(path: Path, content: bytes, encoding: str | None = None) -> SeedFile:
    path.write_bytes(content)
    return SeedFile(SeedsConfig(path=str(path), encoding=encoding))


@pytest.mark.parametrize("encoding", TEXTS)
def test_each_encoding_is_guessed_and_said(tmp_path: Path, encoding: str) -> None:
    path = tmp_path / "rows.jsonl"
    file = seed_file(path, rows(TEXTS[encoding]).encode(encoding))
    scan = file.scan()
    assert (scan.seeds, scan.bad_rows) == (4, 0)
    assert scan.notes == (f"{path}: not UTF-8; read as {encoding}, a guess (seeds.encoding names another)",)
    assert [seed.instruction for seed in file.seeds()] == [f"{n}. {TEXTS[encoding]}" for n in range(4)]
    assert file.scan() == scan, "a later pass reads the same"


@pytest.mark.parametrize("encoding", ["utf-16", "utf-32", "utf-16-le", "utf-16-be"])
@pytest.mark.parametrize("name", ["rows.jsonl", "rows.csv", "rows.jsonl.gz"])
def test_utf_16_shows_in_the_first_bytes(tmp_path: Path, encoding: str, name: str) -> None:
    text = (
        "instruction\toutput\r\nSag \u00e9, \u4e2d.\tJa.\r\n"
        if "csv" in name
        else rows("Sag \u00e9, \u4e2d.", 1)
    )
    content = text.encode(encoding)
    file = seed_file(tmp_path / name, gzip.compress(content) if name.endswith("gz") else content)
    (note,) = file.scan().notes
    assert f"read as {encoding.upper()}, as its first bytes show" in note
    assert [seed.instruction.removeprefix("0. ") for seed in file.seeds()] == ["Sag \u00e9, \u4e2d."]


def test_a_named_encoding_is_used_and_not_guessed(tmp_path: Path) -> None:
    content = rows(TEXTS["cp1252"]).encode("cp1252")
    assert seed_file(tmp_path / "a.jsonl", content, "cp1250").scan().notes == ()
    (seed,) = seed_file(tmp_path / "b.jsonl", rows("caf\u00e9", 1).encode("latin-1"), "latin-1").seeds()
    assert seed.instruction == "0. caf\u00e9"
    with pytest.raises(BadInput) as caught:
        seed_file(tmp_path / "c.jsonl", content, "utf-8").scan()
    assert "expected UTF-8, got the byte 0xe8" in caught.value.problems[0]


def test_a_byte_that_the_named_encoding_lacks_is_its_row(tmp_path: Path) -> None:
    content = rows("caf\u00e9", 2).encode("cp1252").replace(b"0. caf\xe9", b"0. caf\x81")
    scan = seed_file(tmp_path / "a.jsonl", content, "cp1252").scan()
    assert (scan.seeds, scan.bad_rows) == (1, 1)


@pytest.mark.parametrize(
    "content",
    [
        rows("Say it.").encode().replace(b"2. Say", b"2. \xffSay"),
        rows("caf\u00e9").encode().replace(b"2. caf\xc3\xa9", b"2. caf\xe9"),
        rows("caf\u00e9").encode() + rows("th\u00e9", 3).encode("cp1252"),
        rows("\u4f60\u597d", 2).encode("gbk"),
    ],
    ids=["a damaged byte", "a damaged character", "two encodings", "too short to tell"],
)
def test_no_guess_is_made_without_grounds(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "rows.jsonl"
    file = seed_file(path, content)
    assert any(file.bad_rows())
    unsure = "some bytes are not UTF-8, too few or mixed to guess an encoding (seeds.encoding names one)"
    assert file._files.notes.lines() == [f"{path}: {unsure}"]


def test_rows_before_the_first_accent_do_not_prevent_a_guess(tmp_path: Path) -> None:
    content = rows("Say it.", 40_000).encode() + rows(TEXTS["cp1252"]).encode("cp1252")
    assert len(content) > 2 * utf8_stream.BLOCK_BYTES
    scan = seed_file(tmp_path / "rows.jsonl", content).scan()
    assert (scan.bad_rows, len(scan.notes)) == (0, 1)
    assert scan.seeds == 40_004


def test_the_encoding_does_not_depend_on_how_the_stream_is_read(monkeypatch: pytest.MonkeyPatch) -> None:
    content = rows(TEXTS["gb18030"], 40).encode("gb18030")
    for size in (7, 64, 1 << 20):
        monkeypatch.setattr(utf8_stream, "BLOCK_BYTES", size)
        said: list[str] = []
        stream = Utf8Stream(io.BytesIO(content), "rows", None, said.append, "seeds.encoding")
        assert stream.read().decode() == rows(TEXTS["gb18030"], 40)
        assert len(said) == 1


def test_valid_utf_8_passes_unchanged() -> None:
    for text in TEXTS.values():
        assert guessed(rows(text).encode()) is None


@pytest.mark.parametrize("name", ["rot13", "hex", "klingon", "", "a\0b"])
def test_an_unknown_encoding_is_named(name: str) -> None:
    assert (encoding_problem(name) or "").startswith("expected an encoding that Python knows, such as cp1252")
