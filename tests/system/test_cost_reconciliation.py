"""A bill beside the worker-seconds that a real Prometheus holds."""

from __future__ import annotations

import subprocess
from datetime import UTC, datetime
from pathlib import Path

import pytest

from monitoring.cost.command import main
from monitoring.tools import PROMETHEUS, PROMTOOL, find_tool, tool
from retrieval.processes.servers import free_port, running

pytestmark = pytest.mark.skipif(
    find_tool(PROMETHEUS) is None, reason="no Prometheus here; make monitoring-tools unpacks one"
)
DAY = datetime(2026, 11, 29, tzinfo=UTC)
RATES = {("bi-encoder", "a"): 1.0, ("bi-encoder", "b"): 0.5, ("cross-encoder", "a"): 0.25}
"""Worker-seconds a second, by endpoint and replica."""
USD_PER_SECOND = 0.00019


def samples() -> str:
    """Two days of both counters every five minutes; replica b begins anew in the middle of the first day."""
    lines = []
    for metric, factor in (("endpoint_worker_seconds", 1.0), ("endpoint_cost_usd", USD_PER_SECOND)):
        lines += [f"# HELP {metric} of a test", f"# TYPE {metric} counter"]
        for (endpoint, replica), rate in RATES.items():
            for step in range(2 * 288 + 1):
                seconds = step * 300.0
                counted = seconds - 43200.0 if replica == "b" and seconds > 43200 else seconds
                labels = f'endpoint="{endpoint}",instance="{replica}",phase="idle"'
                lines.append(f"{metric}_total{{{labels}}} {counted * rate * factor} {DAY.timestamp() + seconds}")
    return "\n".join([*lines, "# EOF", ""])


def bill(folder: Path, seconds: float) -> str:
    row = f"ep1,{DAY:%Y-%m-%d},NVIDIA L4,{seconds},{seconds * USD_PER_SECOND}\n"
    (folder / "bill.csv").write_text(f"endpoint,date,gpu,seconds,amount\n{row}")
    return str(folder / "bill.csv")


def test_the_seconds_of_all_replicas_in_a_day_are_compared_over_a_restart(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
):
    (tmp_path / "samples.txt").write_text(samples())
    command = [str(tool(PROMTOOL)), "tsdb", "create-blocks-from", "openmetrics", "samples.txt", "data"]
    subprocess.run(command, cwd=tmp_path, check=True, capture_output=True)
    (tmp_path / "prometheus.yml").write_text("scrape_configs: []\n")
    port, name = free_port(), f"{DAY:%Y-%m-%d}"
    kept = [f"--storage.tsdb.path={tmp_path}/data", "--storage.tsdb.retention.time=100y"]
    options = [f"--config.file={tmp_path}/prometheus.yml", *kept, f"--web.listen-address=127.0.0.1:{port}"]
    with running("Prometheus", [str(tool(PROMETHEUS)), *options], port, {}, tmp_path / "prometheus.log") as server:
        server.wait_until_ready("/-/ready", 60)
        asked = ["--prometheus", server.url, "--endpoint", "ep1=bi-encoder", "--endpoint", "=cross-encoder"]
        assert main(["reconcile", bill(tmp_path, 1.5 * 86400), *asked]) == 0
        assert main(["reconcile", bill(tmp_path, 2.0 * 86400), *asked]) == 1
    out = capsys.readouterr().out.splitlines()
    agreed, off = [line.split() for line in out if line.startswith("bi-encoder") and name in line]
    assert agreed[:2] == ["bi-encoder", name]
    assert float(agreed[2]) == pytest.approx(129600, rel=0.01)
    assert float(off[4].rstrip("%")) == pytest.approx(-25.0, abs=0.5)
