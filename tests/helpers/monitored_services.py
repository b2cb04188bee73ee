"""Real services with a canary, watched by the real Prometheus, Alertmanager and Pushgateway; traffic that is seen."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path

import httpx
import yaml

from monitoring.alertmanager.config import alertmanager_config
from monitoring.monitor.servers import alertmanager_command, prometheus_command
from monitoring.pipeline_pushes import EvaluationValue, RunMetrics, push_run
from monitoring.prometheus_config import prometheus_config
from monitoring.tools import ALERTMANAGER, PROMETHEUS, command_of
from retrieval.processes.servers import LocalServer, free_port, running
from tests.helpers.monitoring_servers import pushgateway
from tests.helpers.service_processes import service
from tests.helpers.tiny_bundle import QUESTION

RULES = Path(__file__).parents[2] / "monitoring" / "prometheus" / "rules"
READY_SECONDS = 60.0
_MEASURED = (
    EvaluationValue("recall@10", "hybrid", "questions", 0.91),
    EvaluationValue("mrr@10", "hybrid", "questions", 0.72),
    EvaluationValue("mrr@10", "reranked", "questions", 0.81),
)


@dataclass(frozen=True)
class Monitored:
    """What runs."""

    prometheus: LocalServer
    alertmanager: LocalServer
    pushgateway: LocalServer
    gateway: LocalServer
    canary: LocalServer
    bi_encoder: LocalServer
    cross_encoder: LocalServer

    @property
    def services(self) -> tuple[LocalServer, ...]:
        """Those that are asked questions; the canary is a second gateway."""
        return (self.gateway, self.canary, self.bi_encoder, self.cross_encoder)

    def ask(self) -> None:
        """One round of traffic: answers, and mistakes of a client's at each service."""
        with httpx.Client(timeout=60) as client:
            for gateway in (self.gateway, self.canary):
                client.post(f"{gateway.url}/search", json={"question": QUESTION})
            passages = ["toà án nhân dân " * 40, QUESTION]
            client.post(f"{self.bi_encoder.url}/infer", json={"action": "batch_embed", "texts": passages})
            pair = {"query": QUESTION, "document": passages[0]}
            client.post(f"{self.cross_encoder.url}/infer", json={"action": "score_pair", **pair})
            client.post(f"{self.gateway.url}/search", json={"question": ""})
            for model in (self.bi_encoder, self.cross_encoder):
                client.post(f"{model.url}/infer", json={"action": "nothing"})

    def push_runs(self) -> None:
        """A training that went well, and an evaluation that failed, which raises an alert at once."""
        now = time.time()
        gates = {"not_worse": True, "latency": False}
        for run in (
            RunMetrics("training", True, 412.5, now, _MEASURED, gates),
            RunMetrics("evaluation", False, 31.0, now),
        ):
            assert push_run(self.pushgateway.url, run, None)


@contextmanager
def monitored(bundle: Path, folder: Path, interval_seconds: int = 1) -> Iterator[Monitored]:
    """Run everything until the block ends.

    Args:
        bundle: What is served.
        folder: For logs and what Prometheus keeps.
        interval_seconds: Between scrapes and evaluations.
    """
    with ExitStack() as opened:

        def serve(module: str, name: str, **variables: str) -> LocalServer:
            settings = {"RETRIEVER_THREADS": "1", "RETRIEVER_MACHINE_USD_PER_HOUR": "0.2", **variables}
            return opened.enter_context(service(module, bundle, folder / f"{name}.log", settings))

        bi_encoder, cross_encoder = serve("bi_encoder_service", "bi-encoder"), serve("cross_encoder_service", "cross")
        behind = {"RETRIEVER_BI_ENCODER_URL": bi_encoder.url, "RETRIEVER_CROSS_ENCODER_URL": cross_encoder.url}
        behind["RETRIEVER_RERANK_BUDGET_SECONDS"] = "30"
        gateway = serve("gateway", "gateway", **behind)
        canary = serve("gateway", "canary", RETRIEVER_TRACK="canary", **behind)
        pushed = opened.enter_context(pushgateway(folder))
        alertmanager = opened.enter_context(_alertmanager(folder))
        targets = {"gateway": [gateway, canary], "bi-encoder": [bi_encoder], "cross-encoder": [cross_encoder]}
        prometheus = opened.enter_context(_prometheus(targets, alertmanager, pushed, folder, interval_seconds))
        yield Monitored(prometheus, alertmanager, pushed, gateway, canary, bi_encoder, cross_encoder)


@contextmanager
def _alertmanager(folder: Path) -> Iterator[LocalServer]:
    port = free_port()
    config = folder / "alertmanager.yml"
    config.write_text(yaml.safe_dump(alertmanager_config(None)))
    command = alertmanager_command(command_of(ALERTMANAGER), port, config, folder / "alerts")
    with running("alertmanager", command, port, {}, folder / "alertmanager.log") as server:
        server.wait_until_ready("/-/ready", READY_SECONDS)
        yield server


@contextmanager
def _prometheus(
    targets: dict[str, list[LocalServer]],
    alertmanager: LocalServer,
    pushed: LocalServer,
    folder: Path,
    interval_seconds: int,
) -> Iterator[LocalServer]:
    port = free_port()
    for job, servers in targets.items():
        found = [{"targets": [f"127.0.0.1:{server.port}" for server in servers]}]
        (folder / f"{job}.json").write_text(json.dumps(found))
    own = f"127.0.0.1:{port}"
    others = (f"127.0.0.1:{server.port}" for server in (alertmanager, pushed))
    config = prometheus_config(folder, RULES, *others, own, interval_seconds)
    file = folder / "prometheus.yml"
    file.write_text(yaml.safe_dump(config))
    command = prometheus_command(command_of(PROMETHEUS), port, file, folder / "kept")
    with running("prometheus", command, port, {}, folder / "prometheus.log") as server:
        server.wait_until_ready("/-/ready", READY_SECONDS)
        yield server
