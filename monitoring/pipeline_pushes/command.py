"""``python -m monitoring.pipeline_pushes list | delete NAME``: the pipelines a Pushgateway knows, and ending one."""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Sequence
from datetime import UTC, datetime

from monitoring.pipeline_pushes.pushgateway import ADDRESS, Group, Pushgateway
from retrieval.errors import ConfigError, RetrievalError

_DEFAULT = "http://127.0.0.1:9091"


def main(argv: Sequence[str] | None = None) -> int:
    """List or delete; 0 if that went well, 1 if the Pushgateway does not answer, 2 on bad input."""
    given = _arguments(argv)
    try:
        pushgateway = Pushgateway(given.pushgateway or os.environ.get(ADDRESS) or _DEFAULT)
        if given.action == "delete":
            pushgateway.delete(given.name)
            lines = [f"{given.name}: deleted at {pushgateway.address}"]
        else:
            lines = table(pushgateway.groups()) or [f"no pipeline at {pushgateway.address}"]
    except RetrievalError as error:
        sys.stderr.write(f"error: {error}\n")
        return 2 if isinstance(error, ConfigError) else 1
    sys.stdout.write("\n".join([*lines, ""]))
    return 0


def table(groups: Sequence[Group]) -> list[str]:
    """A line a pipeline, under a head; empty without pipelines."""
    if not groups:
        return []
    lines = [f"{'pipeline':16}{'last run':12}{'ended (UTC)':22}{'last success (UTC)':22}{'dropped':>7}"]
    for group in groups:
        success = group.values.get("pipeline_run_success")
        outcome = "-" if success is None else "succeeded" if success else "failed"
        ended = _moment(group.values.get("pipeline_run_timestamp_seconds"))
        well = _moment(group.values.get("pipeline_last_success_timestamp_seconds"))
        dropped = int(group.values.get("pipeline_pushes_dropped_total", 0.0))
        lines.append(f"{group.pipeline:16}{outcome:12}{ended:22}{well:22}{dropped:>7}")
    return lines


def _moment(seconds: float | None) -> str:
    return "-" if not seconds else f"{datetime.fromtimestamp(seconds, UTC):%Y-%m-%d %H:%M:%S}"


def _arguments(argv: Sequence[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        prog="python -m monitoring.pipeline_pushes", description="What a Pushgateway holds of pipelines."
    )
    where = argparse.ArgumentParser(add_help=False)
    where.add_argument("--pushgateway", metavar="URL", help=f"default {ADDRESS}, else {_DEFAULT}")
    actions = parser.add_subparsers(dest="action", required=True)
    actions.add_parser("list", parents=[where], help="the pipelines and how their last run went")
    delete = actions.add_parser("delete", parents=[where], help="forget a pipeline that is retired")
    delete.add_argument("name", metavar="NAME", help="of the pipeline, as list shows it")
    return parser.parse_args(argv)
