"""Panels on a model's capacity: its queue, its starts and its cost."""

from __future__ import annotations

from monitoring.dashboards import promql
from monitoring.dashboards.panels import Kind, Limit, Panel, Query, Unit
from monitoring.dashboards.promql import LATELY
from monitoring.slo import ServiceLevels

NOBODY_ASKED = "Nobody asked in this time."
NOT_SCRAPED = "No such service was scraped twice in this time."


def queue(name: str, chosen: str, levels: ServiceLevels) -> tuple[Panel, ...]:
    """How long requests wait, and which are refused.

    Args:
        name: The model's endpoint.
        chosen: Matchers of what was chosen on the dashboard.
        levels: With the limit of the wait.
    """
    wait = levels.queue.wait_p95_seconds
    refused = f"sum by (reason) (increase(endpoint_rejections_total{{{chosen}}}[{LATELY}]))"
    return (
        Panel(
            id=f"{name}-queue-depth",
            title="Queue depth",
            shows="Rows that wait for the model.",
            normal="near 0; it swings under load.",
            action="if it stays high, see Queue wait; there are more requests than the model can take.",
            empty=NOT_SCRAPED,
            unit=Unit.ROWS,
            kind=Kind.TIME_SERIES,
            queries=(Query(f"max by (instance, track) (endpoint_queue_depth{{{chosen}}})", "{{instance}} {{track}}"),),
            width=8,
        ),
        Panel(
            id=f"{name}-queue-wait",
            title="Queue wait",
            shows="Time from arrival in the queue to the first forward.",
            normal=f"95 % below {wait:g} s.",
            action="add an instance or limit who sends so much.",
            empty=NOBODY_ASKED,
            unit=Unit.SECONDS,
            kind=Kind.TIME_SERIES,
            queries=tuple(
                Query(
                    promql.quantile(share, "endpoint_queue_wait_seconds", "track", chosen),
                    f"p{100 * share:g} {{{{track}}}}",
                )
                for share in (0.5, 0.95)
            ),
            limit=Limit(wait, f"alert at {wait:g} s for p95"),
            width=8,
        ),
        Panel(
            id=f"{name}-rejections",
            title="Rejections",
            shows="Requests dropped before any compute, by reason.",
            normal="0; client_gone now and then.",
            action="overloaded and deadline_passed: find out who sends so much, limit it or add an instance.",
            empty=NOT_SCRAPED,
            unit=Unit.COUNT,
            kind=Kind.BARS,
            queries=(Query(refused, "{{reason}}"),),
            width=8,
            stacked=True,
        ),
    )


def machine(name: str, chosen: str) -> tuple[Panel, ...]:
    """When processes began, and what they cost; arguments as of `queue`."""
    began = (
        f"sum by (instance) (increase(endpoint_cold_starts_total{{{chosen}}}[{LATELY}]))"
        f"\n+ on (instance)\nmax by (instance) (resets(endpoint_worker_seconds_total{{{chosen}}}[{LATELY}]))"
    )
    return (
        Panel(
            id=f"{name}-cold-starts",
            title="Cold starts",
            shows="Processes that began and loaded the model from nothing.",
            normal="one with each release; on serverless workers some in a day.",
            action="many in half an hour: read the log for why processes end; on RunPod raise the idle timeout.",
            empty=NOT_SCRAPED,
            unit=Unit.COUNT,
            kind=Kind.BARS,
            queries=(Query(began, "{{instance}}"),),
            stacked=True,
        ),
        Panel(
            id=f"{name}-cost",
            title="Cost by phase",
            shows="Dollars an hour that its machines cost, by what they did.",
            normal="mostly requests; idle seconds at night.",
            action="much idle cost points to workers that stay too long, cold starts to workers that leave too early.",
            empty=NOT_SCRAPED,
            unit=Unit.DOLLARS_PER_HOUR,
            kind=Kind.BARS,
            queries=(Query(f"3600 * {promql.rate('endpoint_cost_usd_total', LATELY, 'phase', chosen)}", "{{phase}}"),),
            stacked=True,
        ),
    )
