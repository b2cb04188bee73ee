"""Files of the way of logs, and the LogQL in all that is committed."""

from __future__ import annotations

import json
import re
from pathlib import Path

import yaml

ROOT = Path(__file__).parents[2]
CONFIG = ROOT / "monitoring/alloy/config.alloy"
CONTAINERS = ROOT / "monitoring/alloy/containers.alloy"
PROMTAIL = ROOT / "monitoring/promtail/promtail.yaml"
LOKI = ROOT / "monitoring/loki/loki.yaml"
RULES = ROOT / "monitoring/loki/rules"
DASHBOARDS = ROOT / "monitoring/grafana/dashboards"
PAGES = (ROOT / "docs/runbooks.md", ROOT / "docs/logs.md")


def rules() -> dict[str, dict]:
    """Log alerts as Loki reads them, by name."""
    texts = [yaml.safe_load(path.read_text(encoding="utf-8")) for path in RULES.glob("*/*")]
    return {rule["alert"]: rule for text in texts for group in text["groups"] for rule in group["rules"]}


def dashboard_queries() -> dict[str, str]:
    """Of panels whose data Loki has, by dashboard and panel."""
    found = {}
    for path in sorted(DASHBOARDS.glob("*.json")):
        for panel in json.loads(path.read_text(encoding="utf-8"))["panels"]:
            for target in panel.get("targets", []):
                source = target.get("datasource") or panel.get("datasource") or {}
                if source.get("type") == "loki":
                    found[f"{path.stem}: {panel['title']} {target['refId']}"] = target["expr"]
    return found


def written_queries() -> dict[str, str]:
    """Of the documentation, by page and place."""
    texts = {path.name: path.read_text(encoding="utf-8") for path in PAGES}
    blocks = {name: re.findall(r"```logql\n(.*?)```", text, flags=re.DOTALL) for name, text in texts.items()}
    lines = ((name, line) for name, found in blocks.items() for block in found for line in block.splitlines())
    return {f"{name} {number}": line for number, (name, line) in enumerate(lines)}
