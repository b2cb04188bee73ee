from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from deployment.bundle.format import Bundle
from retrieval.processes.servers import LocalServer
from tests.helpers.service_processes import service
from tests.helpers.tiny_bundle import tiny_bundle

PRECISE = {"RETRIEVER_PRECISION": "float32"}
"""Answers are compared with float32, which a processor made for bfloat16 would not take by itself."""


@pytest.fixture(scope="session")
def bundle(tmp_path_factory: pytest.TempPathFactory) -> Bundle:
    """A tiny bundle; tests that change it copy it first."""
    return tiny_bundle(tmp_path_factory.mktemp("tiny"))


@pytest.fixture(scope="session")
def logs(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("logs")


@pytest.fixture(scope="session")
def bi_encoder(bundle: Bundle, logs: Path) -> Iterator[LocalServer]:
    """A bi-encoder service that no test stops; its patience is short."""
    settings = PRECISE | {"RETRIEVER_HEAD_TIMEOUT_SECONDS": "1", "RETRIEVER_BODY_TIMEOUT_SECONDS": "1"}
    with service("bi_encoder_service", bundle.folder, logs / "bi-encoder", settings) as server:
        yield server


@pytest.fixture(scope="session")
def cross_encoder(bundle: Bundle, logs: Path) -> Iterator[LocalServer]:
    """A cross-encoder service that no test stops."""
    with service("cross_encoder_service", bundle.folder, logs / "cross-encoder", PRECISE) as server:
        yield server
