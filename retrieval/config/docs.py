"""Writes docs/configuration.md from the schema: ``python -m retrieval.config.docs``; ``--check`` only compares."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from pydantic import BaseModel

from retrieval.config.file import REMOVED_KEYS, RENAMED_KEYS
from retrieval.config.schema import Config

PAGE = Path(__file__).resolve().parents[2] / "docs/configuration.md"
COMMAND = "python -m retrieval.config.docs"
UNITS = {
    "articles": "articles", "epochs": "epochs", "layers": "layers", "queries": "queries", "questions": "questions",
    "samples": "resamples", "seconds": "seconds", "steps": "optimiser steps", "tokens": "tokens",
}  # fmt: skip
"""Unit of a number by the last word of its key."""
OWN_UNITS = {
    "threads": "threads", "workers": "processes", "neighbours": "articles", "token_budget": "tokens",
    "hard_negatives": "articles",
    "negatives": "articles", "first_rank": "rank", "last_rank": "rank", "candidates": "articles",
    "rerank_depths": "articles", "cutoffs": "rank", "failed_cases": "queries", "bm25_title_count": "times",
    "retries": "times", "max_score": "cosine", "absolute_margin": "cosine", "schedule": "cron, UTC",
}  # fmt: skip
"""Unit of a number whose key does not end in it."""
Kind = Mapping[str, Any]
"""JSON schema of one key."""
_NAMES = {
    "boolean": "true or false", "integer": "integer", "number": "number", "string": "text", "path": "path",
    "null": "null",
}  # fmt: skip
_PREFACE = f"""\
<!-- Made by `{COMMAND}` from retrieval/config/{{schema,models}}.py; change those and run it again. -->

# Configuration

`python run.py --pipeline NAME` reads one YAML file of the keys below, given with `--config FILE`; a key that is left
out has its default, and an unknown key is refused with the nearest known one. `--set KEY=VALUE` overrides a key of the
file and may be repeated: `--set bi_encoder.training.epochs=3 --set data.laws=45/2019/QH14,91/2015/QH13`. A list may be
written `a,b`; `null` stands for nothing.

A file may take what it does not set from another one, named from its own folder. Sections are joined key by key; a list
is taken whole.

```yaml
extends: quickstart.yaml
name: my-own
bi_encoder:
  training: {{epochs: 3}}
```

Without `--config`, the machine decides between two files and the choice is printed: `configs/quickstart-bf16.yaml`
where it multiplies in bfloat16 (AMX or AVX-512 BF16, BF16 on ARM, a GPU that can) or `precision=bfloat16` is set, else
`configs/quickstart.yaml`. It is the machine where `run.py` is typed that decides, also where the steps run on another;
name the file where that matters.
"""


def page() -> str:
    """The whole page, Markdown."""
    tables = [_table(path, section) for path, section in _sections(Config(), "")]
    return "\n".join([_PREFACE, *tables, *_old_keys()])


def _sections(section: BaseModel, path: str) -> Iterator[tuple[str, BaseModel]]:
    """Every section with its dotted path, each before those inside it; its values are the defaults where it stands."""
    yield path, section
    for name in type(section).model_fields:
        value = getattr(section, name)
        if isinstance(value, BaseModel):
            yield from _sections(value, f"{path}.{name}".lstrip("."))


def _table(path: str, section: BaseModel) -> str:
    heading = f"## `{path}`" if path else "## Every run"
    intro = (type(section).__doc__ or "").splitlines()[0]
    rows = [
        f"| `{f'{path}.{name}'.lstrip('.')}` | {worded(kind)} | {_shown(getattr(section, name))} | {unit(name, kind)}"
        f" | {kind.get('description', '')} |"
        for name, kind in type(section).model_json_schema()["properties"].items()
        if not isinstance(getattr(section, name), BaseModel)
    ]
    head = ["| key | type | default | unit | meaning |", "|---|---|---|---|---|"]
    return "\n".join([heading, "", intro, "", *head, *rows, ""])


def unit(name: str, kind: Kind) -> str:
    """What a key counts; empty where it is no quantity.

    Args:
        name: Last part of the key.
        kind: Its JSON schema.
    """
    if name in OWN_UNITS:
        return OWN_UNITS[name]
    number = any(one.get("type") in {"integer", "number"} for one in kind.get("anyOf", [kind]))
    return UNITS.get(name.rpartition("_")[2], "") if number else ""


def worded(kind: Kind) -> str:
    """A JSON schema in words: ``integer, at least 0``, ``list of: number``, the choices of an enumeration."""
    if "anyOf" in kind:
        return " or ".join(worded(one) for one in kind["anyOf"])
    if "enum" in kind:
        return ", ".join(f"`{choice}`" for choice in kind["enum"])
    if kind["type"] == "array":
        return f"list{', not empty,' if kind.get('minItems') else ''} of: {worded(kind['items'])}"
    name = _NAMES.get(kind.get("format", ""), _NAMES[kind["type"]])
    if "maximum" in kind:
        return f"{name}, {kind['minimum']:g} to {kind['maximum']:g}"
    if "exclusiveMinimum" in kind:
        return f"{name}, above {kind['exclusiveMinimum']:g}"
    return f"{name}, at least {kind['minimum']:g}" if "minimum" in kind else name


def _shown(value: object) -> str:
    """A default as it would be written in YAML."""
    if value is None:
        return "`null`"
    if isinstance(value, bool):
        return f"`{str(value).lower()}`"
    if isinstance(value, tuple):
        return f"`[{', '.join(str(part) for part in value)}]`"
    return f"`{value}`" if str(value) else '`""`'


def _old_keys() -> list[str]:
    """A last section on keys of earlier versions; none where there are none."""
    rows = [f"| `{old}` | now called `{new}` |" for old, new in RENAMED_KEYS.items()]
    rows += [f"| `{old}` | {instead} |" for old, instead in REMOVED_KEYS.items()]
    head = ["## Keys of earlier versions", "", "| key | what to do |", "|---|---|"]
    return [*head, *rows, ""] if rows else []


def main(argv: Sequence[str] | None = None, path: Path = PAGE) -> int:
    """Write the page, or compare it; 1 if it is to be written again."""
    parser = argparse.ArgumentParser(prog=COMMAND, description=__doc__)
    parser.add_argument(
        "--check", action="store_true", help="write nothing; exit 1 if the page is not as the schema says"
    )
    if not parser.parse_args(argv).check:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(page(), encoding="utf-8")
        return 0
    if path.is_file() and path.read_text(encoding="utf-8") == page():
        return 0
    state = "is not what the schema says" if path.is_file() else "is not there"
    sys.stderr.write(f"{path}: {state}; write it again with {COMMAND}\n")
    return 1


if __name__ == "__main__":
    sys.exit(main())
