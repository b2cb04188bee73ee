"""The metrics of a service or worker: which values their labels can take, and what of a bundle they tell."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import get_args

from deployment.bundle.format import Bundle, BundleFacts
from deployment.errors import CODES, DeadlinePassed, Fallback, Overloaded
from deployment.settings import ServingSettings
from monitoring.endpoint_metrics import EndpointMetrics
from monitoring.label_values import Build, KnownValues

CLIENT_GONE = 499
"""Stands for the status of a request whose client left before its answer; nginx's number."""
CLIENT_LEFT = "client_gone"
"""Why a request of such a client was dropped."""
_STATUSES = (200, 400, 401, 404, 405, 408, 413, 422, 429, CLIENT_GONE, 500, 502, 503)


def endpoint_metrics(name: str, actions: Sequence[str], settings: ServingSettings) -> EndpointMetrics:
    """Metrics of an endpoint at 0.

    Args:
        name: Of the service.
        actions: That it can be asked.
        settings: Its track.
    """
    return EndpointMetrics(name, known_values(actions), settings.track)


def known_values(actions: Sequence[str]) -> KnownValues:
    """What labels of an endpoint's metrics can say."""
    return KnownValues(
        actions=actions,
        statuses=[str(status) for status in _STATUSES],
        errors=CODES,
        rejections=(Overloaded.code, DeadlinePassed.code, CLIENT_LEFT),
        fallbacks=get_args(Fallback),
    )


def build_of(model_version: str, facts: BundleFacts, bundle: Bundle | None = None) -> Build:
    """What is served, for the metrics.

    Args:
        model_version: Of the model that answers.
        facts: Versions of everything.
        bundle: Where there is an index.
    """
    return Build(
        model_version=model_version,
        retriever=facts.retriever,
        index=facts.index,
        data=facts.data,
        code=facts.code,
        articles=bundle.passages if bundle else None,
        index_created=datetime.fromisoformat(facts.created).timestamp() if bundle and facts.created else None,
    )
