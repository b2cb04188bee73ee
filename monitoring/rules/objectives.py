"""Service level objectives: shares of bad requests over many windows, budgets left, and how fast they are used up."""

from __future__ import annotations

from dataclasses import dataclass

from monitoring.rules.model import OF, Alert, Group, Panel, Record, Severity, span
from monitoring.slo import SHORTEST_BURN_SHARE, ServiceLevels

OUR_ERRORS = (
    "internal", "model_fault", "upstream_fault", "not_ready", "overloaded", "deadline_passed", "other",
)  # fmt: skip
"""Codes of errors that are ours and not the client's: a full queue, too, is a request that went unanswered."""
_HOUR, _DAY = 3_600, 86_400
_RAW_WINDOWS = (300, 1_800, 3_600)
"""Seconds of windows that are computed from the counters."""
_JOINED_WINDOWS = (7_200, 21_600, 86_400, 259_200)
"""Seconds of windows that are means of the five-minute rates in them: a day's raw samples would be read every time."""


@dataclass(frozen=True)
class BurnWindows:
    """One line of the table in the SRE workbook, chapter 5: budget that goes in a long window and goes on going.

    Attributes:
        budget_share: Share of the budget that is gone when it is due, at that pace over the whole long window.
        long_seconds: Long enough that a few errors do not matter.
        recent_seconds: A twelfth of it, so that the alert ends soon after the fault; then longer ones, for when that
            holds too few requests.
        severity: Whether somebody is woken.
    """

    budget_share: float
    long_seconds: int
    recent_seconds: tuple[int, ...]
    severity: Severity

    def factor(self, window_days: int) -> float:
        """Times the pace that would use up the budget at the end of its window: 14.4 for 2 % of 30 days in one hour."""
        return round(self.budget_share * window_days * _DAY / self.long_seconds, 6)


BURNS = (
    BurnWindows(SHORTEST_BURN_SHARE, _HOUR, (300, 1_800), Severity.PAGE),
    BurnWindows(0.05, 6 * _HOUR, (1_800, _HOUR, 2 * _HOUR), Severity.PAGE),
    BurnWindows(0.10, _DAY, (2 * _HOUR, 6 * _HOUR), Severity.TICKET),
    BurnWindows(0.10, 3 * _DAY, (6 * _HOUR,), Severity.TICKET),
)


def objectives(levels: ServiceLevels) -> Group:
    """Records and alerts of every objective."""
    rules: list[Record | Alert] = []
    for window in _RAW_WINDOWS:
        rules += _counted(levels, span(window))
    for window in _JOINED_WINDOWS:
        rules += _joined(window)
    rules += _burn_rates(levels)
    rules += _budgets(levels)
    for name in levels.request_objectives:
        rules += [_alert(levels, name, Severity.PAGE), _alert(levels, name, Severity.TICKET)]
    return Group("objectives", "service level objectives, their budgets and burn rates", tuple(rules))


def _counted(levels: ServiceLevels, window: str) -> list[Record]:
    """Requests a second and bad ones among them, of one window, for each objective."""
    waited_for = f'action!~"{"|".join(levels.latency.bulk_actions)}"'
    bound = f'le="{levels.latency.threshold_seconds}"'
    timed, searches = "endpoint_request_duration_seconds", 'endpoint="gateway", action="search", status="200"'
    asked = {
        "availability": f"sum by ({OF}) (rate(endpoint_requests_total[{window}]))",
        "latency": f"sum by ({OF}) (rate({timed}_count{{{waited_for}}}[{window}]))",
        "reranked": f"sum by ({OF}) (rate(endpoint_requests_total{{{searches}}}[{window}]))",
    }
    bad = {
        "availability": _or_none(
            f'sum by ({OF}) (rate(endpoint_errors_total{{type=~"{"|".join(OUR_ERRORS)}"}}[{window}]))',
            asked["availability"],
        ),
        # two rates of the same samples: a difference below 0 can only be the last digit of a number
        "latency": f"clamp_min(\n  {asked['latency']}\n  -\n"
        f"  sum by ({OF}) (rate({timed}_bucket{{{waited_for}, {bound}}}[{window}])),\n  0\n)",
        "reranked": _or_none(
            f'sum by ({OF}) (rate(endpoint_fallbacks_total{{endpoint="gateway", reason!="no_reranker"}}[{window}]))',
            asked["reranked"],
        ),
    }
    return [
        Record(f"endpoint_track:{what}:rate{window}", expression, {"slo": name})
        for name in levels.request_objectives
        for what, expression in (("slo_requests", asked[name]), ("slo_bad_requests", bad[name]))
    ]


def _or_none(bad: str, asked: str) -> str:
    """The rate of bad ones, and 0 where none was ever counted."""
    return f"{bad}\nor\n0 * {asked}"


def _joined(seconds: int) -> list[Record]:
    """The same of a long window, for all objectives at once: every fifth minute's rate of five minutes leaves no gap.

    A sum and no mean: in the time before the first sample there were no requests, so that what came in a service's
    first ten minutes does not count as what comes all day.
    """
    return [
        Record(
            f"endpoint_track:{what}:rate{span(seconds)}",
            f"(\n  sum_over_time(endpoint_track:{what}:rate5m[{span(seconds)}:5m])\n  or\n"
            f"  endpoint_track:{what}:rate5m\n) * 300 / {seconds}",
        )
        for what in ("slo_requests", "slo_bad_requests")
    ]


