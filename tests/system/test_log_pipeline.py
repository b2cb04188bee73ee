"""Lines that real services write to files, through the stages of Alloy and Promtail, to the alerts that they raise."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path

import httpx
import pytest

from deployment.bundle.format import Bundle
from retrieval.names import BI_ENCODER, CROSS_ENCODER
from retrieval.processes.servers import LocalServer, free_port, running
from tests.helpers.log_pipelines import CONFIG, CONTAINERS, PROMTAIL, rules
from tests.helpers.log_stages import Entry, alloy_stages, promtail_stages, run
from tests.helpers.logql import LogAlert
from tests.helpers.service_processes import START_SECONDS, service
from tests.helpers.tiny_bundle import QUESTION

MISTAKE = "made to fail"
FOLLOWED = "follow-me-1"
FAULTS = 11  # two lines of errors each: more than LogErrorBurst bears
FAULTY_SERVICE = f"""
import sys
from deployment.api import handlers
async def fail(*_):
    raise RuntimeError({MISTAKE!r})
handlers.answer_bi_encoder = fail
from deployment.bi_encoder_service.__main__ import main
sys.exit(main())
"""
DYING_PROCESS = "from monitoring.logs import set_up_logs; set_up_logs('auto'); raise MemoryError('no more')"
PIPELINES = [alloy_stages(CONFIG), alloy_stages(CONTAINERS), *promtail_stages(PROMTAIL)]
ALERTS = {name: LogAlert.read(rule["expr"]) for name, rule in rules().items()}


@dataclass(frozen=True)
class Written:
    """What services wrote, by file.

    Attributes:
        logs: Name of a service, as its file has it, and lines.
        well: How many lines files had before anything went wrong.
    """

    logs: dict[str, tuple[str, list[str]]]
    well: dict[str, int]

    def entries(self, *names: str) -> list[Entry]:
        """What Loki is sent of some files; all pipelines agree."""
        return [entry for name in names for entry in through_stages(*self.logs[name])]


def through_stages(named: str, lines: list[str]) -> list[Entry]:
    read_with = {"service": named, "filename": f"/srv/{named}.log", "job": "files"}
    results = [[run(stages, line, read_with) for line in lines] for stages in PIPELINES]
    assert all(result == results[0] for result in results)
    return [entry for entry in results[0] if entry is not None]


@pytest.fixture(scope="module")
def written(bundle: Bundle, tmp_path_factory: pytest.TempPathFactory) -> Written:
    """Services that are asked and lose the reranker; one has a broken bundle, one fails, two do not start."""
    folder = tmp_path_factory.mktemp("written")
    files = {name: (named, folder / f"{name}.log") for name, named in (
        ("bi-encoder", BI_ENCODER), ("cross-encoder", CROSS_ENCODER), ("gateway", "gateway"),
        ("broken", BI_ENCODER), ("faulty", BI_ENCODER), ("refused", BI_ENCODER), ("dying", BI_ENCODER),
    )}  # fmt: skip
    paths = {name: path for name, (_, path) in files.items()}
    with ExitStack() as opened:
        well = _traffic(opened, bundle, paths)
        (folder / "empty").mkdir()
        ended = [
            opened.enter_context(service("bi_encoder_service", folder / "empty", paths["broken"], ready=False)),
            opened.enter_context(
                service("bi_encoder_service", Path(), paths["refused"], {"RETRIEVER_TRACK": "x"}, False)
            ),
            opened.enter_context(
                running("dying", [sys.executable, "-c", DYING_PROCESS], free_port(), {}, paths["dying"])
            ),
        ]
        _fail(opened, bundle, paths["faulty"])
        for server in ended:
            server.process.wait(START_SECONDS)
    return Written({name: (named, path.read_text("utf-8").splitlines()) for name, (named, path) in files.items()}, well)


def _traffic(opened: ExitStack, bundle: Bundle, logs: dict[str, Path]) -> dict[str, int]:
    """Questions that are written down, a client's mistake, then a reranker that is gone."""

    def serve(module: str, name: str, **variables: str) -> LocalServer:
        return opened.enter_context(service(module, bundle.folder, logs[name], variables, ready=False))

    bi_encoder = serve("bi_encoder_service", "bi-encoder", RETRIEVER_LOG_QUESTIONS="true")
    cross_encoder = serve("cross_encoder_service", "cross-encoder")
    behind = {"RETRIEVER_BI_ENCODER_URL": bi_encoder.url, "RETRIEVER_CROSS_ENCODER_URL": cross_encoder.url}
    gateway = serve("gateway", "gateway", RETRIEVER_TRACK="canary", RETRIEVER_RERANK_BUDGET_SECONDS="20",
                    RETRIEVER_OTLP_ENDPOINT=f"http://127.0.0.1:{free_port()}", **behind)  # fmt: skip
    for server in (bi_encoder, cross_encoder, gateway):
        server.wait_until_ready("/ready", START_SECONDS)
    headers = {"x-request-id": FOLLOWED}
    with httpx.Client(timeout=60) as client:
        asked = client.post(f"{gateway.url}/search", json={"question": QUESTION}, headers=headers)
        assert asked.status_code == 200
        assert client.post(f"{gateway.url}/search", json={}).status_code == 422
        well = {
            name: len(logs[name].read_text("utf-8").splitlines()) for name in (BI_ENCODER, CROSS_ENCODER, "gateway")
        }
        cross_encoder.process.terminate()
        cross_encoder.process.wait(START_SECONDS)
        for _ in range(4):
            assert client.post(f"{gateway.url}/search", json={"question": QUESTION}).status_code == 200
    return well


