"""Lineage a person can look at: the dashboard and the MLflow UI in a real browser, and a version's story in print.

With README_SCREENSHOTS=1 in the environment the pictures of the README are written into docs/.
"""

from __future__ import annotations

import os
import re
import signal
import sqlite3
import subprocess
import sys
import time
import uuid
from collections.abc import Iterator
from dataclasses import dataclass

import pytest
from playwright.sync_api import Browser, Locator, Page, expect

from tests.helpers.chromium import opened_browser
from tests.helpers.stub_bot_api import CHAT, TOKEN, error, serving
from tests.integration.conftest import ROOT, STEPS, Project

PATIENCE_MILLISECONDS = 300_000
ARTIFACTS = {
    "raw_dataset", "cut_dataset", "segmented_dataset", "dataset", "validation_report", "bi_encoder",
    "bi_encoder_training", "corpus_vectors", "pretrained_vectors", "bi_encoder_report", "first_stage_runs",
    "first_stage_validation_runs", "validation_runs",
    "hard_negatives", "cross_encoder", "cross_encoder_training", "retriever", "cross_encoder_report", "test_runs",
    "decision", "versions", "summary", "kept_retriever", "report_pages",
}  # fmt: skip


@dataclass(frozen=True)
class Served:
    """A running dashboard command: what it printed, its process, and the run that the smoke training made first."""

    lines: list[str]
    process: subprocess.Popen[str]
    run_id: uuid.UUID

    def address(self, name: str) -> str:
        (line,) = [line for line in self.lines if line.startswith(name)]
        return line.split()[1]

    @property
    def run_page(self) -> str:
        return re.sub(r"/runs/.*", f"/runs/{self.run_id}", self.address("ZenML"))


@pytest.fixture(scope="module")
def served(trained_once: Project) -> Iterator[Served]:
    process = subprocess.Popen(
        [sys.executable, "-m", "stacks.dashboard", "--zenml-port", "0", "--mlflow-port", "0"],
        cwd=trained_once.folder,
        env=trained_once.environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )
    lines: list[str] = []
    for line in process.stdout or ():
        lines.append(line.rstrip("\n"))
        if line.startswith("Ctrl-C"):
            break
    ((first,),) = trained_once.query("select id from pipeline_run where status = 'completed' order by created limit 1")
    try:
        assert process.poll() is None, "\n".join(lines)
        yield Served(lines, process, uuid.UUID(first))
    finally:
        process.send_signal(signal.SIGINT)
        process.communicate(timeout=120)


@pytest.fixture(scope="module")
def trained_once(project: Project, first_run: object) -> Project:
    return project


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    with opened_browser(PATIENCE_MILLISECONDS) as opened:
        yield opened


@pytest.fixture
def page(browser: Browser) -> Iterator[Page]:
    opened = browser.new_page(viewport={"width": 1500, "height": 950})
    opened.set_default_timeout(PATIENCE_MILLISECONDS)
    yield opened
    opened.close()


def picture(page: Page | Locator, name: str) -> None:
    if os.environ.get("README_SCREENSHOTS"):
        time.sleep(2)  # for the end of an animation
        page.screenshot(path=ROOT / "docs" / f"{name}.png")


def open_run(page: Page, served: Served) -> None:
    page.goto(served.run_page)
    page.wait_for_selector(".react-flow__node")
    page.get_by_label("Fit view").click()  # a larger graph opens at its first step, and only what is in view is there
    page.wait_for_selector('[data-id="step/notify_result"]')


def test_the_last_run_is_named_with_its_address_in_both(served: Served, trained_once: Project) -> None:
    ((newest, name),) = trained_once.query("select id, name from pipeline_run order by created desc limit 1")
    assert f"last run: {name}" in served.lines
    assert served.address("ZenML").endswith(f"/projects/default/runs/{uuid.UUID(newest)}")
    assert re.search(r"/#/experiments/\d+/runs/[0-9a-f]{32}$", served.address("MLflow"))


def test_the_run_opens_without_a_survey_and_its_graph_has_our_names(page: Page, served: Served) -> None:
    page.set_viewport_size({"width": 1800, "height": 2000})  # or the names are too small in the picture
    open_run(page, served)
    assert page.url.startswith(served.run_page)
    nodes = {str(node.get_attribute("data-id")) for node in page.locator(".react-flow__node").all()}
    assert {node.removeprefix("step/") for node in nodes if node.startswith("step/")} == set(STEPS)
    assert {node.rpartition("/")[2] for node in nodes if not node.startswith("step/")} == ARTIFACTS
    picture(page.locator(".react-flow"), "lineage-graph")


@pytest.mark.parametrize(
    ("artifact", "heading", "drawn"),
    [
        ("cross_encoder_report", "Retriever", True),
        ("bi_encoder_training", "Training", True),
        ("decision", "passed", False),
    ],
)
def test_a_click_on_an_artifact_shows_its_picture(
    artifact: str, heading: str, drawn: bool, page: Page, served: Served
) -> None:
    open_run(page, served)
    page.locator(f'[data-id$="/{artifact}"]').click()
    page.get_by_role("tab", name="Visualization").last.click()
    page.get_by_role("button", name="Load Preview").click()
    shown = page.frame_locator("iframe")
    expect(shown.locator("h1").first).to_contain_text(heading)
    if drawn:
        expect(shown.locator("svg").first).to_be_attached()
    if artifact == "cross_encoder_report":
        picture(page, "lineage-report")


