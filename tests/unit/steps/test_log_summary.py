"""The line that a step leaves in its log."""

from __future__ import annotations

import logging
import re

import numpy as np
import pytest

from retrieval.data.validation import validate_dataset
from retrieval.experiments.assessment import JudgedRuns
from retrieval.records import Article, Corpus, Dataset, Decision, Passage, Query, TrecRun
from retrieval.search.embedding import CorpusVectors
from retrieval.training.hard_negatives import HardNegatives
from retrieval.training.loop import TrainingReport
from steps.data.validate_data import validate_data
from steps.log_summary import amount, log_summary

ARTICLES = tuple(Article(f"L:{n}", f"Tiêu đề {n}", f"Nội dung điều {n}", "Luật") for n in range(3))
CORPUS = Corpus(ARTICLES, tuple(Passage(a.cid, 0, a.body, a.body) for a in ARTICLES), tuple(a.title for a in ARTICLES))
QUERIES = tuple(Query(f"q{n}", f"Hỏi {n}?", (f"L:{n}",), f"Hỏi {n} ?", "natural", "test") for n in range(2))
DATASET = Dataset(CORPUS, QUERIES)
RUN = TrecRun("bm25", ("q0", "q1"), CORPUS.cids, np.zeros((2, 1), np.int32), np.ones((2, 1), np.float32))


@pytest.mark.parametrize(
    ("value", "said"),
    [
        (DATASET, "3 articles, 3 passages, 2 queries"),
        (CorpusVectors(np.ones((3, 8)), np.ones((2, 8))), "vectors of 3 passages and 2 titles, 8 numbers each"),
        (HardNegatives({"q0": ("L:1", "L:2"), "q1": ()}, {}), "2 negatives of 2 queries"),
        (JudgedRuns(QUERIES, (RUN,)), "2 queries in 1 runs"),
        (TrainingReport((), (0.5,), 1, 0.75, 1200, 3.0), "1,200 training steps, validation MRR@10 0.7500"),
        (TrainingReport((), (0.5,), 1, float("nan"), 4, 3.0), "4 training steps"),
        (validate_dataset(DATASET, "here"), "2 judgements checked, 1 warnings"),
        (Decision("legal-retriever", False, ("too slow",)), "verdict refused"),
        ({"legal-retriever": "3", "staged": "no"}, "legal-retriever 3, staged no"),
        ("3", "3"),
        ("one\ntwo\nthree", "a text of 3 lines"),
        (7, ""),
    ],
)
def test_amounts_are_told_in_words(value: object, said: str) -> None:
    assert amount(value) == said


def test_what_came_in_what_went_out_and_seconds_are_one_line(caplog: pytest.LogCaptureFixture) -> None:
    def double(dataset: Dataset, name: str, seed: int) -> tuple[Dataset, Decision]:
        return Dataset(dataset.corpus, dataset.queries * 2), Decision(name, True, ())

    with caplog.at_level(logging.INFO, logger="steps.log_summary"):
        results = log_summary(double)(DATASET, "here", seed=3)
    assert results == double(DATASET, "here", 3)
    (line,) = caplog.messages
    came, made = "3 articles, 3 passages, 2 queries", "3 articles, 3 passages, 4 queries; verdict passed"
    assert re.fullmatch(rf"double: {came} -> {made} in \d+\.\d\d s", line)


def test_a_step_that_fails_is_not_told_as_done(caplog: pytest.LogCaptureFixture) -> None:
    def broken() -> None:
        raise ValueError("row 17")

    with caplog.at_level(logging.INFO, logger="steps.log_summary"), pytest.raises(ValueError, match="row 17"):
        log_summary(broken)()
    assert caplog.messages == []


def test_every_library_step_tells_and_keeps_the_source_that_its_cache_depends_on(
    caplog: pytest.LogCaptureFixture,
) -> None:
    with caplog.at_level(logging.INFO, logger="steps.log_summary"):
        made = validate_data.entrypoint(DATASET, "here")
    assert made == validate_dataset(DATASET, "here")
    assert caplog.messages[0].startswith("validate_data: 3 articles, 3 passages, 2 queries -> 2 judgements checked")
    assert "Check and count" in validate_data.source_code