def _fail(opened: ExitStack, bundle: Bundle, log: Path) -> None:
    """A service whose code has a mistake, and that is asked."""
    port = free_port()
    variables = {"RETRIEVER_BUNDLE": str(bundle.folder), "RETRIEVER_PORT": str(port)}
    command = [sys.executable, "-c", FAULTY_SERVICE]
    server = opened.enter_context(running("faulty", command, port, variables, log))
    server.wait_until_ready("/ready", START_SECONDS)
    for _ in range(FAULTS):
        asked = httpx.post(f"{server.url}/infer", json={"action": "embed", "text": QUESTION}, timeout=60)
        assert asked.status_code == 500


@pytest.fixture(scope="module")
def alerts(written: Written) -> Iterator[dict[str, dict[str, dict[tuple[str, ...], int]]]]:
    """By file: the alerts that its lines raise."""
    yield {
        name: {title: found for title, one in ALERTS.items() if (found := one.firing(written.entries(name)))}
        for name in written.logs
    }


def test_into_a_file_services_write_json_without_being_told(written: Written):
    for name in ("bi-encoder", "cross-encoder", "gateway", "broken", "faulty", "dying"):
        assert all(isinstance(json.loads(line), dict) for line in written.logs[name][1]), name


def test_every_line_of_a_service_has_its_labels_and_a_time(written: Written):
    for name, track in (
        ("bi-encoder", "stable"),
        ("cross-encoder", "stable"),
        ("gateway", "canary"),
        ("faulty", "stable"),
    ):
        for entry in written.entries(name):
            assert set(entry.labels) == {"service", "level", "track"}
            assert (entry.labels["service"], entry.labels["track"]) == (written.logs[name][0], track)
            assert entry.timestamp is not None
            assert entry.metadata["model_version"]


def test_one_request_is_followed_through_three_services_by_its_id(written: Written):
    entries = written.entries("bi-encoder", "cross-encoder", "gateway")
    of_it = [one for one in entries if one.metadata.get("request_id") == FOLLOWED]
    assert {one.labels["service"] for one in of_it} == {"gateway", BI_ENCODER, CROSS_ENCODER}
    assert all("answered" in one.line for one in of_it)
    assert [len(one.metadata["trace_id"]) for one in of_it if one.labels["service"] == "gateway"] == [32]


def test_questions_that_were_written_down_are_not_sent(written: Written):
    assert any(QUESTION in line for line in written.logs["bi-encoder"][1])
    assert not [one for one in written.entries(*written.logs) if QUESTION in one.line]


def test_a_line_from_before_logging_was_set_up_is_sent_under_the_name_of_its_file(written: Written):
    entries = written.entries("refused")
    assert [one for one in entries if one.line.startswith("error: ")]
    assert all(one.labels == {"service": BI_ENCODER} and one.timestamp is None for one in entries)


def test_healthy_services_raise_no_alert(written: Written):
    for name, count in written.well.items():
        named, lines = written.logs[name]
        entries = through_stages(named, lines[:count])
        assert entries
        assert {title for title, one in ALERTS.items() if one.firing(entries)} == set()


def test_a_bundle_that_cannot_be_loaded_raises_its_alert_alone(alerts):
    assert alerts["broken"] == {"LogBundleNotLoaded": {(BI_ENCODER, "stable"): 1}}


def test_a_reranker_that_is_gone_raises_the_alert_of_the_circuit_alone(alerts):
    assert alerts["gateway"] == {"LogCircuitOpen": {("gateway", "canary"): 1}}
    assert alerts["bi-encoder"] == alerts["cross-encoder"] == {}


def test_a_mistake_in_the_code_raises_tracebacks_and_in_the_end_a_burst(alerts, written: Written):
    assert alerts["faulty"] == {
        "LogUnhandledException": {(BI_ENCODER, "stable"): FAULTS},
        "LogErrorBurst": {(BI_ENCODER, "stable"): 2 * FAULTS},
    }
    one_request = [one for one in written.entries("faulty") if one.labels["level"] == "ERROR"][:2]
    assert ALERTS["LogErrorBurst"].firing(one_request) == {}


def test_a_process_that_dies_of_an_error_raises_the_alert_of_tracebacks(alerts):
    assert alerts["dying"] == {"LogUnhandledException": {(BI_ENCODER, ""): 1}}
