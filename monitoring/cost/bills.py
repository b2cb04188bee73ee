"""Reads a provider's bill, or our own worker-seconds, from JSON or CSV; an error names file, row and column."""

from __future__ import annotations

import csv
import io
import json
import math
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any

from monitoring.cost import bill_columns as columns
from retrieval.errors import ConfigError

_NUMBER = re.compile(r"[-+]?(\d{1,3}(,\d{3})+|\d+)?(\.\d+)?([eE][-+]?\d+)?")
_LONGEST_BUCKET = timedelta(days=1)


@dataclass(frozen=True)
class BilledRow:
    """A row of a bill.

    Attributes:
        endpoint: As the bill has it.
        day: In UTC.
        usd: Dollars of compute: without disk and fees, which worker-seconds do not explain.
        seconds: Of workers; None where the bill does not say.
        machine: As the bill has it; empty where it does not say.
        other_usd: Dollars of disk and fees.
    """

    endpoint: str
    day: date
    usd: float
    seconds: float | None = None
    machine: str = ""
    other_usd: float = 0.0


def read_bill(path: Path) -> list[BilledRow]:
    """Rows of a bill.

    Args:
        path: JSON as RunPod's API gives it, or CSV; with or without a byte order mark.

    Raises:
        ConfigError: If it cannot be read, is empty, lacks a column, or a value is none; naming row and column.
    """
    try:
        text = path.read_text(encoding="utf-8-sig")
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigError(f"{path}: cannot be read ({error}); give a JSON or CSV file in UTF-8") from error
    if not text.strip():
        raise ConfigError(f"{path}: is empty; export the bill again")
    rows = list(_of_json(path, text) if text.lstrip()[:1] in "[{" else _of_csv(path, text))
    if not rows:
        raise ConfigError(f"{path}: has no rows; export a period in which something ran")
    return [_billed(place, row, found) for place, row, found in rows]


Numbered = tuple[str, Mapping[str, Any], Mapping[str, str]]
"""Where a row stands, the row, and which of its columns is which."""


def _of_json(path: Path, text: str) -> Iterator[Numbered]:
    try:
        said = json.loads(text)
    except json.JSONDecodeError as error:
        raise ConfigError(
            f"{path}: line {error.lineno}: is no JSON ({error.msg}); save the API's answer whole"
        ) from error
    records = said.get("records") if isinstance(said, dict) else said
    if not isinstance(records, list):
        raise ConfigError(
            f"{path}: got an object with {', '.join(map(repr, said)) or 'nothing'}; need 'records', as"
            " GET /v2/billing/serverless answers, or a list"
        )
    for number, record in enumerate(records, start=1):
        place = f"{path}: record {number}"
        if not isinstance(record, dict):
            raise ConfigError(f"{place}: got {record!r}; need an object")
        yield place, record, _known(place, record)


def _of_csv(path: Path, text: str) -> Iterator[Numbered]:
    head = text.splitlines()[0]
    reader = csv.DictReader(io.StringIO(text, newline=""), delimiter=max(",;\t", key=head.count), strict=True)
    known = _known(str(path), [name.strip() for name in reader.fieldnames or ()])
    reader.fieldnames = [name.strip() for name in reader.fieldnames or ()]
    try:
        for row in reader:
            place = f"{path}: row {reader.line_num}"
            if None in row or None in row.values():
                raise ConfigError(f"{place}: has more or fewer values than the {len(known)} columns; mend it")
            if any(row.values()):
                yield place, row, known
    except csv.Error as error:
        raise ConfigError(f"{path}: after row {reader.line_num}: is no CSV ({error}); export it again") from error


def _known(place: str, header: Sequence[str] | Mapping[str, Any]) -> dict[str, str]:
    found = columns.columns_of(header)
    lacking = [name for name in (columns.ENDPOINT, columns.DAY) if name not in found]
    if not any(name in found for name in (columns.TOTAL, columns.GPU, columns.CPU)):
        lacking.append(columns.TOTAL)
    if lacking:
        wanted = "; ".join(f"{name} ({', '.join(columns.NAMES[name])})" for name in lacking)
        raise ConfigError(f"{place}: has {', '.join(header) or 'no columns'}; lacks {wanted}")
    return found


def _billed(place: str, row: Mapping[str, Any], found: Mapping[str, str]) -> BilledRow:
    def value(name: str) -> Any:  # noqa: ANN401 - whatever the file holds
        return row.get(found[name], "") if name in found else ""

    def where(name: str) -> str:
        return f"{place}, column {found[name]}"

    endpoint = str(value(columns.ENDPOINT) or "").strip()
    if not endpoint:
        raise ConfigError(f"{where(columns.ENDPOINT)}: is empty; name the endpoint, or remove the row")
    currency = str(value(columns.CURRENCY) or "USD").strip().upper()
    if currency not in {"USD", "$", "US$"}:
        raise ConfigError(f"{where(columns.CURRENCY)}: got {currency!r}; export the bill in USD")
    amounts = {name: _number(where(name), value(name)) for name in columns.AMOUNTS if name in found}
    usd, other = _compute(amounts)
    unit = next((name for name in columns.SECONDS_OF if name in found and value(name) not in {"", None}), None)
    seconds = _number(where(unit), value(unit)) * columns.SECONDS_OF[unit] if unit else None
    day = _day(place, value(columns.DAY), where(columns.DAY), value(columns.END))
    return BilledRow(endpoint, day, usd, seconds, str(value(columns.MACHINE) or "").strip(), other)


def _compute(amounts: Mapping[str, float]) -> tuple[float, float]:
    """Dollars of compute, and of the rest."""
    rest = amounts.get(columns.DISK, 0.0) + amounts.get(columns.FEE, 0.0)
    parts = [amounts[name] for name in (columns.GPU, columns.CPU) if name in amounts]
    return (sum(parts), rest) if parts else (max(0.0, amounts[columns.TOTAL] - rest), rest)


def _number(where: str, value: object) -> float:
    text = str(value).strip().removeprefix("US").removeprefix("$").removesuffix("USD").strip()
    if text.startswith("-") or (text.startswith("(") and text.endswith(")")):
        raise ConfigError(f"{where}: got {value!r}; a bill has no negative amounts: take credits and refunds out")
    if (
        isinstance(value, bool)
        or not text
        or not _NUMBER.fullmatch(text)
        or not math.isfinite(float(text.replace(",", "")))
    ):
        raise ConfigError(f"{where}: got {value!r}; need a number, in dollars where it is an amount")
    return float(text.replace(",", ""))


def _day(place: str, value: object, where: str, end: object) -> date:
    began = _moment(where, value)
    if end and _moment(place, end) - began > _LONGEST_BUCKET:
        raise ConfigError(f"{place}: covers {_moment(place, end) - began}; export with bucketSize=day or hour")
    return began.date()


def _moment(where: str, value: object) -> datetime:
    try:
        found = datetime.fromisoformat(str(value).strip().replace(" UTC", "Z"))
    except ValueError as error:
        raise ConfigError(f"{where}: got {value!r}; need a date such as 2026-11-30 or 2026-11-30T00:00:00Z") from error
    return found.replace(tzinfo=UTC) if found.tzinfo is None else found.astimezone(UTC)
