"""`make monitor` as it is: real servers, wired to a service, asked over HTTP, hurt, and stopped."""

from __future__ import annotations

import json
import signal
import socket
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from monitoring.monitor.targets import write_targets
from monitoring.pipeline_pushes import RunMetrics, push_run
from monitoring.tools import ALERTMANAGER, PROMETHEUS, PUSHGATEWAY, find_tool
from retrieval.processes.servers import LocalServer
from tests.helpers.monitor_process import Monitor, get, listens
from tests.helpers.serve_process import eventually, gone

pytestmark = pytest.mark.skipif(
    not all(map(find_tool, (PROMETHEUS, ALERTMANAGER, PUSHGATEWAY))),
    reason="no Prometheus, Alertmanager and Pushgateway here; make monitoring-tools unpacks them",
)
NONE = ("--gateway", "none", "--cross-encoder", "none")


@pytest.fixture
def start(tmp_path: Path) -> Iterator[Callable[..., Monitor]]:
    started: list[Monitor] = []

    def begin(*options: str, **variables: str) -> Monitor:
        started.append(Monitor(tmp_path, *options, **variables))
        return started[-1]

    yield begin
    for one in started:
        if one.process.poll() is None:
            one.stop()


def test_a_service_and_a_pipeline_are_seen_and_ctrl_c_leaves_no_process_and_no_port(
    start: Callable[..., Monitor], bi_encoder: LocalServer, tmp_path: Path
) -> None:
    monitor = start(*NONE, "--bi-encoder", f"127.0.0.1:{bi_encoder.port}")
    monitor.wait_until_ready()
    for name in monitor.ports:
        assert monitor.url(name) in monitor.said
    assert "alerts         are only shown on the page: TELEGRAM_BOT_TOKEN and TELEGRAM_CHAT_ID" in monitor.said
    assert get(monitor.url("page"))
    shown = next(line.split()[1] for line in monitor.said.splitlines() if line.startswith("Prometheus "))
    assert "Prometheus Time Series Collection" in get(shown)
    assert "<title>Prometheus Pushgateway" in get(monitor.url("pushgateway"))
    assert push_run(monitor.url("pushgateway"), RunMetrics("training", True, 1.0, 2.0), tmp_path)

    eventually(lambda: bool(monitor.query('endpoint_cold_starts_total{job="bi-encoder",endpoint="bi-encoder"}')))
    eventually(lambda: bool(monitor.query('pipeline_run_success{job="pipeline",pipeline="training"}')))
    eventually(lambda: len(monitor.query('up{job=~"prometheus|alertmanager|pushgateway|bi-encoder"} == 1')) == 4)
    assert monitor.query('up{job="gateway"}') == []
    rules = json.loads(get(monitor.url("prometheus", "/api/v1/rules")))["data"]["groups"]
    assert {rule["type"] for group in rules for rule in group["rules"]} == {"alerting", "recording"}
    discovered = json.loads(get(monitor.url("prometheus", "/api/v1/alertmanagers")))["data"]["activeAlertmanagers"]
    assert [one["url"] for one in discovered] == [monitor.url("alertmanager", "/api/v2/alerts")]
    flags = json.loads(get(monitor.url("prometheus", "/api/v1/status/flags")))["data"]
    assert flags["web.enable-lifecycle"] == flags["web.enable-admin-api"] == "false"
    assert flags["enable-feature"] == "exemplar-storage"

    write_targets(
        tmp_path / "data/targets", {"bi-encoder": [f"127.0.0.1:{bi_encoder.port}"], "gateway": ["127.0.0.1:9"]}
    )
    eventually(lambda: bool(monitor.query('up{job="gateway"} == 0')))  # read again without a restart

    children = monitor.children()
    assert len(children) == 4
    listening = {one.laddr.ip for child in children for one in child.net_connections() if one.status == "LISTEN"}
    assert listening == {"127.0.0.1"}
    assert monitor.stop() == 0
    assert monitor.said.endswith("\nstopped\n")
    assert gone(*children)
    assert monitor.ports_are_free()


