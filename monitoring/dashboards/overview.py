"""The overview: objectives and their budgets, traffic, canary beside stable, cost, and what is written in logs."""

from __future__ import annotations

from monitoring.dashboards import promql
from monitoring.dashboards.cost import cost
from monitoring.dashboards.logs import LOGS
from monitoring.dashboards.panels import Dashboard, Kind, Limit, Panel, Query, Section, Unit, Variable
from monitoring.dashboards.promql import BY, LATELY, SHOWN
from monitoring.slo import RequestObjective, ServiceLevels

_CHOSEN = 'endpoint=~"$endpoint"'
_WHO = "{{endpoint}} {{track}}"
_DAY = 86_400
_NOBODY_ASKED = "Nobody asked in this time, so that there is no share to tell."


def overview(levels: ServiceLevels) -> Dashboard:
    """The dashboard.

    Args:
        levels: Objectives and limits, which its panels draw.
    """
    return Dashboard(
        id="overview",
        title="Overview",
        says="Whether people get good answers in time, what that costs, and how a canary does beside stable.",
        variables=(Variable("endpoint", "Endpoint", "endpoint_requests_total"),),
        sections=(
            Section("Objectives", _objectives(levels)),
            Section("Traffic", _traffic(levels)),
            Section("Canary beside stable", _canary(levels)),
            Section("Cost", cost(levels, _CHOSEN)),
            Section("Logs", LOGS),
        ),
    )


def _objective(objective: RequestObjective) -> Limit:
    return Limit(objective.objective_share, f"objective {100 * objective.objective_share:g} %", below=True)


def _budget(levels: ServiceLevels, name: str, bad: str, bad_of_an_hour: str) -> Panel:
    objective = levels.request_objectives[name]
    return Panel(
        id=f"{name}-budget",
        title=f"{name.capitalize()}: budget left",
        shows=f"Of {bad} the objective allows {100 * objective.budget_share:g} % in {levels.window_days} days; this is"
        " the share of it that is left.",
        normal="above 0; it falls slowly and recovers as bad hours grow old.",
        action="below 0 the objective is missed: put changes off until the cause is mended.",
        empty=_NOBODY_ASKED,
        unit=Unit.SHARE,
        kind=Kind.STAT,
        queries=(Query(promql.budget_left(name, bad_of_an_hour, objective.budget_share), _WHO),),
        limit=Limit(0.0, "at 0 % the objective is missed", below=True),
        width=12 if name == "latency" else 6,
    )


def _objectives(levels: ServiceLevels) -> tuple[Panel, ...]:
    hour = ("1h", BY, _CHOSEN)
    return (
        Panel(
            id="availability",
            title="Availability",
            shows="Share of requests that were not answered with an error of ours, in the time shown.",
            normal=f"above {100 * levels.availability.objective_share:g} %.",
            action="see in Error rate which error it is; if it began with a new version, roll back.",
            empty=_NOBODY_ASKED,
            unit=Unit.SHARE,
            kind=Kind.STAT,
            queries=(Query(f"1 - {promql.error_share(SHOWN, BY, _CHOSEN)}", _WHO),),
            limit=_objective(levels.availability),
            width=6,
        ),
        _budget(levels, "availability", "requests with errors", promql.error_share(*hour)),
        Panel(
            id="reranked-share",
            title="Reranked answers",
            shows="Share of search answers that the cross-encoder has ordered, in the time shown.",
            normal=f"above {100 * levels.reranked.objective_share:g} %.",
            action="see whether the cross-encoder service is up and answers in time.",
            empty="No search was answered in this time, or the gateway is not among the endpoints chosen.",
            unit=Unit.SHARE,
            kind=Kind.STAT,
            queries=(Query(f"1 - {promql.unranked_share(SHOWN, BY, _CHOSEN)}", _WHO),),
            limit=_objective(levels.reranked),
            width=6,
        ),
        _budget(levels, "reranked", "search answers without reranking", promql.unranked_share(*hour)),
        _latency(levels),
        _budget(levels, "latency", "slow requests", promql.slow_share(levels, *hour)),
        _index_age(levels),
    )


def _latency(levels: ServiceLevels) -> Panel:
    seconds, waited = levels.latency.threshold_seconds, promql.waited_for(levels)
    timed = "endpoint_request_duration_seconds"
    return Panel(
        id="latency",
        title="Latency",
        shows="Time in which half, and 95 %, of the requests were answered that a person waits for.",
        normal=f"95 % within {seconds:g} s.",
        action="compare queue wait and inference of the models: a full queue needs capacity, slow inference a look at"
        " the machine.",
        empty="Nobody asked in this time.",
        unit=Unit.SECONDS,
        kind=Kind.TIME_SERIES,
        queries=(
            Query(promql.quantile(0.5, timed, "endpoint", waited, _CHOSEN), "{{endpoint}} p50"),
            Query(promql.quantile(0.95, timed, "endpoint", waited, _CHOSEN), "{{endpoint}} p95"),
        ),
        limit=Limit(seconds, f"objective {seconds:g} s for p95"),
    )


