"""What a client is told of a payload that is not taken: the place, what is there, and what to send."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any, TypeVar

from pydantic import TypeAdapter, ValidationError

from deployment.api.field_types import TOLD, WRONG_TYPE, json_type
from deployment.errors import InvalidInput

Valid = TypeVar("Valid")
_LONGEST_PART, _LONGEST_MESSAGE, _MOST_PLACES = 60, 400, 5
_TYPES = {
    "string_type": "text",
    "int_type": "a whole number",
    "float_type": "a number",
    "float_parsing": "a number",
    "finite_number": "a number",
    "bool_type": "true or false",
    "list_type": "a list",
    "dict_type": "an object",
    "model_type": "an object",
    "model_attributes_type": "an object",
}
"""What is taken where a value has the wrong type, by pydantic's name of the error."""


def validated(adapter: TypeAdapter[Valid], values: object) -> Valid:
    """A payload as its schema has it.

    Raises:
        InvalidInput: If it is not; names what is wrong.
    """
    try:
        return adapter.validate_python(values)
    except ValidationError as error:
        raise invalid(error.errors(include_url=False)) from error


def invalid(errors: Sequence[Any]) -> InvalidInput:
    """What is told of pydantic's errors: a sentence about the first, and where the others are."""
    places = list(dict.fromkeys(place_of(error["loc"]) or "the body" for error in errors))
    told = f"{places[0]} {_problem(errors[0])}"[:_LONGEST_MESSAGE]
    if len(places) > 1:
        others = ", ".join(places[1 : _MOST_PLACES + 1])
        told += f" (wrong too: {others}{', and others' if len(places) > _MOST_PLACES + 1 else ''})"
    return InvalidInput(told)


def place_of(loc: Sequence[object]) -> str:
    """A place as a client knows it, such as ``documents.0.text``: without branches of unions and actions."""
    parts = [str(part)[:_LONGEST_PART] for part in loc if not str(part).startswith("<")]
    if parts and parts[0] == "body":
        parts = parts[1:]
    if len(parts) > 1 and parts[0] in _ACTIONS:
        parts = parts[1:]
    return ".".join(parts)


_ACTIONS = frozenset({"embed", "batch_embed", "search", "rerank", "score_pair", "batch_score"})


def _problem(error: Mapping[str, Any]) -> str:
    """What is wrong at the place of an error, and what to send; a sentence without its subject."""
    kind, given = error["type"], error.get("input")
    if kind == TOLD:
        return str(error["msg"])
    if kind == "int_type" and isinstance(given, float):
        return f"is {_short(given)}; send a whole number"
    if kind in _TYPES or kind == WRONG_TYPE:
        return f"is {json_type(given)}; send {_TYPES.get(kind, error['msg'])}"
    if kind == "string_too_short":
        return f"is empty; send text{', or leave it out' if _is_item(error['loc']) else ''}"
    sentence = _PROBLEMS.get(kind)
    return sentence(given, error.get("ctx") or {}) if sentence else f"is not right: {error['msg']}"


def _is_item(loc: Sequence[object]) -> bool:
    """Whether a place is that of an item in a list."""
    return place_of(loc).rpartition(".")[2].isdigit()


def _missing(given: Any, _: Mapping[str, Any]) -> str:  # noqa: ANN401 - whatever the client sent
    """With the names that are there, among which may be the one that was meant."""
    if given is None:
        return "is missing; send a JSON object"
    names = [str(name)[:_LONGEST_PART] for name in given][:_MOST_PLACES] if isinstance(given, dict) else []
    return f"is missing (there is {', '.join(names)}); add it" if names else "is missing; add it"


_PROBLEMS: dict[str, Callable[[Any, Mapping[str, Any]], str]] = {
    "missing": _missing,
    "extra_forbidden": lambda *_: "is not known here; leave it out, or see /openapi.json for what is taken",
    "string_too_long": lambda given, of: (
        f"has {len(given)} characters, at most {of['max_length']} are taken; cut it or split it"
    ),
    "too_short": lambda *_: "is an empty list; send at least one",
    "too_long": lambda given, of: (
        f"has {len(given)} items, at most {of['max_length']} are taken at once; send them in several requests"
    ),
    "greater_than_equal": lambda given, of: f"is {_short(given)}; send {of['ge']} or more",
    "less_than_equal": lambda given, of: f"is {_short(given)}; send {of['le']} or less",
    "literal_error": lambda given, of: f"is {_short(given)}; send {of['expected']}",
    "union_tag_invalid": lambda given, of: f"has {_named(given, _key(of))}; send one of {of['expected_tags']}",
    "union_tag_not_found": lambda _, of: f"has no {_key(of)}; add one, see /openapi.json for those there are",
}
"""Sentences by pydantic's name of the error, from the value and its context."""


def _short(given: object) -> str:
    return (
        repr(given)[:40] if isinstance(given, (str, int, float)) and not isinstance(given, bool) else json_type(given)
    )


def _named(given: Mapping[str, Any], key: str) -> str:
    return f"no {key}" if given[key] is None else f"{_short(given[key])} for {key}"


def _key(context: Mapping[str, Any]) -> str:
    return str(context["discriminator"]).strip("'")
