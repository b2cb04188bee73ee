"""LogQL: parsed by Grafana's own grammar, and the few forms that our alerts have evaluated on entries."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

import re2

from tests.helpers.log_stages import Entry

FOUND = sorted((Path(__file__).parents[2] / ".cache").glob("lezer-logql-*"))
MISSING = (
    "" if FOUND and shutil.which("node") else "no parser of LogQL here; .ci/logql fetches it where npm and node are"
)
_SCRIPT = """
const { parser } = require("@grafana/lezer-logql");
const faults = JSON.parse(require("fs").readFileSync(0, "utf8")).map((text) => {
  const found = [];
  parser.parse(text).iterate({ enter: (node) => { if (node.type.isError) found.push(node.from); } });
  return found;
});
process.stdout.write(JSON.stringify(faults));
"""
_ALERT = re.compile(
    r"sum by \((?P<by>[a-z, ]+)\) \(count_over_time\((?P<query>.+) \[(?P<minutes>\d+)m\]\)\) > (?P<most>\d+)"
)
_MATCHER = re.compile(r'\s*,?\s*(\w+)(=~|!~|!=|=)"([^"]*)"')
_STAGE = re.compile(
    r'\s*(?:(?P<line>\|=|!=) "(?P<part>[^"]*)"|(?P<json>\| json)'
    r'|\| (?P<name>\w+) (?P<op>=~|!~|!=|=) "(?P<value>[^"]*)")'
)
_OPERATORS: dict[str, Callable[[str, str], bool]] = {
    "=": lambda value, wanted: value == wanted,
    "!=": lambda value, wanted: value != wanted,
    "=~": lambda value, wanted: re2.fullmatch(wanted, value) is not None,
    "!~": lambda value, wanted: re2.fullmatch(wanted, value) is None,
}


def faults(queries: Sequence[str]) -> list[list[int]]:
    """Where each query is no LogQL: offsets of the parser's error nodes."""
    done = subprocess.run(
        ["node", "-e", _SCRIPT], cwd=FOUND[-1], input=json.dumps(queries), capture_output=True, text=True, check=True
    )
    return json.loads(done.stdout)


@dataclass(frozen=True)
class LogAlert:
    """``sum by (...) (count_over_time(QUERY [WINDOW])) > MOST``; any other form is refused."""

    by: tuple[str, ...]
    query: str
    minutes: int
    most: int

    @classmethod
    def read(cls, expression: str) -> LogAlert:
        found = _ALERT.fullmatch(expression)
        assert found, expression
        by = tuple(name.strip() for name in found["by"].split(","))
        return cls(by, found["query"], int(found["minutes"]), int(found["most"]))

    def firing(self, entries: Iterable[Entry]) -> dict[tuple[str, ...], int]:
        """Count by the labels that are kept, where it is above the limit; all entries are of one window."""
        counts = Counter(tuple(one.labels.get(name, "") for name in self.by) for one in entries if self.takes(one))
        return {labels: count for labels, count in counts.items() if count > self.most}

    def takes(self, entry: Entry) -> bool:
        """Whether an entry is counted."""
        selector, _, stages = self.query.removeprefix("{").partition("}")
        matchers = _MATCHER.findall(selector)
        assert "".join(f'{name}{op}"{value}"' for name, op, value in matchers) == selector.replace(", ", "")
        if not all(_OPERATORS[op](entry.labels.get(name, ""), value) for name, op, value in matchers):
            return False
        labels, at = {**entry.labels, **entry.metadata}, 0
        while at < len(stages):
            found = _STAGE.match(stages, at)
            assert found, stages[at:]
            at = found.end()
            if found["line"] and (found["part"] in entry.line) is not (found["line"] == "|="):
                return False
            if found["json"]:
                labels |= _read(entry.line, labels)
            if found["name"] and not _OPERATORS[found["op"]](labels.get(found["name"], ""), found["value"]):
                return False
        return True


def _read(line: str, labels: dict[str, str]) -> dict[str, str]:
    """Keys of a line as labels; one that there is already gets a name of its own."""
    try:
        said = json.loads(line)
    except ValueError:
        return {"__error__": "JSONParserErr"}
    return {f"{key}_extracted" if key in labels else key: str(value) for key, value in said.items()}