def _index_age(levels: ServiceLevels) -> Panel:
    days = levels.freshness.index_age_days
    return Panel(
        id="index-age",
        title="Age of the index",
        shows="Time since the index that is searched was made; law that came into force later is not in it.",
        normal=f"below {days:g} days.",
        action="train or build a bundle from the law as it is now, and serve that.",
        empty="No index tells when it was made: bundles of earlier versions do not.",
        unit=Unit.AGE,
        kind=Kind.STAT,
        queries=(
            Query(f"time() - min by ({BY}) (endpoint_index_created_timestamp_seconds{{{_CHOSEN}}})", _WHO),
        ),
        limit=Limit(days * _DAY, f"limit {days:g} days"),
    )  # fmt: skip


def _traffic(levels: ServiceLevels) -> tuple[Panel, ...]:
    bad = levels.errors.bad_share
    return (
        Panel(
            id="requests",
            title="Requests",
            shows="Requests answered each second, whatever the answer.",
            normal="the usual curve of a day; no sudden fall to 0.",
            action="at 0 see whether targets are up and the way to them is open; a peak explains a full queue.",
            empty="No service that counts requests was scraped twice in this time.",
            unit=Unit.REQUESTS_PER_SECOND,
            kind=Kind.TIME_SERIES,
            queries=(Query(promql.rate("endpoint_requests_total", LATELY, BY, _CHOSEN), _WHO),),
        ),
        Panel(
            id="error-rate",
            title="Error rate",
            shows="Share of requests answered with an error of ours, and all errors by type, those of clients too.",
            normal=f"errors of ours below {100 * bad:g} %; clients make some mistakes of theirs every day.",
            action="the type says where: upstream_fault is a service behind the gateway, model_fault the model,"
            " overloaded the load.",
            empty=_NOBODY_ASKED,
            unit=Unit.SHARE,
            kind=Kind.TIME_SERIES,
            queries=(
                Query(promql.error_share(LATELY, "endpoint", _CHOSEN), "{{endpoint}} ours"),
                Query(promql.errors_by_type(_CHOSEN), "{{endpoint}} {{type}}"),
            ),
            limit=Limit(bad, f"alert at {100 * bad:g} % of ours"),
        ),
        Panel(
            id="targets-up",
            title="Targets",
            shows="Whether each process that Prometheus scrapes has answered it.",
            normal="all up.",
            action="read the log of the one that is down, start it again, then look for why it ended.",
            empty="Prometheus has scraped nothing in this time; see its targets files.",
            unit=Unit.STATE,
            kind=Kind.STATE,
            queries=(Query("min by (job, instance) (up)", "{{job}} {{instance}}"),),
            states=("down", "up"),
        ),
        Panel(
            id="alerts-firing",
            title="Alerts that fired",
            shows="Which alerts fired when.",
            normal="none.",
            action="the list above the panels leads from each alert to its runbook.",
            empty="No alert fired in this time, if Prometheus has loaded the rules.",
            unit=Unit.STATE,
            kind=Kind.STATE,
            queries=(
                Query(
                    'max by (alertname, endpoint, track) (ALERTS{alertstate="firing"})',
                    "{{alertname}} {{endpoint}} {{track}}",
                ),
            ),
            states=("silent", "firing"),
            one_is_bad=True,
        ),
    )


def _canary(levels: ServiceLevels) -> tuple[Panel, ...]:
    timed, waited = "endpoint_request_duration_seconds", promql.waited_for(levels)
    return (
        Panel(
            id="canary-errors",
            title="Errors, canary beside stable",
            shows="Share of requests with errors of ours, by track; the canary is dashed.",
            normal="both alike; judge after some 300 requests of the canary, not after minutes.",
            action="if the canary is clearly worse, take its traffic away.",
            empty=_NOBODY_ASKED,
            unit=Unit.SHARE,
            kind=Kind.TIME_SERIES,
            queries=(Query(promql.error_share(LATELY, BY, _CHOSEN), _WHO),),
            limit=Limit(levels.errors.bad_share, f"alert at {100 * levels.errors.bad_share:g} %"),
        ),
        Panel(
            id="canary-latency",
            title="p95 latency, canary beside stable",
            shows="Time in which 95 % of the requests were answered, by track; the canary is dashed.",
            normal="both alike; a canary that just started is slower for some minutes.",
            action="if the canary stays slower, compare its inference time with the stable one's before it gets more.",
            empty="Nobody asked in this time.",
            unit=Unit.SECONDS,
            kind=Kind.TIME_SERIES,
            queries=(Query(promql.quantile(0.95, timed, BY, waited, _CHOSEN), _WHO),),
            limit=Limit(levels.latency_p95.seconds, f"alert at {levels.latency_p95.seconds:g} s"),
        ),
    )
