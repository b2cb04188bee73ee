"""YAML as people read it: expressions of several lines stay such, and a comment says where the file comes from."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import yaml


class _Dumper(yaml.SafeDumper):
    """Text of several lines as a block, lists indented below their key."""

    def increase_indent(self, flow: bool = False, indentless: bool = False) -> None:
        del indentless
        super().increase_indent(flow, False)


def _text(dumper: yaml.SafeDumper, text: str) -> yaml.ScalarNode:
    return dumper.represent_scalar("tag:yaml.org,2002:str", text, style="|" if "\n" in text else None)


_Dumper.add_representer(str, _text)


def written(comments: Sequence[str], contents: Any) -> str:  # noqa: ANN401 - whatever YAML takes
    """A file's text.

    Args:
        comments: Its first lines.
        contents: Of dicts, lists and scalars.
    """
    above = "".join(f"# {line}\n" for line in comments)
    return above + yaml.dump(contents, Dumper=_Dumper, sort_keys=False, allow_unicode=True, width=1_000_000)
