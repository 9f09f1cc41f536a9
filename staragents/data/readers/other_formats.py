"""Recognises formats that can't be read by their first bytes."""

from __future__ import annotations

_UNPACK = "unpack it"
_CONVERT = "write it as Parquet or JSON"
_STARTS = {
    b"PK\x03\x04": f"a zip archive or an Excel workbook; {_UNPACK}, or export it as CSV",
    b"\xd0\xcf\x11\xe0": "an Excel workbook; export it as CSV",
    b"\xfd7zXZ\x00": f"an xz file; {_UNPACK}",
    b"\x04\x22\x4d\x18": f"an lz4 file; {_UNPACK}",
    b"7z\xbc\xaf\x27\x1c": f"a 7z archive; {_UNPACK}",
    b"Rar!": f"a rar archive; {_UNPACK}",
    b"version https://git-lfs": "a Git LFS pointer; run git lfs pull, or download the file itself",
    b"SQLite format 3\x00": "an SQLite database; export its table as CSV",
    b"\x80\x04\x95": f"a pickle; {_CONVERT}",
    b"\x80\x05\x95": f"a pickle; {_CONVERT}",
    b"\x93NUMPY": f"a NumPy array; {_CONVERT}",
    b"FEA1": f"a Feather file of version 1; {_CONVERT}",
    b"\x89HDF": f"an HDF5 file; {_CONVERT}",
    b"Obj\x01": f"an Avro file; {_CONVERT}",
}
_TAR_MAGIC, _TAR_OFFSET = b"ustar", 257


def other_format(head: bytes) -> str | None:
    """What a file is and what to do with it, by its first bytes; None if it may be text."""
    if head[_TAR_OFFSET:].startswith(_TAR_MAGIC):
        return f"a tar archive; {_UNPACK}"
    if head[:512].lstrip().lower().startswith((b"<!doctype html", b"<html")):
        return "a web page; was a login or an error page saved?"
    return next((what for start, what in _STARTS.items() if head.startswith(start)), None)
