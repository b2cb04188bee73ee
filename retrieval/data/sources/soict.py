"""CSV files in the format of SoICT 2024: a corpus (cid,text) and questions (qid,question,cid), plain or gzipped."""

from __future__ import annotations

import csv
import gzip
import io
import sys
import zlib
from collections.abc import Container, Iterator, Sequence
from contextlib import contextmanager
from io import BufferedReader
from pathlib import Path
from typing import BinaryIO, Literal, cast

from retrieval.data.articles import clause_offsets
from retrieval.data.cleaning import has_text
from retrieval.data.identifiers import ABSENT, fault_of, near_id, shown
from retrieval.data.sources.file_kinds import no_csv, wrong_header
from retrieval.data.sources.id_lists import parse_cids
from retrieval.errors import SourceError, ValidationError
from retrieval.records import Article, Query

Duplicates = Literal["error", "keep_first"]

CORPUS_COLUMNS = ("cid", "text")
QUESTION_COLUMNS = ("qid", "question", "cid")

_HEAD_BYTES = 512
_GZIP_MAGIC = b"\x1f\x8b"


def read_corpus(path: Path, duplicates: Duplicates) -> tuple[Article, ...]:
    """Read a corpus file; each row is one article without a title.

    Args:
        path: File with the columns cid and text, in any order; other columns are ignored.
        duplicates: What a repeated cid does.

    Raises:
        SourceError: If the file is missing, unreadable, not UTF-8 or has other columns.
        ValidationError: If a row is empty, repeats a cid or has one that is unfit, or there are no rows.

    Example:
        articles = read_corpus(Path("corpus.csv"), "error")
        len(articles), articles[0].cid
    """
    articles = []
    first_rows = _FirstRows(path, "cid", duplicates)
    for row, (cid, text) in _rows(path, CORPUS_COLUMNS):
        _require_id(path, row, "cid", cid)
        if first_rows.skips(row, cid):
            continue
        _require(path, row, f"text (cid {cid})", text)
        articles.append(Article(cid, "", text, clauses=clause_offsets(text)))
    if not articles:
        raise ValidationError(
            f"{path}: an empty corpus, it has a header and no rows; add rows of {_listed(CORPUS_COLUMNS)}"
        )
    return tuple(articles)


def read_questions(
    path: Path, duplicates: Duplicates, known: Container[str] | None = None, absent: str = ABSENT
) -> tuple[Query, ...]:
    """Read a questions file; the cid cell lists the articles that answer the question.

    Args:
        path: File with the columns qid, question and cid, in any order; other columns are ignored.
        duplicates: What a repeated qid does.
        known: Article ids of the corpus; given, every gold must be one of them.
        absent: What to do about a gold that is not known and resembles none.

    Raises:
        SourceError: If the file is missing, unreadable, not UTF-8 or has other columns.
        ValidationError: If a row is empty, repeats a qid or has one that is unfit, asks without a letter or digit, has
            a cid cell that is not a list or a gold that is not known, or there are no rows.
    """
    queries = []
    first_rows = _FirstRows(path, "qid", duplicates)
    for row, (qid, question, cell) in _rows(path, QUESTION_COLUMNS):
        _require_id(path, row, "qid", qid)
        if first_rows.skips(row, qid):
            continue
        _require(path, row, f"question (qid {qid})", question)
        if not has_text(question):
            what = f"question {question[:40]!r} has no letter or digit"
            raise ValidationError(f"{path}: row {row} (qid {qid}): {what}; mend or remove the row")
        cids = _golds(path, row, qid, cell)
        if known is not None:
            _require_known(path, row, qid, cids, known, absent)
        queries.append(Query(qid, question, cids))
    if not queries:
        raise ValidationError(
            f"{path}: no questions, it has a header and no rows; add rows of {_listed(QUESTION_COLUMNS)}"
        )
    return tuple(queries)


def _golds(path: Path, row: int, qid: str, cell: str) -> tuple[str, ...]:
    try:
        cids = parse_cids(cell)
    except ValueError as error:
        raise ValidationError(
            f'{path}: row {row} (qid {qid}): cid {error}; write [37], [37, 40] or ["91/2015/QH13:8"]'
        ) from error
    if not cids or "" in cids:
        raise ValidationError(f"{path}: row {row} (qid {qid}) lists no article in cid; name one or remove the row")
    return cids


def _require(path: Path, row: int, what: str, value: str) -> None:
    if not value:
        raise ValidationError(f"{path}: row {row} has an empty {what}; fill it in or remove the row")


