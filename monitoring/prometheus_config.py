"""What Prometheus scrapes, which rules it evaluates and where its alerts go: ``prometheus.yml`` as data."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from retrieval.names import BI_ENCODER, CROSS_ENCODER

INTERVAL = "15s"
SERVICES = ("gateway", BI_ENCODER, CROSS_ENCODER)
"""Jobs whose targets are in files, one a job."""


def prometheus_config(
    targets: Path, rules: Path, alertmanager: str, pushgateway: str, prometheus: str
) -> Mapping[str, object]:
    """The configuration.

    Args:
        targets: Folder with a file of targets for each service.
        rules: Folder of rules.
        alertmanager: ``HOST:PORT``, as of the next two.
        pushgateway: Its groups keep the labels that pipelines gave them.
        prometheus: Of this server itself.
    """
    services = [{"job_name": name, "file_sd_configs": [{"files": [f"{targets}/{name}.json"]}]} for name in SERVICES]
    return {
        "global": {"scrape_interval": INTERVAL, "evaluation_interval": INTERVAL, "scrape_timeout": "10s"},
        "rule_files": [f"{rules}/*.yaml"],
        "alerting": {"alertmanagers": [{"static_configs": [{"targets": [alertmanager]}]}]},
        "scrape_configs": [
            *services,
            {"job_name": "pushgateway", "honor_labels": True, "static_configs": [{"targets": [pushgateway]}]},
            {"job_name": "prometheus", "static_configs": [{"targets": [prometheus]}]},
            {"job_name": "alertmanager", "static_configs": [{"targets": [alertmanager]}]},
        ],
    }
