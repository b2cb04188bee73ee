"""The configuration of Prometheus: what promtool says of it, and that no target pushes a service's labels aside."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest
import yaml

from monitoring.prometheus_config import prometheus_config
from monitoring.rules.command import FOLDER
from monitoring.slo import SERVICES
from monitoring.tools import PROMTOOL, find_tool, tool


@pytest.fixture
def config() -> dict:
    return prometheus_config(Path("t"), Path("r"), "a:9093", "p:9091", "localhost:9090", interval_seconds=2)


@pytest.mark.skipif(find_tool(PROMTOOL) is None, reason="promtool is not here; run make monitoring-tools")
def test_promtool_takes_the_committed_file_with_all_its_rules():
    done = subprocess.run(
        [tool(PROMTOOL), "check", "config", FOLDER / "prometheus.yml"], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    assert f"{len(list((FOLDER / 'rules').glob('*.yaml')))} rule files found" in done.stdout


@pytest.mark.skipif(find_tool(PROMTOOL) is None, reason="promtool is not here; run make monitoring-tools")
def test_promtool_takes_one_with_short_intervals_and_folders_elsewhere(config, tmp_path):
    for job in SERVICES:
        (tmp_path / "t").mkdir(exist_ok=True)
        (tmp_path / "t" / f"{job}.json").write_text('[{"targets": ["127.0.0.1:1"]}]', encoding="utf-8")
    (tmp_path / "prometheus.yml").write_text(yaml.safe_dump(config), encoding="utf-8")
    done = subprocess.run(
        [tool(PROMTOOL), "check", "config", tmp_path / "prometheus.yml"], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    assert "WARNING" not in done.stdout + done.stderr


def test_jobs_are_called_like_endpoints_and_only_the_pushgateways_labels_are_kept(config):
    jobs = {job["job_name"]: job for job in config["scrape_configs"]}
    assert set(jobs) == {*SERVICES, "pushgateway", "prometheus", "alertmanager"}
    assert [name for name, job in jobs.items() if job.get("honor_labels")] == ["pushgateway"]
    assert "labels" not in str(config).replace("honor_labels", "")


def test_a_scrape_never_takes_longer_than_the_interval(config):
    assert (config["global"]["scrape_interval"], config["global"]["scrape_timeout"]) == ("2s", "2s")