def test_what_was_measured_and_pushed_outlives_a_restart(start: Callable[..., Monitor], tmp_path: Path) -> None:
    options = (*NONE, "--bi-encoder", "127.0.0.1:9")
    first = start(*options)
    first.wait_until_ready()
    push_run(first.url("pushgateway"), RunMetrics("training", True, 1.0, 2.0), tmp_path)
    eventually(lambda: bool(first.query('up{job="bi-encoder"} == 0')))
    (sample,) = first.query('timestamp(up{job="bi-encoder"})')
    assert first.stop() == 0

    second = start(*options)
    second.wait_until_ready()
    assert 'pipeline="training"' in get(second.url("pushgateway", "/metrics"))
    seen = float(sample["value"][1])
    (kept,) = json.loads(
        get(second.url("prometheus", f"/api/v1/query?query=up%7Bjob%3D%22bi-encoder%22%7D&time={seen:.3f}"))
    )["data"]["result"]
    assert kept["value"][1] == "0"


def test_a_taken_port_is_told_with_the_option_that_names_it(start: Callable[..., Monitor], tmp_path: Path) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        monitor = start("--alertmanager-port", str(port))
        assert monitor.wait() == 1
    assert f"error: port {port} is taken" in monitor.said
    assert "--alertmanager-port" in monitor.said


def test_a_second_one_on_the_same_data_is_refused_and_changes_nothing_of_the_first(
    start: Callable[..., Monitor], tmp_path: Path
) -> None:
    first = start(*NONE, "--bi-encoder", "127.0.0.1:9")
    first.wait_until_ready()
    files = [tmp_path / "data/targets/bi-encoder.json", tmp_path / "data/prometheus.yml"]
    before = [file.read_text(encoding="utf-8") for file in files]
    second = start(*NONE, "--bi-encoder", "127.0.0.1:10")
    assert second.wait() == 2
    assert "another make monitor keeps its data there; stop it, or name another with --data" in second.said
    assert [file.read_text(encoding="utf-8") for file in files] == before
    first.process.kill()  # the lock ends with the process
    first.wait()
    third = start(*NONE)
    third.wait_until_ready()


def test_a_server_that_ends_ends_all_with_its_last_words(start: Callable[..., Monitor]) -> None:
    monitor = start(*NONE)
    monitor.wait_until_ready()
    children = monitor.children()
    (prometheus,) = [one for one in children if "prometheus.yml" in " ".join(one.cmdline())]
    prometheus.send_signal(signal.SIGTERM)
    assert monitor.wait() == 1
    assert "error: Prometheus: ended with code 0" in monitor.said
    assert gone(*children)
    assert monitor.ports_are_free()


def test_killed_hard_it_takes_its_servers_with_it(start: Callable[..., Monitor]) -> None:
    monitor = start(*NONE)
    monitor.wait_until_ready()
    children = monitor.children()
    monitor.process.kill()
    monitor.wait()
    eventually(lambda: gone(*children))
    eventually(monitor.ports_are_free)
    assert not [port for port in monitor.ports.values() if listens(port)]


@pytest.mark.parametrize(
    ("options", "variables", "says"),
    [
        (("--gateway", "somewhere"), {}, "--gateway: got 'somewhere'; give HOST:PORT"),
        (("--gateway", "none", "--bi-encoder", "none", "--cross-encoder", "none"), {}, "every service is left out"),
        (("--gateway", "a:1", "--bi-encoder", "a:1"), {}, "a:1: given twice"),
        (("--retention", "soon"), {}, "--retention: got 'soon'; give a time such as"),
        (("--bin", "/nowhere"), {}, "--bin: /nowhere: no such folder"),
        (("--bin", "/"), {}, "--bin: /: holds none of prometheus, prometheus-alertmanager, prometheus-pushgateway"),
        (("--page-port", "9999", "--prometheus-port", "9999"), {}, "give four different ones"),
        ((), {"TELEGRAM_BOT_TOKEN": "1:x"}, "TELEGRAM_CHAT_ID: not set"),
        (("--ngrok",), {}, "--ngrok: NGROK_AUTHTOKEN is not set"),
        (("--ngrok",), {"NGROK_AUTHTOKEN": "x"}, "--ngrok: anybody could read the metrics; set MONITORING_NGROK_AUTH"),
        (("--ngrok-allow", "203.0.113.7/32"), {}, "--ngrok-allow: is for --ngrok"),
    ],
)
def test_a_slip_of_the_pen_is_told_and_nothing_is_started(
    start: Callable[..., Monitor], tmp_path: Path, options: tuple[str, ...], variables: dict[str, str], says: str
) -> None:
    monitor = start(*options, **variables)
    assert monitor.wait() == 2
    assert says in monitor.said
    assert not (tmp_path / "data").exists()
