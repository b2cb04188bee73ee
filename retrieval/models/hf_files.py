"""JSON files of other libraries' model folders, read with one error for what is damaged."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from retrieval.errors import ModelError


def read_json(path: Path) -> Any:  # noqa: ANN401 - whatever the file holds
    """What a JSON file holds; None where there is no such file.

    Raises:
        ModelError: If it is not JSON.
    """
    if not path.is_file():
        return None
    try:
        return json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise ModelError(f"{path}: cannot be read as JSON ({error}); restore the file from where it came") from error


def read_object(path: Path) -> dict[str, Any]:
    """What a JSON file holds, an object; empty where there is no such file.

    Raises:
        ModelError: If it is not JSON or not an object.
    """
    values = read_json(path)
    if values is None:
        return {}
    if not isinstance(values, dict):
        raise ModelError(f"{path}: holds {type(values).__name__}, not an object; restore the file from where it came")
    return values


def section(values: Mapping[str, Any], name: str, path: Path) -> dict[str, Any]:
    """An object inside a file; empty where it is absent or null.

    Raises:
        ModelError: If it is something else.
    """
    found = values.get(name)
    if found is None:
        return {}
    if not isinstance(found, dict):
        raise ModelError(f"{path}: {name} is {found!r}, not an object; restore the file from where it came")
    return found


def refuse_others(given: Mapping[str, Any], harmless: frozenset[str], where: str) -> None:
    """Raise on the first setting that is set and not known to leave vectors and scores as they are.

    Args:
        given: Settings by name; null, false and empty ones say nothing.
        harmless: Names that are read elsewhere or change nothing.
        where: The file, and the section in it.

    Raises:
        ModelError: Names the setting.
    """
    for name, value in given.items():
        if name not in harmless and value not in (None, False, "", [], {}):
            raise ModelError(
                f"{where}: {name} is {value!r}, which this library does not do; give a model without it, or save the"
                " folder again with the setting applied"
            )
