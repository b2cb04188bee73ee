"""What labels of a service's metrics can say: a bounded set, whatever clients send."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

OTHER = "other"
"""Stands for any value of a label that is not known beforehand."""
LOADING = "loading"
"""Version of the model before there is one."""
MOST_VERSIONS = 8
"""Versions of a model that one process tells apart; a further one counts as `OTHER`."""
LONGEST_VERSION = 64
Track = Literal["stable", "canary"]


@dataclass(frozen=True, kw_only=True)
class Build:
    """What a process serves.

    Attributes:
        model_version: As its answers have it.
        retriever: Version of the retriever that the model belongs to.
        index: Version of the index; empty where there is none.
        data: Version of the training data.
        code: Commit of the training.
        articles: That can be found; None without an index.
        index_created: Unix time of the index, in seconds; None where it is not known.
    """

    model_version: str
    retriever: str = ""
    index: str = ""
    data: str = ""
    code: str = ""
    articles: int | None = None
    index_created: float | None = None


@dataclass(frozen=True)
class KnownValues:
    """Values of labels whose first count must not be lost: Prometheus sees no increase in a series that begins with it.

    Attributes:
        actions: Of requests.
        statuses: Of answers.
        errors: Codes.
        rejections: Reasons.
        fallbacks: Reasons.
    """

    actions: Sequence[str] = ()
    statuses: Sequence[str] = ()
    errors: Sequence[str] = ()
    rejections: Sequence[str] = ()
    fallbacks: Sequence[str] = ()
