"""The examples in docstrings that run in no time are true."""

import doctest
import importlib
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
MODULES = (
    "monitoring.cost.worker_time",
    "retrieval.config.file",
    "retrieval.data.cleaning",
    "retrieval.evaluation.significance",
    "retrieval.models.backbone.pooling",
    "retrieval.models.losses",
    "retrieval.runtime",
)


@pytest.mark.parametrize("name", MODULES)
def test_examples_give_what_they_say(name, monkeypatch):
    monkeypatch.chdir(ROOT)
    result = doctest.testmod(importlib.import_module(name))
    assert result.attempted > 0
    assert result.failed == 0
