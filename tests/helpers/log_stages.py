"""Stages of Alloy's loki.process and Promtail's pipelines, run on lines: those that ours have, as documented."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Any

import jmespath
import re2
import yaml

from tests.helpers.alloy_syntax import Block, blocks_of

_ALLOY_NAMES = {"label_keep": "labelallow"}
_RFC3339_NANO = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d{1,9})?(Z|[+-]\d\d:\d\d)")


@dataclass
class Entry:
    """What Loki is sent of a line.

    Attributes:
        line: As it was read.
        labels: Of its stream.
        metadata: Structured metadata.
        timestamp: None stands for the time of reading.
        extracted: What stages hand on to each other; nothing of it is sent.
    """

    line: str
    labels: dict[str, str]
    metadata: dict[str, str] = field(default_factory=dict)
    timestamp: datetime | None = None
    extracted: dict[str, Any] = field(default_factory=dict, compare=False)


Stage = tuple[str, Mapping[str, Any]]
"""Promtail's name of it, and its options."""


def alloy_stages(path: Path) -> list[Stage]:
    """Of the one loki.process of a file."""
    (process,) = [block for block in blocks_of(path.read_text(encoding="utf-8")) if block.name == "loki.process"]
    return [_stage_of(block) for block in process.blocks]


def _stage_of(block: Block) -> Stage:
    name = block.name.removeprefix("stage.")
    assert name != block.name, block.name
    assert not block.blocks, f"{block.name} has blocks of its own"
    options: Any = block.attributes
    if name in {"labels", "structured_metadata", "label_keep"}:
        assert set(options) == {"values"}
        options = options["values"]
    return _ALLOY_NAMES.get(name, name), options


def promtail_stages(path: Path) -> list[list[Stage]]:
    """Of each job."""
    jobs = yaml.safe_load(path.read_text(encoding="utf-8"))["scrape_configs"]
    return [[(name, options) for one in job["pipeline_stages"] for name, options in one.items()] for job in jobs]


def run(stages: Iterable[Stage], line: str, labels: Mapping[str, str]) -> Entry | None:
    """What is sent of a line, or None if it is dropped.

    Args:
        stages: In order.
        line: Without its end.
        labels: That whoever read it gave it.
    """
    entry = Entry(line, dict(labels), extracted=dict(labels))
    for name, options in stages:
        if _STAGES[name](entry, options) is False:
            return None
    return entry


def _text(value: object) -> str | None:
    """As a label has it; None for what is no text, number or truth, which stages pass over."""
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, float) and value.is_integer():
        return str(int(value))
    return str(value) if isinstance(value, str | int | float) else None


def _json(entry: Entry, options: Mapping[str, Any]) -> None:
    _only(options, "expressions")
    try:
        said = json.loads(entry.line)
    except ValueError:
        return
    if isinstance(said, dict):
        for name, expression in options["expressions"].items():
            found = jmespath.search(expression or name, said)
            entry.extracted[name] = json.dumps(found) if isinstance(found, dict | list) else found


def _regex(entry: Entry, options: Mapping[str, Any]) -> None:
    _only(options, "source", "expression")
    value = _text(entry.extracted.get(options["source"]))
    if value is not None and (found := re2.search(options["expression"], value)):
        entry.extracted |= found.groupdict(default="")


def _drop(entry: Entry, options: Mapping[str, Any]) -> bool | None:
    _only(options, "source", "value", "expression", "drop_counter_reason")
    assert ("value" in options) is ("source" in options)
    assert ("value" in options) is not ("expression" in options)
    if "value" in options:
        return None if _text(entry.extracted.get(options["source"])) != options["value"] else False
    return False if re2.search(options["expression"], entry.line) else None


def _labels(entry: Entry, options: Mapping[str, str]) -> None:
    for name, source in options.items():
        if (value := _text(entry.extracted.get(source or name))) is not None:
            entry.labels[name] = value


def _structured_metadata(entry: Entry, options: Mapping[str, str]) -> None:
    for name, source in options.items():
        assert source not in entry.labels, "such a label would be moved"
        if (value := _text(entry.extracted.get(source or name))) is not None:
            entry.metadata[name] = value


def _labelallow(entry: Entry, names: Sequence[str]) -> None:
    entry.labels = {name: value for name, value in entry.labels.items() if name in names}


def _timestamp(entry: Entry, options: Mapping[str, Any]) -> None:
    _only(options, "source", "format", "action_on_failure")
    assert (options["format"], options["action_on_failure"]) == ("RFC3339Nano", "skip")
    value = _text(entry.extracted.get(options["source"])) or ""
    if _RFC3339_NANO.fullmatch(value):
        entry.timestamp = datetime.fromisoformat(value)


def _only(options: Mapping[str, Any], *known: str) -> None:
    assert set(options) <= set(known), f"this reader of stages knows no {set(options) - set(known)}"


_STAGES: dict[str, Callable[[Entry, Any], bool | None]] = {
    "json": _json,
    "regex": _regex,
    "drop": _drop,
    "labels": _labels,
    "structured_metadata": _structured_metadata,
    "labelallow": _labelallow,
    "timestamp": _timestamp,
}
