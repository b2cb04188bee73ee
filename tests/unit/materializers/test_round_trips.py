"""Every materializer gives back what it was given, with a hash of its content, facts and a page without scripts."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from materializers.dataset import DatasetMaterializer
from materializers.findings import NegativesMaterializer, RunsMaterializer
from materializers.folder import FolderMaterializer
from materializers.reports import (
    DecisionMaterializer,
    ReportMaterializer,
    TrainingReportMaterializer,
    ValidationReportMaterializer,
)
from materializers.vectors import VectorsMaterializer
from retrieval.config.schema import EvaluationConfig
from retrieval.data.validation import validate_dataset
from retrieval.errors import ArtifactError
from retrieval.evaluation.reports import write_report
from retrieval.experiments.assessment import JudgedRuns
from retrieval.records import Article, Corpus, Dataset, Decision, Passage, Query, TrecRun
from retrieval.search.embedding import CorpusVectors
from retrieval.training.checkpoints import EpochResult
from retrieval.training.hard_negatives import HardNegatives
from retrieval.training.loop import TrainingReport

ARTICLES = tuple(Article(f"L:{n}", f"Tiêu đề {n}", f"Nội dung điều {n} về lao động", "Luật") for n in range(4))
CORPUS = Corpus(ARTICLES, tuple(Passage(a.cid, 0, a.body, a.body) for a in ARTICLES), tuple(a.title for a in ARTICLES))
QUERIES = tuple(Query(f"q{n}", f"Hỏi {n}?", (f"L:{n}",), f"Hỏi {n} ?", "natural", "test") for n in range(3))
DATASET = Dataset(CORPUS, QUERIES)
RUN = TrecRun(
    "bm25",
    tuple(query.qid for query in QUERIES),
    CORPUS.cids,
    np.array([[0, 1, -1], [1, 0, 2], [0, 1, 3]], np.int32),
    np.array([[2, 1, -np.inf], [3, 2, 1], [5, 4, 1]], np.float32),
)
FOUND = JudgedRuns(QUERIES, (RUN, replace(RUN, name="reranked")))
HISTORY = (EpochResult(1, 0.5, 0.7, 3.0), EpochResult(2, 0.4, 0.8, 3.0))


def report(tmp_path: Path) -> object:
    config = EvaluationConfig(bootstrap_samples=50)
    return write_report(tmp_path / "written", "Thử", FOUND.runs, QUERIES, CORPUS, config)


CASES: Mapping[str, tuple[type[FolderMaterializer], Any]] = {
    "dataset": (DatasetMaterializer, lambda _: DATASET),
    "vectors": (VectorsMaterializer, lambda _: CorpusVectors(np.eye(4, dtype=np.float32), np.eye(4, dtype=np.float32))),
    "negatives": (NegativesMaterializer, lambda _: HardNegatives({"q0": ("L:1",)}, {"q0": {"L:0": 0, "L:1": 1}})),
    "runs": (RunsMaterializer, lambda _: FOUND),
    "report": (ReportMaterializer, report),
    "validation": (ValidationReportMaterializer, lambda _: validate_dataset(DATASET, "here")),
    "training": (TrainingReportMaterializer, lambda _: TrainingReport(HISTORY, (0.6, 0.4), 2, 0.8, 2, 6.0)),
    "decision": (DecisionMaterializer, lambda _: Decision("legal-retriever", True, ("good",), {"mrr@10": 0.8})),
}


class Store:
    """The part of a local artifact store that is used."""

    def open(self, path: str, mode: str) -> Any:
        return Path(path).open(mode)


def same(left: object, right: object) -> bool:
    if isinstance(left, np.ndarray):
        return bool(np.array_equal(left, right))
    if isinstance(left, tuple | list):
        return len(left) == len(right) and all(map(same, left, right))  # type: ignore[arg-type]
    if isinstance(left, Mapping):
        return left.keys() == right.keys() and all(same(left[key], right[key]) for key in left)  # type: ignore[attr-defined, index]
    if hasattr(left, "__dict__"):
        names = [name for name in vars(left) if name != "folder"]
        return all(same(getattr(left, name), getattr(right, name)) for name in names)
    return left == right


@pytest.mark.parametrize("name", CASES)
def test_what_is_loaded_is_what_was_saved(name: str, tmp_path: Path) -> None:
    kind, make = CASES[name]
    value = make(tmp_path)
    kind(str(tmp_path / "uri"), Store()).save(value)  # type: ignore[arg-type]
    assert same(value, kind(str(tmp_path / "uri"), Store()).load(type(value)))  # type: ignore[arg-type]


@pytest.mark.parametrize("name", CASES)
def test_the_same_content_has_the_same_hash_facts_and_a_page_without_scripts(name: str, tmp_path: Path) -> None:
    kind, make = CASES[name]
    hashes = []
    for place in ("one", "two"):
        materializer = kind(str(tmp_path / place), Store())  # type: ignore[arg-type]
        value = make(tmp_path)
        materializer.save(value)
        hashes.append(materializer.compute_content_hash(value))
    assert hashes[0] == hashes[1] is not None
    assert materializer.extract_metadata(value)
    (page,) = materializer.save_visualizations(value)
    html = Path(page).read_text(encoding="utf-8")
    assert html.lstrip().lower().startswith("<!doctype html")
    assert "<script" not in html


@pytest.mark.parametrize("name", CASES)
def test_an_altered_file_is_refused(name: str, tmp_path: Path) -> None:
    kind, make = CASES[name]
    kind(str(tmp_path / "uri"), Store()).save(make(tmp_path))  # type: ignore[arg-type]
    victim = max(
        (path for path in (tmp_path / "uri").rglob("*") if path.is_file() and path.name != "manifest.json"),
        key=lambda path: path.stat().st_size,
    )
    victim.write_bytes(victim.read_bytes()[:-1])
    with pytest.raises(ArtifactError):
        kind(str(tmp_path / "uri"), Store()).load(object)  # type: ignore[arg-type]


@pytest.mark.parametrize("shape", [(5, 3), (0, 3)])
def test_matrices_are_written_as_numpy_writes_them(shape: tuple[int, int], tmp_path: Path) -> None:
    matrix = np.asfortranarray(np.arange(np.prod(shape), dtype=np.float16).reshape(shape))
    VectorsMaterializer(str(tmp_path), Store()).save(CorpusVectors(matrix, matrix[::2]))  # type: ignore[arg-type]
    for name, written in (("passages", matrix), ("titles", matrix[::2])):
        np.save(tmp_path / "numpy.npy", np.ascontiguousarray(written))
        assert (tmp_path / "content" / f"{name}.npy").read_bytes() == (tmp_path / "numpy.npy").read_bytes()


def test_a_loaded_matrix_can_be_written_to_and_its_file_stays_as_it_was(tmp_path: Path) -> None:
    materializer = VectorsMaterializer(str(tmp_path), Store())  # type: ignore[arg-type]
    materializer.save(CorpusVectors(np.ones((4, 3), np.float32), np.ones((4, 3), np.float32)))
    first = materializer.load(CorpusVectors)
    assert type(first.passages) is np.ndarray
    first.passages[:] = 0
    assert (materializer.load(CorpusVectors).passages == 1).all()


def test_a_training_that_only_took_longer_has_the_same_hash(tmp_path: Path) -> None:
    fast = TrainingReport(HISTORY, (0.6,), 2, 0.8, 1, 6.0)
    one, two = (TrainingReportMaterializer(str(tmp_path / name), Store()) for name in ("one", "two"))  # type: ignore[arg-type]
    one.save(fast)
    two.save(replace(fast, seconds=60.0))
    assert one.compute_content_hash(fast) == two.compute_content_hash(fast)


def test_pictures_come_before_tables_because_the_dashboards_frame_is_low(tmp_path: Path) -> None:
    shown = TrainingReportMaterializer(str(tmp_path), Store()).picture(TrainingReport(HISTORY, (0.6,), 2, 0.8, 1, 6.0))  # type: ignore[arg-type]
    assert 0 < shown.index("<svg") < shown.index("<table")
