"""What payloads are made of: texts, counts, null for absent, and one branch of a union for each type that JSON has."""

from __future__ import annotations

from collections.abc import Mapping
from functools import cache
from typing import Annotated, Any

from pydantic import (
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Discriminator,
    Field,
    GetCoreSchemaHandler,
    GetJsonSchemaHandler,
    JsonValue,
    StringConstraints,
    Tag,
    model_validator,
)
from pydantic.json_schema import JsonSchemaValue
from pydantic_core import CoreSchema, PydanticCustomError, PydanticUndefined, core_schema

from retrieval.data.cleaning import has_text

MAX_TEXT_CHARACTERS = 20_000
MAX_TEXTS = 2_048
MAX_DOCUMENTS = 2_048
MAX_TOP_K = 100
TOLD, WRONG_TYPE = "told", "wrong_type"
"""Types of errors whose message is the sentence itself after its place, or what type is taken."""
HIDDEN: dict[str, JsonValue] = {"hidden": True}
"""Extra of a field's schema that leaves it out of the OpenAPI document."""
_OUTSIDE = ("title", "description", "default")  # keywords that belong to a property, not to a branch of its type


def wrong(sentence: str, **values: object) -> PydanticCustomError:
    """An error to raise in a validator.

    Args:
        sentence: What is wrong and what to send, to be read after the place of the value: ``is empty; send text``.
        **values: For ``{names}`` in the sentence.
    """
    return PydanticCustomError(TOLD, sentence, values or None)


class _Readable:
    """Annotation of text that must hold a letter or digit, by the same rule as training data."""

    def __get_pydantic_core_schema__(self, source: object, handler: GetCoreSchemaHandler) -> CoreSchema:
        """The text's own rules, then this one."""
        return core_schema.no_info_after_validator_function(_readable, handler(source))

    def __get_pydantic_json_schema__(self, schema: CoreSchema, handler: GetJsonSchemaHandler) -> JsonSchemaValue:
        """The rule as a pattern."""
        return {**handler(schema), "pattern": r"[\p{L}\p{N}]"}


def _readable(text: str) -> str:
    if not has_text(text):
        raise wrong("holds no letter or digit; send text that says something")
    return text


READABLE = _Readable()
Text = Annotated[str, StringConstraints(min_length=1, max_length=MAX_TEXT_CHARACTERS)]
"""What is embedded or scored among others: anything but nothing."""
ReadableText = Annotated[Text, READABLE]
"""What stands for itself, such as a question."""


def json_type(value: object) -> str:
    """The type that a value has in JSON, as people call it."""
    if value is None:
        return "null"
    kinds = {str: "text", bool: "true or false", int: "a number", float: "a number", list: "a list", tuple: "a list"}
    return kinds.get(type(value), "an object")


def tag_of(value: object) -> str:
    """Tag of the branch for a value's type; brackets tell tags from names where an error says its place."""
    return f"<{json_type(value)}>"


def by_json_type(taken: str) -> Discriminator:
    """A union whose branch is chosen by the JSON type alone, so that errors come from the branch that fits.

    Args:
        taken: What is taken, for the error of a type that has no branch.
    """
    return Discriminator(tag_of, custom_error_type=WRONG_TYPE, custom_error_message=taken)


TEXT, NUMBER, LIST, OBJECT = Tag("<text>"), Tag("<a number>"), Tag("<a list>"), Tag("<an object>")


def _whole(value: Any) -> Any:  # noqa: ANN401 - whatever the client sent
    """JSON Schema's integer: 3 and 3.0, but not "3" or true."""
    return int(value) if isinstance(value, float) and value.is_integer() else value


WHOLE = BeforeValidator(_whole)
TopK = Annotated[int, Field(strict=True, ge=1, le=MAX_TOP_K, description="Articles at most."), WHOLE]
TopN = Annotated[int, Field(strict=True, ge=1, description="Documents at most."), WHOLE]
Name = Annotated[str, StringConstraints(max_length=256)]
Identifier = Annotated[
    Annotated[Name, TEXT] | Annotated[Annotated[int, Field(strict=True, ge=-(2**53), le=2**53), WHOLE], NUMBER],
    by_json_type("text or a whole number"),
]


class Payload(BaseModel):
    """Base of everything a client sends: null is as good as absent, and unknown keys are refused."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    @model_validator(mode="before")
    @classmethod
    def _null_is_absent(cls, values: Any) -> Any:  # noqa: ANN401 - whatever the client sent
        if not isinstance(values, Mapping):
            return values
        optional = _not_null(cls)
        return {name: value for name, value in values.items() if value is not None or name not in optional}

    @classmethod
    def __get_pydantic_json_schema__(cls, schema: CoreSchema, handler: GetJsonSchemaHandler) -> JsonSchemaValue:
        """Null beside the type of every field that has a default; without fields that are hidden."""
        made = handler(schema)
        properties = handler.resolve_ref_schema(made)["properties"]
        for name in [name for name, one in properties.items() if "hidden" in one]:
            del properties[name]
        for name in _not_null(cls) & properties.keys():
            outside = {key: properties[name].pop(key) for key in _OUTSIDE if key in properties[name]}
            properties[name] = {"anyOf": [properties[name], {"type": "null"}], **outside}
        return made


@cache
def _not_null(kind: type[BaseModel]) -> frozenset[str]:
    """Names of fields that have a default, and not null for it."""
    absent = (None, PydanticUndefined)
    fields = kind.model_fields.items()
    return frozenset(name for name, one in fields if one.default_factory or one.default not in absent)
