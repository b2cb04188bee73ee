"""The frozen copy holds what runs need, once for each content."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

from stacks.airflow.frozen_code import freeze


@pytest.fixture
def project(tmp_path: Path) -> Path:
    for name, text in {
        "run.py": "1",
        "steps/train.py": "2",
        "questions.csv": "3",
        ".venv/lib/big.py": "4",
        "models/legal/weights.bin": "5",
        "steps/__pycache__/train.pyc": "6",
        "Câu hỏi.csv": "7",
    }.items():
        path = tmp_path / "project" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")
    return tmp_path / "project"


def names(folder: Path) -> set[str]:
    return {str(path.relative_to(folder)) for path in folder.rglob("*") if path.is_file()}


def test_code_and_questions_are_copied_and_environments_results_and_caches_are_not(project: Path) -> None:
    frozen = freeze(project, project.parent / "frozen")
    assert names(frozen) == {"run.py", "steps/train.py", "questions.csv", "Câu hỏi.csv"}


def test_in_a_git_repository_the_files_are_those_that_git_does_not_ignore(project: Path) -> None:
    (project / ".gitignore").write_text(".venv/\n__pycache__/\nmodels/\nsteps/local.py\n", encoding="utf-8")
    (project / "steps/local.py").write_text("8", encoding="utf-8")
    subprocess.run(["git", "init", "--quiet", str(project)], check=True)
    frozen = freeze(project, project.parent / "frozen")
    assert names(frozen) == {".gitignore", "run.py", "steps/train.py", "questions.csv", "Câu hỏi.csv"}


def test_the_same_content_is_copied_once_and_another_content_leaves_the_first_copy_alone(project: Path) -> None:
    first = freeze(project, project.parent / "frozen")
    assert freeze(project, project.parent / "frozen") == first
    (project / "run.py").write_text("changed", encoding="utf-8")
    second = freeze(project, project.parent / "frozen")
    assert second != first
    assert (first / "run.py").read_text() == "1"
    assert (second / "run.py").read_text() == "changed"
    assert {path.name for path in first.parent.iterdir()} == {first.name, second.name}
