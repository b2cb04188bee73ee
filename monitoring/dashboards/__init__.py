"""Dashboards as data: one definition of every panel, from which Grafana's JSON and the page of our own are made."""

from monitoring.dashboards.definition import all_dashboards, panel_ids

__all__ = ["all_dashboards", "panel_ids"]
