"""A real gateway process, a real browser, and axe-core.

With README_SCREENSHOTS=1 the gateway serves the newest trained retriever and the README's pictures are written.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Browser, BrowserContext, Page

from deployment.bundle.format import Bundle
from deployment.bundle.local import bundle_of, trained_folder
from retrieval.processes.servers import LocalServer, free_port, running
from tests.helpers.chromium import opened_browser
from tests.helpers.tiny_bundle import tiny_bundle

ROOT = Path(__file__).parents[2]
SCREENSHOTS = bool(os.environ.get("README_SCREENSHOTS"))
PATIENCE_MILLISECONDS = 120_000


def start(bundle: Bundle, folder: Path, **environment: str) -> Iterator[LocalServer]:
    """Run a gateway in one process until the test has ended."""
    port = free_port()
    settings = {
        "RETRIEVER_BUNDLE": str(bundle.folder),
        "RETRIEVER_PORT": str(port),
        "RETRIEVER_RERANK_BUDGET_SECONDS": "60",
        "RETRIEVER_THREADS": "1",
        **environment,
    }
    command = [sys.executable, "-m", "deployment.gateway", "--in-process"]
    with running("gateway", command, port, settings, folder / "gateway.log") as server:
        server.wait_until_ready("/ready", 300)
        yield server


@pytest.fixture(scope="session")
def bundle(tmp_path_factory: pytest.TempPathFactory) -> Bundle:
    folder = tmp_path_factory.mktemp("served")
    return bundle_of(trained_folder().absolute(), folder) if SCREENSHOTS else tiny_bundle(folder)


@pytest.fixture(scope="module")
def gateway(bundle: Bundle, tmp_path_factory: pytest.TempPathFactory) -> Iterator[LocalServer]:
    yield from start(bundle, tmp_path_factory.mktemp("gateway"))


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    with opened_browser(PATIENCE_MILLISECONDS) as opened:
        yield opened


@pytest.fixture
def context(browser: Browser) -> Iterator[BrowserContext]:
    opened = browser.new_context(viewport={"width": 1400, "height": 950}, locale="vi-VN")
    opened.set_default_timeout(PATIENCE_MILLISECONDS)
    yield opened
    opened.close()


@pytest.fixture
def page(context: BrowserContext) -> Iterator[Page]:
    """A page that must not complain: no script error, nothing that its policy had to stop."""
    complaints: list[str] = []
    opened = context.new_page()
    opened.on("pageerror", lambda error: complaints.append(str(error)))
    opened.on("console", lambda said: complaints.append(said.text) if "Content Security" in said.text else None)
    yield opened
    assert complaints == []
