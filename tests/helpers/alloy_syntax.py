"""Alloy's syntax, as its documentation has it: blocks, attributes and values, with the line ends that it wants."""

from __future__ import annotations

import json
import re
from dataclasses import dataclass, field
from typing import Any

_TOKEN = re.compile(
    r"""(?P<space>[ \t\r]+|//[^\n]*)|(?P<end>\n)|(?P<string>"(?:[^"\\\n]|\\.)*")|(?P<raw>`[^`]*`)"""
    r"""|(?P<number>\d+(?:\.\d+)?)|(?P<name>[A-Za-z_]\w*)|(?P<mark>[{}\[\]()=,.])"""
)
_ENDS_A_LINE = frozenset({"string", "raw", "number", "name"})
_CONSTANTS: dict[str, Any] = {"true": True, "false": False, "null": None}


@dataclass(frozen=True)
class Reference:
    """A value of another component, such as ``loki.write.loki.receiver``."""

    path: str


@dataclass
class Block:
    """``name "label" { ... }``."""

    name: str
    label: str = ""
    attributes: dict[str, Any] = field(default_factory=dict)
    blocks: list[Block] = field(default_factory=list)


class AlloySyntaxError(ValueError):
    """What was expected, and at which line."""


def blocks_of(text: str) -> list[Block]:
    """The blocks of a file.

    Raises:
        AlloySyntaxError: If it is not Alloy's syntax.
    """
    reader = _Reader(text)
    body = Block("")
    reader.body(body, "eof")
    if body.attributes:
        raise AlloySyntaxError(f"attributes outside of blocks: {sorted(body.attributes)}")
    return body.blocks


def references(value: Any) -> list[Reference]:
    """Those in a value, a block or a list of blocks."""
    if isinstance(value, Reference):
        return [value]
    if isinstance(value, Block):
        return references([*value.attributes.values(), *value.blocks])
    inner = value.values() if isinstance(value, dict) else value if isinstance(value, list) else []
    return [found for one in inner for found in references(one)]


def _tokens(text: str) -> list[tuple[str, str, int]]:
    """Kind, text and line; a line end counts only where it ends something, as in Go."""
    found: list[tuple[str, str, int]] = []
    at, line = 0, 1
    while at < len(text):
        token = _TOKEN.match(text, at)
        if token is None:
            raise AlloySyntaxError(f"line {line}: {text[at : at + 20]!r} begins nothing that Alloy knows")
        kind, said = str(token.lastgroup), token[0]
        if kind == "end" and found and (found[-1][0] in _ENDS_A_LINE or found[-1][1] in {"}", "]", ")"}):
            found.append(("end", "the line's end", line))
        elif kind not in {"space", "end"}:
            found.append((kind, said, line))
        at, line = token.end(), line + said.count("\n")
    return [*found, ("end", "the line's end", line), ("eof", "the file's end", line)]


class _Reader:
    def __init__(self, text: str) -> None:
        self._tokens, self._at = _tokens(text), 0

    def body(self, into: Block, closing: str) -> None:
        """Attributes and blocks until the closing mark, which is taken."""
        while not self._takes(closing):
            if self._takes("end"):
                continue
            name = self._name()
            if self._takes("="):
                if name in into.attributes:
                    self._fail(f"one {name} only")
                into.attributes[name] = self._value()
            else:
                into.blocks.append(self._block(name))
            if self._kind() != "end" and self._said() != closing:
                self._fail("a new line")

    def _block(self, name: str) -> Block:
        while self._takes("."):
            name += f".{self._name()}"
        made = Block(name)
        if self._kind() == "string":
            made.label = json.loads(self._next())
        self._expect("{")
        self.body(made, "}")
        return made

    def _value(self) -> Any:
        kind = self._kind()
        if kind == "string":
            return json.loads(self._next())
        if kind == "raw":
            return self._next()[1:-1]
        if kind == "number":
            return float(self._next())
        if kind == "name":
            return self._named()
        if self._takes("["):
            return self._until("]", self._value)
        self._expect("{")
        pairs = self._until("}", self._pair)
        if len(pairs) != len(dict(pairs)):
            self._fail("each key once")
        return dict(pairs)

    def _named(self) -> Any:
        path = self._name()
        if path in _CONSTANTS:
            return _CONSTANTS[path]
        while self._takes("."):
            path += f".{self._name()}"
        return Reference(path)

    def _pair(self) -> tuple[str, Any]:
        key = json.loads(self._next()) if self._kind() == "string" else self._name()
        self._expect("=")
        return key, self._value()

    def _until(self, closing: str, read: Any) -> list[Any]:
        found = []
        while not self._takes(closing):
            found.append(read())
            if not self._takes(","):  # after the last one too, where the closing mark stands on a line of its own
                self._expect(closing)
                break
        return found

    def _kind(self) -> str:
        return self._tokens[self._at][0]

    def _said(self) -> str:
        return self._tokens[self._at][1]

    def _next(self) -> str:
        self._at += 1
        return self._tokens[self._at - 1][1]

    def _name(self) -> str:
        if self._kind() != "name":
            self._fail("a name")
        return self._next()

    def _takes(self, wanted: str) -> bool:
        kind, said, _ = self._tokens[self._at]
        taken = kind == wanted or (kind == "mark" and said == wanted)
        self._at += taken
        return taken

    def _expect(self, mark: str) -> None:
        if not self._takes(mark):
            self._fail(repr(mark))

    def _fail(self, wanted: str) -> None:
        _, said, line = self._tokens[self._at]
        raise AlloySyntaxError(f"line {line}: {wanted} is expected, not {said!r}")
