"""What a file is that was named as a CSV file and is none, and how it becomes one."""

from __future__ import annotations

from collections.abc import Sequence

_EXCEL = "save its sheet as 'CSV UTF-8 (Comma delimited)'"
_UNPACK = "unpack it, or compress the CSV file with gzip"
_STARTS: tuple[tuple[bytes, str, str], ...] = (
    (b"\xd0\xcf\x11\xe0", "an Excel workbook", _EXCEL),
    (b"PAR1", "a parquet file", "write it as CSV, such as with pandas.read_parquet(FILE).to_csv(FILE, index=False)"),
    (b"BZh", "compressed with bzip2", _UNPACK),
    (b"\xfd7zXZ", "compressed with xz", _UNPACK),
    (b"\x28\xb5\x2f\xfd", "compressed with zstd", _UNPACK),
    (b"7z\xbc\xaf", "a 7z archive", _UNPACK),
    (b"Rar!", "a rar archive", _UNPACK),
    (b"\x1f\x8b", "compressed with gzip twice", "unpack it once"),
    (b"PK\x05\x06", "an empty zip archive", "give the CSV file that was to be in it"),
    (b"SQLite format 3", "an SQLite database", "export its table as CSV"),
    (b"{\\rtf", "a text document", "save its table as CSV"),
    (b"%PDF", "a PDF document", "give the text as CSV"),
    (b"version https://git-lfs", "only a pointer of Git LFS", "fetch the file itself with `git lfs pull`"),
)
_UTF16 = (b"\xff\xfe", b"\xfe\xff")
_NO_TEXT = frozenset(range(32)) - frozenset(b"\t\n\r")
"""Bytes that binary files begin with and headers never."""
_SEPARATORS = {";": "semicolons", "\t": "tabs", "|": "bars"}


def no_csv(head: bytes) -> str:
    """What a file is by its first bytes and what to do about it; empty where it may be CSV.

    Args:
        head: Some hundred bytes.
    """
    if head.startswith(b"PK\x03\x04"):
        return _zipped(head)
    for start, kind, mend in _STARTS:
        if head.startswith(start):
            return f"{kind}; {mend}"
    if head.startswith(_UTF16) or _in_pairs(head[:40]):
        return "UTF-16 text; save it as UTF-8, in Excel as 'CSV UTF-8 (Comma delimited)'"
    if any(byte in _NO_TEXT for byte in head[:8]):
        return "no text; give a CSV file, plain or compressed with gzip"
    return _marked_text(head.removeprefix(b"\xef\xbb\xbf").lstrip())


def _zipped(head: bytes) -> str:
    """What is inside a zip archive, as far as its first bytes tell."""
    if b"word/" in head or b"oasis.opendocument.text" in head:
        return "a text document; save its table as CSV"
    book = b"[Content_Types].xml" in head or b"xl/" in head or b"mimetype" in head
    return f"a workbook; {_EXCEL}" if book else f"a zip archive; {_UNPACK}"


def _marked_text(text: bytes) -> str:
    """Which other format a text is in; empty where it may be CSV."""
    if text[:1] == b"<":
        return "a web page or XML; download the file itself, such as by its raw address"
    if text[:1] in (b"{", b"[") and b":" in text:
        lines = ", lines=True" if text[:1] == b"{" and text[1:].lstrip(b" \t")[:1] not in b"\r\n" else ""
        return f"JSON; write it as CSV, such as with pandas.read_json(FILE{lines}).to_csv(FILE, index=False)"
    return ""


def _in_pairs(head: bytes) -> bool:
    """Whether every other byte is zero, as in UTF-16 without a mark, and the ones between are not."""
    even, odd = head[0::2].count(0), head[1::2].count(0)
    return max(even, odd) > 10 and min(even, odd) < 3


def wrong_header(header: Sequence[str], columns: Sequence[str], others: Sequence[str]) -> str:
    """What is wrong with a header that lacks columns, and what to do.

    Args:
        header: Names as read.
        columns: Names that must be there.
        others: Columns of the other kind of file.
    """
    wanted = ",".join(columns)
    joined = ",".join(header)
    for sign, name in _SEPARATORS.items():
        if sign in joined and set(columns) <= {one.strip(' "').lower() for one in joined.split(sign)}:
            return f"its columns are parted by {name}; save it with commas, in Excel as 'CSV UTF-8 (Comma delimited)'"
    if joined.lower().startswith("sep="):
        return f"remove the first row, which only Excel knows; the next one must name {wanted}"
    if set(columns) <= {one.lower() for one in header}:
        return f"write its names in small letters: {wanted}"
    if set(others) <= set(header):
        return f"it must name {wanted}; this is the other kind of file, so the two may be exchanged"
    return f"it must name {wanted}"
