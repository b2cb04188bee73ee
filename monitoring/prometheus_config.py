"""What Prometheus scrapes, which rules it evaluates and where its alerts go: ``prometheus.yml`` as data."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from monitoring.slo import SERVICES

INTERVAL_SECONDS = 15
"""Between scrapes, and between evaluations: rules read rates of one minute, which needs four samples."""
_LONGEST_TIMEOUT_SECONDS = 10


def prometheus_config(
    targets: Path,
    rules: Path,
    alertmanager: str,
    pushgateway: str,
    prometheus: str,
    interval_seconds: int = INTERVAL_SECONDS,
) -> dict[str, Any]:
    """The configuration; relative folders are seen from the file that it is written to.

    No target carries labels of its own: a service says itself which endpoint and track it is, and a label that a
    target has as well would push that aside as ``exported_endpoint``.

    Args:
        targets: Folder with a file of targets for each service, read again whenever it changes.
        rules: Folder of rules.
        alertmanager: ``HOST:PORT``, as of the next two.
        pushgateway: Its groups keep the labels that pipelines gave them.
        prometheus: Of this server itself.
        interval_seconds: Between scrapes and between evaluations; more than the default makes alerts late or silent.
    """
    interval = f"{interval_seconds}s"
    services = [{"job_name": name, "file_sd_configs": [{"files": [f"{targets}/{name}.json"]}]} for name in SERVICES]
    return {
        "global": {
            "scrape_interval": interval,
            "evaluation_interval": interval,
            "scrape_timeout": f"{min(interval_seconds, _LONGEST_TIMEOUT_SECONDS)}s",
        },
        "rule_files": [f"{rules}/*.yaml"],
        "alerting": {"alertmanagers": [{"static_configs": [{"targets": [alertmanager]}]}]},
        "scrape_configs": [
            *services,
            {"job_name": "pushgateway", "honor_labels": True, "static_configs": [{"targets": [pushgateway]}]},
            {"job_name": "prometheus", "static_configs": [{"targets": [prometheus]}]},
            {"job_name": "alertmanager", "static_configs": [{"targets": [alertmanager]}]},
        ],
    }