def test_mlflow_shows_the_run_with_its_metrics(page: Page, served: Served, trained_once: Project) -> None:
    (database,) = (trained_once.home / "local_stores").rglob("mlflow.db")
    with sqlite3.connect(database) as connection:
        statement = "select experiment_id, run_uuid from runs where status = 'FINISHED' order by start_time limit 1"
        experiment, run = connection.execute(statement).fetchone()
    page.goto(re.sub("/#/.*", f"/#/experiments/{experiment}/runs/{run}", served.address("MLflow")))
    expect(page.get_by_role("heading", name=re.compile("training-")).first).to_be_visible()
    expect(page.get_by_text("Finished").first).to_be_visible()
    expect(page.get_by_text("bi_encoder/train_loss").first).to_be_visible()
    picture(page, "lineage-mlflow")


def test_ctrl_c_ends_the_command_and_both_servers(served: Served) -> None:
    ports = [re.sub(r".*:(\d+)/.*", r"\1", served.address(name)) for name in ("ZenML", "MLflow")]
    served.process.send_signal(signal.SIGINT)
    assert served.process.wait(timeout=120) == 0
    listening = subprocess.run(["ps", "-eo", "args"], capture_output=True, text=True, check=True).stdout
    assert not [line for line in listening.splitlines() for port in ports if f"--port {port}" in line]


def test_show_prints_a_version_s_whole_story(trained: Project) -> None:
    shown = trained.run("--pipeline", "promotion", "--set", "promotion.show=true").stdout
    ((run_id, name),) = trained.query(
        "select id, name from pipeline_run where status = 'completed' order by created limit 1"
    )
    assert f"ZenML   {name}  {uuid.UUID(run_id)}" in shown
    assert re.search(r"\nlegal-retriever 1 \(staging\)\n", shown)
    assert re.search(r"\n  MLflow  [0-9a-f]{32}\n", shown)
    assert re.search(r"\nData version\n  [0-9a-f]{64}\n", shown)
    assert re.search(r"\n  mrr@10 0\.\d{4}  recall@100 [01]\.\d{4}  gain_over_bm25 -?0\.\d{4}\n", shown)
    assert "\nGate: passed\n  - mrr@10 of reranked" in shown
    for artifact in ("bi_encoder", "cross_encoder", "retriever", "test_runs", "decision"):
        (uri,) = re.findall(rf"\n  {artifact} 1  (\S+)", shown)
        assert trained.query(f"select count(*) from artifact_version where uri = '{uri}'") == [(1,)]


STACK_WITH_ALERTER = """\
import sys
from zenml.client import Client
from zenml.enums import StackComponentType
from stacks.alerters.register import main
parts = Client().get_stack("local").components
Client().create_stack("told", {kind: ones[0].id for kind, ones in parts.items()})
sys.exit(main(["--stack", "told"]))
"""


@pytest.mark.slow  # two trainings
def test_an_alerter_in_the_stack_is_told_the_start_the_result_and_a_failure(
    trained: Project, monkeypatch: pytest.MonkeyPatch
) -> None:
    with serving() as bot:
        monkeypatch.setenv("no_proxy", "127.0.0.1")
        for name, value in (("BOT_TOKEN", TOKEN), ("CHAT_ID", CHAT), ("API_URL", bot.url)):
            monkeypatch.setenv(f"TELEGRAM_{name}", value)
        (trained.folder / "tell.py").write_text(STACK_WITH_ALERTER, encoding="utf-8")
        trained.python("tell.py")
        bot.scripted = [error(429, "Too Many Requests: retry after 1", retry_after=1)]
        good = trained.train("--stack", "told")
        (trained.folder / "bad.csv").write_text('qid,question,cid\nq1,Hỏi?,"[""45/2019/QH14:9999""]"\n', "utf-8")
        bad = trained.train("--stack", "told", "--set", "data.natural_questions=bad.csv", expect=1)
        greeting, started, finished, again, failed = bot.shown
    assert greeting.startswith("Stack told posts here")
    assert started.startswith("training started\nrun training-")
    heading, took, *_ = finished.splitlines()
    # another test on this training may have promoted it
    assert re.fullmatch(r"training finished: legal-retriever 1 \((staging|production)\)", heading)
    assert re.fullmatch(r"took (\d+ min )?\d+ s", took)
    for part in ("\nTest\n", "\nGate: passed\n", "\nRuns\n  ZenML   training-", "\n  MLflow  ", "\n  retriever 1  /"):
        assert part in finished
    assert again.startswith("training started")
    assert failed.startswith("training failed in step ingest_articles after ")
    assert "row 2" in failed
    assert TOKEN.partition(":")[2] not in good.stdout + good.stderr + bad.stdout + bad.stderr
