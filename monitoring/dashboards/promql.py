"""Expressions that several panels share; ``$__rate_interval`` holds at least four scrapes."""

from __future__ import annotations

from monitoring.rules.objectives import OUR_ERRORS
from monitoring.slo import ServiceLevels

LATELY = "$__rate_interval"
SHOWN = "$__range"
BY = "endpoint, track"
"""What most panels keep of the labels: processes and versions count together, stable and canary apart."""
OUR_FAULTS = f'type=~"{"|".join(OUR_ERRORS)}"'
"""Selects errors that are ours and not the client's."""


def selected(*matchers: str) -> str:
    """Matchers in braces, without those that are empty."""
    kept = ", ".join(one for one in matchers if one)
    return f"{{{kept}}}" if kept else ""


def rate(counter: str, window: str, by: str, *matchers: str) -> str:
    """A counter's rate a second, summed by labels."""
    return f"sum by ({by}) (rate({counter}{selected(*matchers)}[{window}]))"


def quantile(share: float, histogram: str, by: str, *matchers: str, window: str = LATELY) -> str:
    """A histogram's quantile of the last few scrapes; nothing where nothing was observed."""
    return f"histogram_quantile({share:g}, {rate(f'{histogram}_bucket', window, f'{by}, le', *matchers)})"


def waited_for(levels: ServiceLevels) -> str:
    """Selects actions that a person waits for."""
    return f'action!~"{"|".join(levels.latency.bulk_actions)}"'


def error_share(window: str, by: str, *matchers: str) -> str:
    """Requests answered with an error of ours, of all; nothing where nobody asked."""
    return (
        f"{rate('endpoint_errors_total', window, by, OUR_FAULTS, *matchers)}"
        f" / ({rate('endpoint_requests_total', window, by, *matchers)} > 0)"
    )


def errors_by_type(*matchers: str) -> str:
    """Requests answered with each kind of error, those of clients too, of all requests; only kinds that there are."""
    return (
        f"({rate('endpoint_errors_total', LATELY, 'endpoint, type', *matchers)} > 0)"
        f" / on (endpoint) group_left () {rate('endpoint_requests_total', LATELY, 'endpoint', *matchers)}"
    )


def slow_share(levels: ServiceLevels, window: str, by: str, *matchers: str) -> str:
    """Requests that took longer than the objective's threshold, of those that a person waits for."""
    timed, waited = "endpoint_request_duration_seconds", waited_for(levels)
    bound = f'le="{levels.latency.threshold_seconds:.1f}"'
    within = rate(f"{timed}_bucket", window, by, waited, bound, *matchers)
    return f"1 - {within} / ({rate(f'{timed}_count', window, by, waited, *matchers)} > 0)"


def unranked_share(window: str, by: str, *matchers: str) -> str:
    """Search answers in the first stage's order although reranking was asked for, of all search answers."""
    fell = rate("endpoint_fallbacks_total", window, by, 'endpoint="gateway", reason!="no_reranker"', *matchers)
    searches = 'endpoint="gateway", action="search", status="200"'
    return f"{fell} / ({rate('endpoint_requests_total', window, by, searches, *matchers)} > 0)"


def budget_left(name: str, bad_share_of_an_hour: str, budget_share: float) -> str:
    """Share of an error budget that is left, as the rules have recorded it; before that, that of the last hour.

    Args:
        name: Of the objective.
        bad_share_of_an_hour: PromQL with the labels of `BY`.
        budget_share: Share that may be bad.
    """
    recorded = f'max by ({BY}) (endpoint_track:slo_budget_left:ratio{{slo="{name}", endpoint=~"$endpoint"}})'
    return f"{recorded} or 1 - ({bad_share_of_an_hour}) / {budget_share:g}"
