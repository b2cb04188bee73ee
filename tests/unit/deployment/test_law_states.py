"""Law read beforehand: mapped where the file is there, the same scores, nothing where there is none."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from deployment import law_states as module
from deployment.law_states import law_states, main
from deployment.reranking import RerankingEngine
from retrieval.data.fields import reranker_document
from retrieval.runtime import Runtime
from tests.tiny_bundle import QUESTION

pytestmark = pytest.mark.anyio
RUNTIME = Runtime(torch.device("cpu"), torch.float32, 1)


@pytest.fixture
def pairs(bundle):
    corpus = bundle.corpus()
    return [(QUESTION, reranker_document(corpus, row, True, "text")) for row in range(6)]


def test_without_a_file_nothing_is_known_and_nothing_is_made(bundle, tmp_path):
    assert law_states(bundle, bundle.cross_encoder(), RUNTIME, tmp_path / "none") is None
    assert law_states(bundle, bundle.cross_encoder(), RUNTIME, tmp_path) is None
    assert list(tmp_path.iterdir()) == []


def test_the_command_makes_the_file_that_a_reranker_maps(bundle, tmp_path, monkeypatch, capsys, pairs):
    monkeypatch.setattr(module, "choose_runtime", lambda: RUNTIME)
    assert main(["--bundle", str(bundle.folder), "--to", str(tmp_path)]) == 0
    assert "token vectors in" in capsys.readouterr().out
    model, plain = bundle.cross_encoder(), bundle.cross_encoder()
    states = law_states(bundle, model, RUNTIME, tmp_path)
    assert states is not None
    assert isinstance(states.vectors, np.memmap)
    rows = model.tokenize(pairs)
    assert all(text in states.bounds for row in rows for text in row.passage)
    model.late.states = (states,)
    np.testing.assert_allclose(model.score_rows(rows, RUNTIME), plain.score_rows(rows, RUNTIME), atol=2e-3)


def test_the_command_says_why_there_is_no_file(tmp_path, capsys):
    assert main(["--bundle", str(tmp_path), "--to", str(tmp_path / "states")]) == 1
    assert "an empty folder" in capsys.readouterr().err


async def test_an_engine_learns_of_the_law_after_it_is_ready(bundle, metrics, pairs, tmp_path):
    states = law_states(bundle, bundle.cross_encoder(), RUNTIME, tmp_path, make=True)
    model = bundle.cross_encoder()
    engine = RerankingEngine(model, bundle.facts, RUNTIME, metrics, find_law=lambda: states)
    before = await engine.score_pairs(pairs)
    assert model.late.states == ()
    await engine.warm_up()
    after = await engine.score_pairs(pairs)
    await engine.close()
    assert model.late.states == (states,)
    np.testing.assert_allclose(after.logits, before.logits, atol=2e-3)
