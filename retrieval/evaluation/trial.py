"""A trial of a bundle as it would be served: it is loaded, and asked questions one by one."""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from retrieval.errors import ArtifactError, EvaluationError, ModelError, SearchError

Search = Callable[[str], object]
"""Answers one question."""


@dataclass(frozen=True, slots=True)
class Trial:
    """How a bundle behaved.

    Attributes:
        seconds: Of each question, in the order asked; empty where the bundle did not load.
        fault: Why it did not load; empty where it did.
    """

    seconds: tuple[float, ...] = ()
    fault: str = ""

    def quantile(self, share: float) -> float:
        """The smallest time that at least this share of the questions stayed within, in seconds.

        Raises:
            EvaluationError: If no question was asked.
        """
        if not self.seconds:
            raise EvaluationError("trial: no question was asked; give at least one")
        rank = max(1, math.ceil(share * len(self.seconds)))
        return sorted(self.seconds)[rank - 1]


def try_bundle(
    load: Callable[[], Search], questions: Sequence[str], clock: Callable[[], float] = time.perf_counter
) -> Trial:
    """Load a bundle and time its answers; the first question is asked once before, untimed.

    Args:
        load: Gives what answers a question.
        questions: At least one.
        clock: In seconds.

    Raises:
        EvaluationError: If there is no question.
    """
    if not questions:
        raise EvaluationError("trial: no question to ask; give at least one")
    try:
        search = load()
    except (ArtifactError, ModelError, SearchError) as error:
        return Trial(fault=str(error))
    search(questions[0])
    seconds = []
    for question in questions:
        started = clock()
        search(question)
        seconds.append(clock() - started)
    return Trial(tuple(seconds))