def _require_id(path: Path, row: int, column: str, identifier: str) -> None:
    _require(path, row, column, identifier)
    if fault := fault_of(identifier):
        raise ValidationError(f"{path}: row {row}: {column} {shown(identifier)} {fault}; give it another {column}")


def _require_known(path: Path, row: int, qid: str, cids: Sequence[str], known: Container[str], absent: str) -> None:
    for cid in cids:
        if cid not in known:
            raise ValidationError(
                f"{path}: row {row} (qid {qid}): gold cid {shown(cid)} is not in the corpus;"
                f" {near_id(cid, known, absent)}"
            )


class _FirstRows:
    """Remembers the row that each id was first seen in."""

    def __init__(self, path: Path, column: str, duplicates: Duplicates) -> None:
        self._path, self._column, self._duplicates = path, column, duplicates
        self._row_of: dict[str, int] = {}

    def skips(self, row: int, value: str) -> bool:
        """Whether the row repeats an id and is to be left out; an error where that is not allowed."""
        first = self._row_of.setdefault(value, row)
        if first != row and self._duplicates == "error":
            raise ValidationError(
                f"{self._path}: row {row} repeats {self._column} {value} (first seen in row {first});"
                " remove one or set data.duplicates: keep_first"
            )
        return first != row


def _listed(names: Sequence[str]) -> str:
    return ",".join(names)


def _rows(path: Path, columns: Sequence[str]) -> Iterator[tuple[int, list[str]]]:
    """Give (row, stripped cells of ``columns``); rows count as in a spreadsheet, the header being row 1."""
    csv.field_size_limit(sys.maxsize if sys.maxsize < 2**31 else 2**31 - 1)  # the default refuses long articles
    row = 1
    with _open_text(path) as stream:
        try:
            if kind := no_csv(cast("BufferedReader", stream.buffer).peek(_HEAD_BYTES)[:_HEAD_BYTES]):
                raise SourceError(f"{path}: is {kind}")
            reader = csv.reader(stream, strict=True)
            header = [name.strip() for name in next(reader, [])]
            positions = _positions(path, header, columns)
            for row, cells in enumerate(reader, start=2):
                if not cells:
                    continue
                if len(cells) != len(header):
                    raise ValidationError(
                        f"{path}: row {row} has {len(cells)} cells but the header has {len(header)};"
                        " quote texts that hold a comma, a quote or a line break"
                    )
                yield row, [cells[position].strip() for position in positions]
        except UnicodeDecodeError as error:
            raise SourceError(
                f"{path}: not UTF-8 at or after row {row} (byte 0x{error.object[error.start]:02x});"
                " save the file as UTF-8"
            ) from error
        except csv.Error as error:
            commas = ", and that commas part the columns" if row == 1 else ""
            raise SourceError(
                f"{path}: not CSV at or after row {row} ({error}); check its quotes there{commas}"
            ) from error
        except (OSError, EOFError, zlib.error) as error:
            raise SourceError(
                f"{path}: unreadable at or after row {row} ({error}); copy or compress it again"
            ) from error


def _positions(path: Path, header: list[str], columns: Sequence[str]) -> list[int]:
    missing = [column for column in columns if column not in header]
    if missing:
        others = CORPUS_COLUMNS if columns == QUESTION_COLUMNS else QUESTION_COLUMNS
        raise SourceError(
            f"{path}: wrong columns, the header is {_listed(header)[:100] or 'empty'} and lacks {_listed(missing)};"
            f" {wrong_header(header, columns, others)}"
        )
    twice = [column for column in columns if header.count(column) > 1]
    if twice:
        raise SourceError(f"{path}: the header names {twice[0]} {header.count(twice[0])} times; remove all but one")
    return [header.index(column) for column in columns]


@contextmanager
def _open_text(path: Path) -> Iterator[io.TextIOWrapper]:
    """Open a plain or gzipped UTF-8 file, with or without a byte order mark; gzip is known by its first bytes."""
    try:
        stream = path.open("rb")
    except FileNotFoundError as error:
        raise SourceError(
            f"{path}: no such file; check the path in the configuration or on the command line"
        ) from error
    except OSError as error:
        raise SourceError(f"{path}: cannot be opened ({error.strerror or error}); give a readable CSV file") from error
    with stream:
        is_gzip = stream.peek(len(_GZIP_MAGIC))[: len(_GZIP_MAGIC)] == _GZIP_MAGIC
        content = cast("BinaryIO", gzip.GzipFile(fileobj=stream)) if is_gzip else stream
        yield io.TextIOWrapper(content, encoding="utf-8-sig", newline="")