def _burn_rates(levels: ServiceLevels) -> list[Record]:
    """How many times too fast the budget goes, window by window.

    ``burn_rate`` is of the long windows. In one with few requests the denominator is as large as would make the
    smallest number of bad requests just due: one error of three at night is a third of the requests and says nothing.

    ``measured_burn_rate`` tells whether it still goes: as it is, of windows with as many requests as that number.
    """
    records = []
    for name, objective in levels.request_objectives.items():
        of, budget = f'{{slo="{name}"}}', f"{objective.budget_share:g}"

        def burn(
            kind: str, window: str, denominator: str, of: str = of, budget: str = budget, name: str = name
        ) -> Record:
            bad = f"endpoint_track:slo_bad_requests:rate{window}{of}"
            expression = f"{bad}\n/\n{denominator}\n/\n{budget}"
            return Record(f"endpoint_track:slo_bad_requests:{kind}{window}", expression, {"slo": name})

        for one in BURNS:
            fewest = (levels.minimum_bad_requests - 0.5) / (one.factor(levels.window_days) * objective.budget_share)
            asked = f"endpoint_track:slo_requests:rate{span(one.long_seconds)}{of}"
            denominator = f"clamp_min({asked}, {fewest:.6g} / {one.long_seconds})"
            records.append(burn("burn_rate", span(one.long_seconds), denominator))
        for seconds in sorted({window for one in BURNS for window in one.recent_seconds}):
            asked = f"endpoint_track:slo_requests:rate{span(seconds)}{of}"
            enough = f"({asked} > {levels.minimum_bad_requests - 0.5:g} / {seconds})"
            records.append(burn("measured_burn_rate", span(seconds), enough))
    return records


def _budgets(levels: ServiceLevels) -> list[Record]:
    """Objective, share of bad ones now and over the budget's window, and the share of the budget that is left."""
    period = f"{levels.window_days}d"
    objective = [Record("slo:objective:ratio", f"vector({one.objective_share:g})", {"slo": name})
                 for name, one in levels.objectives.items()]  # fmt: skip

    def over_period(what: str) -> str:
        # hour by hour the rates of an hour; the last one alone until the first full hour
        rate = f"endpoint_track:{what}:rate1h"
        return f"(sum_over_time({rate}[{period}:1h]) or {rate})"

    return [
        *objective,
        Record(
            "endpoint_track:slo_bad_requests:ratio_rate5m",
            "endpoint_track:slo_bad_requests:rate5m\n/\n(endpoint_track:slo_requests:rate5m > 0)",
        ),
        Record(
            f"endpoint_track:slo_bad:ratio_rate{period}",
            f"{over_period('slo_bad_requests')}\n/\n({over_period('slo_requests')} > 0)",
        ),
        Record(
            f"endpoint_track:slo_bad:ratio_rate{period}",
            f"avg_over_time(endpoint_track:endpoint_index_stale:bool[{period}:1h])"
            "\nor\nendpoint_track:endpoint_index_stale:bool",
            {"slo": "freshness"},
        ),
        Record(
            "endpoint_track:slo_budget_left:ratio",
            f"1 - endpoint_track:slo_bad:ratio_rate{period}\n  / on (slo) group_left ()\n  (1 - slo:objective:ratio)",
        ),
    ]


_WORDS = {
    "availability": (
        "Availability",
        "requests with errors of ours",
        "Read which error it is in endpoint_errors_total by type, and roll back if it began with a change.",
        Panel("overview", "availability-budget"),
    ),
    "latency": (
        "Latency",
        "slow requests",
        "Compare queue wait with inference time: a full queue needs capacity, slow inference a look at the machine.",
        Panel("overview", "latency-budget"),
    ),
    "reranked": (
        "Reranked",
        "search answers that the cross-encoder has not ordered",
        "Read why in endpoint_fallbacks_total by reason, and look at the cross-encoder service.",
        Panel("overview", "reranked-budget"),
    ),
}


def _alert(levels: ServiceLevels, name: str, severity: Severity) -> Alert:
    """Both lines of the table with one severity.

    It ends when the short window is better again. Where that holds too few requests to say, the next longer one speaks:
    at night five minutes may hold none, which is no sign that the fault is over.
    """
    objective, (title, bad, action, panel) = levels.request_objectives[name], _WORDS[name]
    fast = severity is Severity.PAGE
    of = f'{{slo="{name}"}}'
    pairs = []
    for burn in (one for one in BURNS if one.severity is severity):
        factor, record = f"{burn.factor(levels.window_days):g}", "endpoint_track:slo_bad_requests"
        recent = " or ".join(f"{record}:measured_burn_rate{span(window)}{of}" for window in burn.recent_seconds)
        pairs.append(
            f"  {record}:burn_rate{span(burn.long_seconds)}{of} > {factor}\nunless\n  ({recent})\n  <= {factor}"
        )
    pace = "hours" if fast else "days"
    return Alert(
        name=f"{title}BudgetBurn{'Fast' if fast else 'Slow'}",
        expression="(\n" + "\n)\nor\n(\n".join(pairs) + "\n)",
        severity=severity if objective.pages else Severity.TICKET,
        summary=f"{{{{ $labels.endpoint }}}} ({{{{ $labels.track }}}}): the {name} budget goes in {pace}",
        description=f'Of {bad} there are {{{{ $value | printf "%.1f" }}}} times as many as the objective'
        f" ({100 * objective.objective_share:g} % in {levels.window_days} days) allows.",
        action=action,
        panel=panel,
        labels={"slo": name},
    )
