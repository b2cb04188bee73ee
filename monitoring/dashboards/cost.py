"""Panels on what all endpoints cost."""

from __future__ import annotations

from monitoring.dashboards import promql
from monitoring.dashboards.panels import Kind, Limit, Panel, Query, Unit
from monitoring.dashboards.promql import BY, LATELY
from monitoring.slo import ServiceLevels


def cost(levels: ServiceLevels, chosen: str) -> tuple[Panel, ...]:
    """Dollars by phase, by thousand requests, and of the month.

    Args:
        levels: With the budget.
        chosen: Matchers of what was chosen on the dashboard.
    """
    budget = levels.cost.budget_usd_a_month
    spent = "sum(endpoint_track:endpoint_cost_usd:sum30d) or sum(increase(endpoint_cost_usd_total[1h]))"
    return (
        Panel(
            id="cost-rate",
            title="Cost by phase",
            shows="Dollars an hour that the machines cost, by what they did.",
            normal="mostly requests; idle seconds at night.",
            action="much idle cost points to workers that stay too long, cold starts to workers that leave too early.",
            empty="No service that counts its cost was scraped twice in this time.",
            unit=Unit.DOLLARS_PER_HOUR,
            kind=Kind.BARS,
            queries=(Query(f"3600 * {promql.rate('endpoint_cost_usd_total', LATELY, 'phase', chosen)}", "{{phase}}"),),
            stacked=True,
        ),
        Panel(
            id="cost-per-1k",
            title="Cost of 1,000 requests",
            shows="Dollars of the machine since start for each thousand requests, idle seconds too.",
            normal="falls with traffic, as idle seconds are shared by more requests.",
            action="compare with Cost by phase; a machine that idles costs the same.",
            empty="No service that counts its cost was scraped twice in this time.",
            unit=Unit.DOLLARS,
            kind=Kind.STAT,
            queries=(Query(f"max by ({BY}) (endpoint_cost_per_1k_requests{{{chosen}}})", "{{endpoint}} {{track}}"),),
        ),
        Panel(
            id="cost-budget",
            title="Spent in 30 days",
            shows=f"Dollars of compute in the last 30 days, of a budget of {budget:g}.",
            normal=f"below {budget:g} USD.",
            action="see in Cost by phase where it goes; fewer or smaller workers, or a larger budget.",
            empty="No service that counts its cost was scraped in the last hour.",
            unit=Unit.DOLLARS,
            kind=Kind.STAT,
            queries=(Query(spent, "all endpoints"),),
            limit=Limit(budget, f"budget {budget:g} USD"),
        ),
    )
