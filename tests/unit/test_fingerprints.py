"""What a function reaches, on a small project written by the test."""

from __future__ import annotations

import textwrap
from collections.abc import Iterator
from pathlib import Path

import pytest

from retrieval import code_graph, fingerprints
from retrieval.fingerprints import code_fingerprint, files_fingerprint

FILES = {
    "retrieval/__init__.py": "",
    "retrieval/config/schema.py": "class Section:\n    depth = 1\n",
    "retrieval/text.py": '''
        """Module."""
        import re
        SPACES = re.compile(" +")
        def clean(text):
            """Clean."""
            return SPACES.sub(" ", text)  # one space
        def unused(text):
            return text
    ''',
    "retrieval/handed.py": "from retrieval.text import clean\n",
    "retrieval/model.py": """
        from retrieval import text as t
        class Model:
            def encode(self, words):
                return t.clean(words)
        def load_model(folder):
            return Model()
        def page():
            return "templates"
    """,
    "retrieval/templates/page.html": "<p>",
    "materializers/__init__.py": "",
    "materializers/model.py": """
        from retrieval.model import Model, load_model
        from retrieval.text import unused
        class ModelMaterializer:
            ASSOCIATED_TYPES = (Model,)
            def load(self, data_type):
                return load_model(data_type)
            def picture(self, model):
                return unused("x")
    """,
    "registry/__init__.py": "",
    "registry/versions.py": """
        from stacks import place
        def newest():
            return place.bucket()
        def oldest():
            return 1
    """,
    "stacks/__init__.py": "",
    "stacks/place.py": """
        def bucket():
            return "team"
        def server():
            return "host"
    """,
    "steps/__init__.py": "",
    "steps/work.py": """
        from __future__ import annotations
        from retrieval.config.schema import Section
        from retrieval.handed import clean
        from retrieval.model import Model, page
        def cleaning(text, section: Section):
            return clean(text)
        def encoding(model: Model):
            return model.encode("x")
        def lazily(text):
            from retrieval.text import unused
            return unused(text)
        def showing():
            return page()
        def registering():
            from registry.versions import newest
            return newest()
    """,
}


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    for name, text in FILES.items():
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(textwrap.dedent(text), encoding="utf-8")
    monkeypatch.setattr(code_graph, "ROOT", tmp_path)
    monkeypatch.setattr(fingerprints, "ROOT", tmp_path)
    forget()
    yield tmp_path
    forget()


def forget() -> None:
    for cached in (code_graph.parse, code_graph._references, code_graph._materializers, fingerprints._source_hash):
        cached.cache_clear()


def fingerprint(name: str) -> str:
    forget()

    def step() -> None: ...

    step.__module__, step.__qualname__ = "steps.work", name
    return code_fingerprint(step)


def edit(path: Path, old: str, new: str) -> None:
    text = path.read_text(encoding="utf-8")
    assert old in text
    path.write_text(text.replace(old, new), encoding="utf-8")


@pytest.mark.parametrize(
    ("file", "old", "new", "changed"),
    [
        ("retrieval/text.py", 'sub(" "', 'sub("_"', {"cleaning", "encoding"}),
        ("retrieval/text.py", '(" +")', '("  +")', {"cleaning", "encoding"}),
        ("retrieval/text.py", "return text", "return text + text", {"lazily"}),
        ("retrieval/model.py", "return Model()", "return Model() or None", {"encoding"}),
        ("retrieval/model.py", "t.clean(words)", "t.clean(words + words)", {"encoding"}),
        ("retrieval/templates/page.html", "<p>", "<b>", {"showing"}),
        ("retrieval/text.py", "# one space", "# a single space", set()),
        ("retrieval/text.py", '"""Clean."""', '"""Tidy."""', set()),
        ("retrieval/text.py", "def unused(text):\n", "def unused(\n    text,\n):\n", set()),
        ("retrieval/config/schema.py", "depth = 1", "depth = 2", set()),
        ("materializers/model.py", 'unused("x")', 'unused("y")', set()),
        ("registry/versions.py", "return place.bucket()", "return place.bucket() or 1", {"registering"}),
        ("registry/versions.py", "return 1", "return 2", set()),
        ("stacks/place.py", '"team"', '"other"', {"registering"}),
        ("stacks/place.py", '"host"', '"other"', set()),
    ],
)
def test_an_edit_changes_the_fingerprint_of_exactly_those_that_reach_it(
    project: Path, file: str, old: str, new: str, changed: set[str]
) -> None:
    names = ("cleaning", "encoding", "lazily", "showing", "registering")
    before = {name: fingerprint(name) for name in names}
    edit(project / file, old, new)
    assert {name for name in names if fingerprint(name) != before[name]} == changed


def test_a_package_that_is_added_later_is_seen_without_being_listed_anywhere(project: Path) -> None:
    names = ("cleaning", "encoding", "lazily", "showing", "registering")
    edit(project / "registry/versions.py", "from stacks import place\n", "from tracking.runs import bucket\n")
    edit(project / "registry/versions.py", "place.bucket()", "bucket()")
    (project / "tracking").mkdir()  # a folder without __init__.py can be imported, too
    (project / "tracking/runs.py").write_text("def bucket():\n    return 1\n", encoding="utf-8")
    before = {name: fingerprint(name) for name in names}
    edit(project / "tracking/runs.py", "return 1", "return 2")
    assert {name for name in names if fingerprint(name) != before[name]} == {"registering"}


def test_files_count_by_content_and_not_by_name_or_date(tmp_path: Path) -> None:
    first, second = tmp_path / "a", tmp_path / "b"
    first.write_text("x")
    second.write_text("x")
    assert files_fingerprint([first]) == files_fingerprint([second])
    second.write_text("y")
    assert files_fingerprint([first]) != files_fingerprint([second])
    assert files_fingerprint([first, None]) != files_fingerprint([None, first])


def test_a_step_of_this_project_reaches_what_it_calls_and_what_loads_its_input() -> None:
    forget()
    reached = code_graph.reachable(("steps.data.split_queries", "split_queries"))
    assert ("retrieval.data.splits", "_groups") in reached
    assert ("retrieval.data.storage", "load_dataset") in reached
    assert not [target for target in reached if target[0].startswith(("retrieval.models", "retrieval.code_graph"))]


def test_registering_versions_reaches_the_stacks_and_training_does_not() -> None:
    forget()
    registering = code_graph.reachable(("steps.promotion.register_versions", "register_versions"))
    assert ("stacks.connection", "s3_of") in registering
    training = code_graph.reachable(("steps.training.train_bi_encoder", "train_bi_encoder"))
    assert not [target for target in training if target[0].startswith("stacks")]
