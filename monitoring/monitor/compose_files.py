"""The files that Prometheus and Alertmanager are given in ``monitoring/compose.yaml``, where services have names.

``python -m monitoring.monitor.compose_files`` writes them, ``--check`` only compares.
"""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Sequence
from pathlib import Path

import yaml

from monitoring.alertmanager.config import alertmanager_config
from monitoring.monitor.targets import GATEWAY
from monitoring.prometheus_config import prometheus_config
from retrieval.names import BI_ENCODER, CROSS_ENCODER

FOLDER = Path(__file__).resolve().parents[1] / "compose"
COMMAND = "python -m monitoring.monitor.compose_files"
TARGETS = {GATEWAY: "gateway:8100", BI_ENCODER: "bi-encoder:8101", CROSS_ENCODER: "cross-encoder:8102"}


def compose_files() -> dict[str, str]:
    """Contents by path within the folder."""
    inside = Path("/etc/prometheus")
    config = prometheus_config(
        targets=inside / "targets",
        rules=inside / "rules",
        alertmanager="alertmanager:9093",
        pushgateway="pushgateway:9091",
        prometheus="localhost:9090",
    )
    head = f"# Made by `{COMMAND}`; change that and run it again.\n"
    targets = {f"targets/{name}.json": json.dumps([{"targets": [one]}]) + "\n" for name, one in TARGETS.items()}
    return {
        "prometheus.yml": head + yaml.safe_dump(config, sort_keys=False),
        "alertmanager.yml": head + yaml.safe_dump(alertmanager_config(None), sort_keys=False),
        **targets,
    }


def main(argv: Sequence[str] | None = None, folder: Path = FOLDER) -> int:
    """Write or compare; 1 if a file is to be written again."""
    parser = argparse.ArgumentParser(prog=COMMAND, description="Write the files of monitoring/compose.yaml.")
    parser.add_argument("--check", action="store_true", help="write nothing; exit 1 if a file is not as it would be")
    check = parser.parse_args(argv).check
    wrong = 0
    for name, text in compose_files().items():
        path = folder / name
        if check and not (path.is_file() and path.read_text(encoding="utf-8") == text):
            sys.stderr.write(f"{path}: is not what it would be; write it again with {COMMAND}\n")
            wrong = 1
        elif not check:
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(text, encoding="utf-8")
    return wrong


if __name__ == "__main__":
    sys.exit(main())
