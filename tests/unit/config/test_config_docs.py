"""The page of configuration keys: as the schema says, complete and readable."""

from __future__ import annotations

from pathlib import Path

import pytest

from retrieval.config.docs import PAGE, Kind, main, page, unit, worded
from retrieval.config.file import REMOVED_KEYS, RENAMED_KEYS, leaves
from retrieval.config.schema import Config

ROWS = {cells[0].strip("`"): cells for cells in (
    [cell.strip() for cell in line.strip("|").split("|")] for line in page().splitlines() if line.startswith("| `")
)}  # fmt: skip


def test_the_page_is_as_the_schema_says() -> None:
    assert PAGE.read_text(encoding="utf-8") == page(), "write it again with python -m retrieval.config.docs"


def test_every_key_has_a_row_with_type_default_and_meaning() -> None:
    keys = [key for key, _ in leaves(Config)]
    assert set(ROWS) == {*keys, *RENAMED_KEYS, *REMOVED_KEYS}
    for key in keys:
        assert len(ROWS[key]) == 5, key
        _, kind, default, _, meaning = ROWS[key]
        assert kind, key
        assert default, key
        assert meaning, key


def test_every_whole_number_but_the_seed_has_a_unit() -> None:
    assert [key for key, cells in ROWS.items() if "integer" in cells[1] and not cells[3]] == ["seed"]


@pytest.mark.parametrize(
    ("key", "cells"),
    [
        ("bi_encoder.training.epochs", ["integer, above 0", "`2`", "epochs"]),
        ("cross_encoder.training.epochs", ["integer, above 0", "`1`", "epochs"]),  # a default of its own
        ("data.source", ["`bundled`, `csv`", "`bundled`", ""]),
        ("data.corpus", ["path or null", "`null`", ""]),
        ("data.path_queries", ["true or false", "`true`", ""]),
        ("search.rerank_depths", ["list, not empty, of: integer, above 0", "`[5, 10, 20]`", "articles"]),
        ("gates.max_p_value", ["number, 0 to 1", "`0.05`", ""]),
        ("tracking.system_metrics_seconds", ["number, at least 0", "`10.0`", "seconds"]),
        ("orchestration.schedule", ["text", '`""`', "cron, UTC"]),
    ],
)
def test_a_row_tells_type_default_and_unit(key: str, cells: list[str]) -> None:
    assert ROWS[key][1:4] == cells


@pytest.mark.parametrize(
    ("kind", "expected"),
    [
        ({"type": "number"}, "number"),
        ({"anyOf": [{"type": "integer", "exclusiveMinimum": 0}, {"type": "null"}]}, "integer, above 0 or null"),
        ({"enum": ["a", "b"], "type": "string"}, "`a`, `b`"),
        ({"type": "array", "items": {"type": "string"}}, "list of: text"),
    ],
)
def test_a_schema_is_put_into_words(kind: Kind, expected: str) -> None:
    assert worded(kind) == expected


def test_a_flag_whose_name_ends_in_a_unit_has_none() -> None:
    assert unit("max_tokens", {"type": "integer"}) == "tokens"
    assert unit("path_queries", {"type": "boolean"}) == ""


def test_the_check_fails_on_an_old_or_missing_page_and_says_how_to_mend_it(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "docs/configuration.md"
    remedy = "write it again with python -m retrieval.config.docs"
    assert main(["--check"], path) == 1
    assert capsys.readouterr().err == f"{path}: is not there; {remedy}\n"
    assert main([], path) == 0
    assert main(["--check"], path) == 0
    path.write_text(page().replace("`seed`", "`sead`"), encoding="utf-8")
    assert main(["--check"], path) == 1
    assert capsys.readouterr().err == f"{path}: is not what the schema says; {remedy}\n"
