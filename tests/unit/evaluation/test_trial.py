"""Trying a bundle: each question is timed alone, and a fault is a result."""

from __future__ import annotations

import pytest

from retrieval.errors import ArtifactError, EvaluationError
from retrieval.evaluation.trial import Trial, try_bundle


def test_each_question_is_timed_after_one_that_is_not():
    asked: list[str] = []
    ticks = iter([0.0, 1.0, 10.0, 12.0])
    trial = try_bundle(lambda: asked.append, ["a", "b"], clock=lambda: next(ticks))
    assert asked == ["a", "a", "b"]
    assert trial == Trial((1.0, 2.0))


def test_a_bundle_that_does_not_load_is_told_of_and_not_asked():
    def load():
        raise ArtifactError("folder: no manifest.json")

    assert try_bundle(load, ["a"]) == Trial(fault="folder: no manifest.json")


def test_an_error_that_is_not_the_bundles_is_raised():
    def load():
        raise MemoryError

    with pytest.raises(MemoryError):
        try_bundle(load, ["a"])


@pytest.mark.parametrize(("share", "seconds"), [(0.5, 2.0), (0.75, 3.0), (0.76, 4.0), (1.0, 4.0), (0.0, 1.0)])
def test_a_quantile_is_the_smallest_time_that_share_stayed_within(share, seconds):
    assert Trial((4.0, 1.0, 3.0, 2.0)).quantile(share) == seconds


def test_no_question_is_an_error():
    with pytest.raises(EvaluationError, match="no question"):
        try_bundle(lambda: print, [])
    with pytest.raises(EvaluationError, match="no question"):
        Trial().quantile(0.5)
