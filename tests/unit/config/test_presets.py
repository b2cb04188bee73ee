"""The shipped quickstarts: how they differ, and which one a machine takes."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from retrieval.config.file import load_config
from retrieval.config.presets import BFLOAT16, FLOAT32, choose_preset, load_preset
from retrieval.config.schema import Config

ROOT = Path(__file__).resolve().parents[3]


@pytest.fixture(autouse=True)
def _in_the_project(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(ROOT)


def flat(values: dict[str, Any], prefix: str = "") -> dict[str, object]:
    found: dict[str, object] = {}
    for name, value in values.items():
        found |= flat(value, f"{prefix}{name}.") if isinstance(value, dict) else {prefix + name: value}
    return found


def keys_of(config: Config) -> dict[str, object]:
    return flat(config.model_dump())


def test_the_quickstarts_differ_in_what_more_time_is_spent_on_and_in_nothing_else() -> None:
    usual, fast = keys_of(load_config(FLOAT32)), keys_of(load_config(BFLOAT16))
    assert {key: (usual[key], fast[key]) for key in usual if usual[key] != fast[key]} == {
        "name": ("quickstart", "quickstart-bf16"),
        "bi_encoder.training.epochs": (1, 2),
        "bi_encoder.training.freeze_layers": (10, 9),
        "cross_encoder.training_queries": (200, 2400),
        "cross_encoder.training.freeze_layers": (10, 9),
    }


@pytest.mark.parametrize(
    ("precision", "probed", "path", "reason"),
    [
        ("auto", True, BFLOAT16, "this machine multiplies in bfloat16"),
        ("auto", False, FLOAT32, "this machine has no bfloat16 arithmetic of its own"),
        ("bfloat16", False, BFLOAT16, "precision is set to bfloat16"),
        ("float32", True, FLOAT32, "precision is set to float32"),
    ],
)
def test_the_preset_follows_the_arithmetic_and_says_so(
    monkeypatch: pytest.MonkeyPatch, precision: str, probed: bool, path: Path, reason: str
) -> None:
    monkeypatch.setattr("retrieval.runtime.computes_fast_in_bfloat16", lambda: probed)
    assert str(choose_preset(precision)) == f"{path}, as {reason}; --config FILE takes another"
    config, preset = load_preset([f"precision={precision}", "seed=7"])
    assert (preset.path, config) == (path, load_config(path, [f"precision={precision}", "seed=7"]))


@pytest.mark.parametrize(("probed", "name"), [(True, "quickstart-bf16"), (False, "quickstart")])
def test_run_py_takes_the_preset_where_no_file_is_named_and_a_named_file_always_wins(
    monkeypatch: pytest.MonkeyPatch, probed: bool, name: str
) -> None:
    import run

    monkeypatch.setattr("retrieval.runtime.computes_fast_in_bfloat16", lambda: probed)
    for pipeline in run.PIPELINES:
        config, line = run._config(run._parser().parse_args(["--pipeline", pipeline]), ROOT)
        assert (config.name, line.split(",")[0]) == (name, f"Configuration configs/{name}.yaml")
    for path in (FLOAT32, BFLOAT16):
        config, line = run._config(run._parser().parse_args(["--config", str(path)]), ROOT)
        assert (config.name, line) == (path.stem, "")
