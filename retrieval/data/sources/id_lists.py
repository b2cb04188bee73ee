"""Lists of article ids as a cell of a file holds them: JSON, and what Python, numpy and pandas print."""

from __future__ import annotations

import ast
import json
import re
from collections.abc import Callable

_ITEM = r"-?\d+|\"[^\"]+\"|'[^']+'"
_LIST = re.compile(rf"\[\s*(?:(?:{_ITEM})(?:(?:\s*,\s*|\s+)(?:{_ITEM}))*)?\s*,?\s*\]")
_ITEMS = re.compile(_ITEM)
_ARRAY = re.compile(r"(?:np\.|numpy\.)?array\((\[.*\])(?:,\s*dtype=[^()]*)?\)", re.DOTALL)
_SCALAR = re.compile(r"(?:np\.|numpy\.)(?:u?int\d*|str_)\(([^()]*)\)")
_TUPLE = re.compile(r"\(([^()]*)\)")
_NOTHING = re.compile(r"\[?\s*(?:|nan|none|null|na|n/a|<na>)\s*\]?", re.IGNORECASE)
"""What a cell of no list is, as pandas and spreadsheets print it."""
_DECIMAL = re.compile(r"\[\s*-?\d+\.\d*(?:\s*,?\s+-?\d+\.\d*)*\s*\]")


def parse_cids(cell: str) -> tuple[str, ...]:
    """Read a list of article ids, each once: ``[37]``, ``[37, 40]``, ``["91/2015/QH13:8"]``, ``(37, 40)``.

    Also as numpy prints it: ``[37 40]``, ``array([37, 40])``, ``[np.int64(37)]``.

    Raises:
        ValueError: If the cell is not such a list; says what it is, where that is known.
    """
    plain = _SCALAR.sub(r"\1", cell.strip())
    array, pair = _ARRAY.fullmatch(plain), _TUPLE.fullmatch(plain)
    plain = array[1] if array else f"[{pair[1]}]" if pair else plain
    try:
        items = json.loads(plain)
    except ValueError:
        items = _printed(plain)
    if not isinstance(items, list) or not all(type(item) in (int, str) for item in items):
        raise ValueError(_fault(cell)) from None
    return tuple(dict.fromkeys(str(item).strip() for item in items))


def _printed(text: str) -> object:
    """A list as Python or numpy prints it; None where it is none."""
    if _LIST.fullmatch(text):
        return [item.strip("\"'") for item in _ITEMS.findall(text)]
    if "\\" not in text:  # only escapes need more than a pattern
        return None
    try:
        return ast.literal_eval(text)
    except (ValueError, SyntaxError):
        return None


def _fault(cell: str) -> str:
    return f"{cell[:60]!r} is not a list of article ids" + next(
        (why for test, why in _FAULTS if test(cell.strip())), ""
    )


def _is_bare(cell: str) -> bool:
    return cell.startswith("[") and cell.endswith("]") and not any(quote in cell for quote in "\"'")


_FAULTS: tuple[tuple[Callable[[str], object], str], ...] = (
    (_NOTHING.fullmatch, " but no answer, so name an article or remove the row"),
    (
        lambda cell: "..." in cell or "…" in cell,
        ": it was cut short when it was printed, so write lists with json.dumps",
    ),
    (
        _DECIMAL.fullmatch,
        " but of decimal numbers, as pandas makes of a column with gaps; write them without .0",
    ),
    (
        lambda cell: any(quote in cell for quote in "“”‘’„«»"),
        ": its quotation marks are those of a text; write straight ones",
    ),
    (lambda cell: "[[" in cell.replace(" ", ""), " but a list inside a list; write one list"),
    (lambda cell: ";" in cell or "|" in cell, ": commas part its ids"),
    (_is_bare, ": ids that are no whole numbers stand in quotes"),
)
