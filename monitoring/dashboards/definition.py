"""All dashboards, with the numbers of ``slo.yaml`` in them."""

from __future__ import annotations

from monitoring.dashboards.endpoint import endpoint
from monitoring.dashboards.overview import overview
from monitoring.dashboards.panels import Dashboard
from monitoring.dashboards.pipeline import pipeline
from monitoring.slo import ServiceLevels, load_service_levels
from retrieval.names import BI_ENCODER, CROSS_ENCODER


def all_dashboards(levels: ServiceLevels | None = None) -> tuple[Dashboard, ...]:
    """In the order in which they are offered.

    Args:
        levels: Objectives and limits; default those of the project's ``slo.yaml``.

    Raises:
        ConfigError: If that file is wrong.
    """
    given = levels or load_service_levels()
    return (overview(given), pipeline(given), endpoint(BI_ENCODER, given), endpoint(CROSS_ENCODER, given))


def panel_ids(levels: ServiceLevels | None = None) -> dict[str, str]:
    """The dashboard of each panel, by ids: alerts link to ``PAGE/DASHBOARD#PANEL``.

    Args:
        levels: As of `all_dashboards`.
    """
    return {panel.id: dashboard.id for dashboard in all_dashboards(levels) for panel in dashboard.panels}
