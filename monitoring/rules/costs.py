"""Alerts on money: what was spent, and what the month would cost at the pace of the last day."""

from __future__ import annotations

from monitoring.rules.model import OF, Alert, Group, Panel, Record, Severity
from monitoring.slo import ServiceLevels

_RATE = "endpoint_track:endpoint_cost_usd:rate1h"
_SPENT, _PACE = "endpoint_track:endpoint_cost_usd:sum30d", "endpoint_track:endpoint_cost_usd:sum1d"


def costs(levels: ServiceLevels) -> Group:
    """Rules on cost."""
    budget = levels.cost.budget_usd_a_month
    return Group(
        "costs",
        "dollars of compute against the month's budget",
        (
            Record(_RATE, f"sum by ({OF}) (rate(endpoint_cost_usd_total[1h]))"),
            Record(_SPENT, _sum_over("30d")),
            Record(_PACE, _sum_over("1d")),
            Record("cost:budget_usd:month", f"vector({budget:g})"),
            Record("cost:budget_left:ratio", f"1 - sum({_SPENT}) / scalar(cost:budget_usd:month)"),
            Alert(
                name="CostBudgetSpent",
                expression=f"sum({_SPENT}) > {budget:g}",
                hold="5m",
                severity=Severity.TICKET,
                summary="the budget for compute is spent",
                description='In the last 30 days compute cost {{ $value | printf "%.2f" }} USD;'
                f" the budget is {budget:g} USD.",
                action="See which endpoint and phase it went to; fewer or smaller workers, or a larger budget.",
                panel=Panel("overview", "cost-budget"),
            ),
            Alert(
                name="CostPaceHigh",
                expression=f"30 * sum({_PACE}) > {budget:g}",
                hold="15m",
                severity=Severity.TICKET,
                summary="compute costs more a day than the budget allows",
                description='At the pace of the last day a month costs {{ $value | printf "%.2f" }} USD;'
                f" the budget is {budget:g} USD.",
                action="See which endpoint and phase it goes to; idle seconds point to workers that stay too long.",
                panel=Panel("overview", "cost-rate"),
            ),
        ),
    )


def _sum_over(period: str) -> str:
    """Dollars of a period, hour by hour; until the first full hour what the last hour cost."""
    return f"(\n  sum_over_time({_RATE}[{period}:1h])\n  or\n  {_RATE}\n) * 3600"
