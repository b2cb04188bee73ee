"""The errors: each package draws its own as they are, and `run.py` turns every one into one line and an exit code."""

import importlib
import re
import subprocess
import sys
from pathlib import Path

import pytest

import run
from retrieval.errors import ConfigError, RetrievalError

ROOT = Path(__file__).resolve().parents[2]
DRAWN_IN = (
    "retrieval.errors",
    "stacks.errors",
    "tracking.errors",
    "registry.errors",
    "deployment.errors",
)
_LINE = re.compile(r"^(?P<indent>[│├└─ ]*)(?P<name>[A-Z]\w+) {2,}(?P<words>\S.*)$|^(?P<root>[A-Z]\w+)$")


def drawn(module: str) -> dict[str, str]:
    """Parent of each class below the first, as the drawing at the top of a module's file has it."""
    parents: dict[str, str] = {}
    above: list[str] = []
    for line in (importlib.import_module(module).__doc__ or "").splitlines():
        found = _LINE.match(line)
        if found is None:
            continue
        depth = len(found["indent"] or "") // 4
        name = found["root"] or found["name"]
        del above[depth:]
        if above:
            parents[name] = above[-1]
        above.append(name)
    return parents


def defined(module: str) -> dict[str, str]:
    """Parent of each error that a module defines."""
    classes = [one for one in vars(importlib.import_module(module)).values() if isinstance(one, type)]
    errors = [one for one in classes if issubclass(one, Exception) and one.__module__ == module]
    return {one.__name__: one.__bases__[0].__name__ for one in errors if one is not RetrievalError}


@pytest.mark.parametrize("module", DRAWN_IN)
def test_drawing_at_the_top_of_the_file_is_the_tree_of_its_errors(module: str) -> None:
    assert drawn(module) == defined(module) != {}


def test_library_has_no_errors_of_platforms_and_services() -> None:
    foreign = {name for module in DRAWN_IN[1:] for name in defined(module)}
    assert foreign & set(defined("retrieval.errors")) == set()


def all_errors() -> list[type[RetrievalError]]:
    for module in DRAWN_IN:
        importlib.import_module(module)
    found, waiting = [], [RetrievalError]
    while waiting:
        kind = waiting.pop()
        found.append(kind)
        waiting += kind.__subclasses__()
    ours = ("retrieval.", "stacks.", "steps.", "deployment.errors")
    return sorted({kind for kind in found if kind.__module__.startswith(ours)}, key=lambda kind: kind.__name__)


@pytest.mark.parametrize("kind", all_errors(), ids=lambda kind: kind.__name__)
def test_run_ends_each_error_with_one_line_and_its_code(
    kind: type[RetrievalError], monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    error = kind("the file is not there; give another")

    def fail(_: object) -> int:
        raise error

    monkeypatch.setattr(run, "_run", fail)
    assert run.main(["--pipeline", "data"]) == (2 if issubclass(kind, ConfigError) else 1)
    said = capsys.readouterr().err
    assert said == f"error: {error}\n"
    assert said.count("\n") == 1


def test_locked_store_is_told_in_one_line(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    def fail(_: object) -> int:
        raise RuntimeError("(sqlite3.OperationalError) database is locked")

    monkeypatch.setattr(run, "_run", fail)
    assert run.main(["--pipeline", "data"]) == 1
    said = capsys.readouterr().err
    assert said.startswith("error: ZenML's store ")
    assert "is locked by another process" in said
    assert said.count("\n") == 1


def test_entry_names_its_errors_without_loading_zenml() -> None:
    code = "import sys, run; print(sorted({'zenml', 'mlflow', 'torch', 'fastapi'} & set(sys.modules)))"
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True)
    assert done.stdout == "[]\n"
