"""Law read beforehand: mapped where the file is there, the same scores, nothing where there is none."""

from __future__ import annotations

import asyncio
import logging
from pathlib import Path

import numpy as np
import pytest
import torch

from deployment.engine import precomputed_states as module
from deployment.engine import reranking
from deployment.engine.precomputed_states import BundledStates, command_of, main, precomputed_states
from deployment.engine.reranking import RerankingEngine
from deployment.settings import read_settings
from retrieval.data.fields import reranker_document
from retrieval.runtime import Runtime
from retrieval.search import state_files
from retrieval.search.state_files import needed_files
from tests.helpers.tiny_bundle import QUESTION

pytestmark = pytest.mark.anyio
RUNTIME = Runtime(torch.device("cpu"), torch.float32, 1)


@pytest.fixture
def pairs(bundle):
    corpus = bundle.corpus()
    return [(QUESTION, reranker_document(corpus, row, True, "text")) for row in range(6)]


def test_without_a_file_nothing_is_known_and_nothing_is_made(bundle, tmp_path):
    assert precomputed_states(bundle, bundle.cross_encoder(), RUNTIME, tmp_path / "none") is None
    assert precomputed_states(bundle, bundle.cross_encoder(), RUNTIME, tmp_path) is None
    assert list(tmp_path.iterdir()) == []


def test_the_command_makes_the_file_that_a_reranker_maps(bundle, tmp_path, monkeypatch, capsys, pairs):
    monkeypatch.setattr(module, "choose_runtime", lambda: RUNTIME)
    assert main(["--bundle", str(bundle.folder), "--to", str(tmp_path)]) == 0
    assert "token vectors in" in capsys.readouterr().out
    model, plain = bundle.cross_encoder(), bundle.cross_encoder()
    states = precomputed_states(bundle, model, RUNTIME, tmp_path)
    assert states is not None
    assert isinstance(states.vectors, np.memmap)
    rows = model.tokenize(pairs)
    assert all(text in states.bounds for row in rows for text in row.passage)
    model.late.states = (states,)
    np.testing.assert_allclose(model.score_rows(rows, RUNTIME), plain.score_rows(rows, RUNTIME), atol=2e-3)


def test_the_command_says_why_there_is_no_file(tmp_path, capsys):
    assert main(["--bundle", str(tmp_path), "--to", str(tmp_path / "states")]) == 1
    assert "an empty folder" in capsys.readouterr().err


def test_a_file_that_cannot_be_kept_fails_the_command_and_says_what_to_do(bundle, tmp_path, monkeypatch, capsys):
    monkeypatch.setattr(module, "choose_runtime", lambda: RUNTIME)
    (tmp_path / "states").write_text("no folder", encoding="utf-8")
    assert main(["--bundle", str(bundle.folder), "--to", str(tmp_path / "states")]) == 1
    told = capsys.readouterr()
    assert told.out == ""
    assert f"{tmp_path / 'states'}: what was read of the law could not be kept there; make room" in told.err


@pytest.mark.parametrize("content", [b"", b"x" * 50])
def test_a_file_that_was_emptied_or_holds_something_else_counts_as_missing_and_is_made_anew(bundle, tmp_path, content):
    model = bundle.cross_encoder()
    precomputed_states(bundle, model, RUNTIME, tmp_path, make=True)
    (file,) = tmp_path.glob("*.npy")
    whole = file.read_bytes()
    file.unlink()
    file.write_bytes(content)
    assert precomputed_states(bundle, model, RUNTIME, tmp_path) is None
    precomputed_states(bundle, model, RUNTIME, tmp_path, make=True)
    assert file.read_bytes() == whole


async def test_an_engine_learns_of_the_law_after_it_is_ready(bundle, metrics, pairs, tmp_path):
    states = precomputed_states(bundle, bundle.cross_encoder(), RUNTIME, tmp_path, make=True)
    model = bundle.cross_encoder()
    engine = RerankingEngine(model, bundle.facts, RUNTIME, metrics, find_law=lambda: states)
    before = await engine.score_pairs(pairs)
    assert model.late.states == ()
    await engine.warm_up()
    after = await engine.score_pairs(pairs)
    await engine.close()
    assert model.late.states == (states,)
    np.testing.assert_allclose(after.logits, before.logits, atol=2e-3)


def law_of(bundle, folder, **given):
    return BundledStates(bundle, bundle.cross_encoder(), RUNTIME, read_settings({}, states=folder, **given))


def test_what_is_missing_is_said_once_with_the_command_and_found_when_it_is_there(bundle, tmp_path, caplog):
    law = law_of(bundle, tmp_path)
    assert law.passage_states.status == "being_looked_for"
    assert law() is None
    assert law() is None
    states = law.passage_states
    assert (states.status, states.known, states.of) == ("missing", 0, 24)
    assert states.make == f"python -m deployment.engine.precomputed_states --bundle {bundle.folder} --to {tmp_path}"
    (said,) = [record.getMessage() for record in caplog.records if record.levelno == logging.WARNING]
    assert states.make in said and "0 of 24" in said
    precomputed_states(bundle, bundle.cross_encoder(), RUNTIME, tmp_path, make=True)
    assert law() is not None
    assert (law.passage_states.status, law.passage_states.known, law.passage_states.make) == ("known", 24, "")


def test_the_command_it_names_has_the_precision_of_the_service_and_no_default(bundle):
    settings = read_settings({}, precision="float32")
    assert (
        command_of(bundle, settings)
        == f"python -m deployment.engine.precomputed_states --bundle {bundle.folder} --precision float32"
    )


def test_vectors_of_another_precision_model_or_law_are_not_taken(bundle, tmp_path):
    half = Runtime(torch.device("cpu"), torch.bfloat16, 1)
    precomputed_states(bundle, bundle.cross_encoder(), half, tmp_path, make=True)
    other = bundle.cross_encoder()
    with torch.no_grad():
        next(other.backbone.parameters()).add_(0.1)
    precomputed_states(bundle, other, RUNTIME, tmp_path, make=True)
    assert law_of(bundle, tmp_path)() is None
    precomputed_states(bundle, bundle.cross_encoder(), RUNTIME, tmp_path, make=True)
    assert law_of(bundle, tmp_path)() is not None
    assert len(list(tmp_path.glob("*.npy"))) == 3


def test_a_damaged_file_is_not_made_again_by_a_service_but_by_the_command(bundle, tmp_path, caplog):
    precomputed_states(bundle, bundle.cross_encoder(), RUNTIME, tmp_path, make=True)
    (file,) = tmp_path.glob("*.npy")
    whole = file.read_bytes()
    file.write_bytes(whole[:-7])
    law = law_of(bundle, tmp_path)
    assert law() is None
    assert law.passage_states.status == "missing"
    assert file.read_bytes() == whole[:-7]
    precomputed_states(bundle, bundle.cross_encoder(), RUNTIME, tmp_path, make=True)
    assert file.read_bytes() == whole
    assert law() is not None


def test_a_bundle_that_uses_a_file_is_noted_so_that_the_file_stays(bundle, tmp_path):
    precomputed_states(bundle, bundle.cross_encoder(), RUNTIME, tmp_path, make=True)
    (file,) = tmp_path.glob("*.npy")
    assert needed_files(tmp_path, tmp_path / "no-models") == {file.name}


def test_a_folder_that_cannot_be_written_costs_nothing_but_the_note(bundle, tmp_path, monkeypatch):
    precomputed_states(bundle, bundle.cross_encoder(), RUNTIME, tmp_path, make=True)
    (tmp_path / ".uses.json").unlink()
    monkeypatch.setattr(state_files, "write_file", refused)
    assert law_of(bundle, tmp_path)() is not None


def refused(*_):
    raise PermissionError("read-only")


def test_the_command_takes_settings_of_the_environment_and_refuses_what_holds_no_law(
    bundle, tmp_path, monkeypatch, capsys
):
    monkeypatch.setenv("RETRIEVER_BUNDLE", str(bundle.folder))
    monkeypatch.setenv("RETRIEVER_STATES", str(tmp_path / "of-environment"))
    monkeypatch.setenv("RETRIEVER_PRECISION", "float32")
    assert main([]) == 0
    assert len(list((tmp_path / "of-environment").glob("*.npy"))) == 1
    assert main(["--bundle", str(bundle.folder / "cross-encoder")]) == 2
    assert "name a bundle" in capsys.readouterr().err
    assert main(["--precision", "double"]) == 2
    monkeypatch.delenv("RETRIEVER_BUNDLE")
    assert main([]) == 2
    assert "RETRIEVER_BUNDLE" in capsys.readouterr().err


async def test_an_engine_finds_what_is_made_while_it_serves(bundle, metrics, pairs, tmp_path, monkeypatch):
    monkeypatch.setattr(reranking, "_LOOK_AGAIN_SECONDS", 0.01)
    model = bundle.cross_encoder()
    engine = RerankingEngine(model, bundle.facts, RUNTIME, metrics, find_law=law_of(bundle, tmp_path))
    await engine.warm_up()
    before = await engine.score_pairs(pairs)
    assert model.late.states == ()
    precomputed_states(bundle, bundle.cross_encoder(), RUNTIME, tmp_path, make=True)
    while not model.late.states:
        await asyncio.sleep(0.01)
    assert engine.passage_states.status == "known"
    after = await engine.score_pairs(pairs)
    await engine.close()
    np.testing.assert_allclose(after.logits, before.logits, atol=2e-3)


async def test_an_engine_that_waits_for_the_law_closes_at_once(bundle, metrics, tmp_path, monkeypatch):
    monkeypatch.setattr(reranking, "_LOOK_AGAIN_SECONDS", 3600.0)
    model = bundle.cross_encoder()
    engine = RerankingEngine(model, bundle.facts, RUNTIME, metrics, find_law=law_of(bundle, tmp_path))
    await engine.warm_up()
    await engine.close()
    assert (await engine.readiness())["passage_states"].status == "missing"


def test_the_law_is_looked_for_below_the_folder_that_the_service_was_started_in(bundle, tmp_path, monkeypatch):
    started, other = tmp_path / "started", tmp_path / "other"
    for folder in (started, other):
        folder.mkdir()
    monkeypatch.chdir(started)
    law = BundledStates(bundle, bundle.cross_encoder(), RUNTIME, read_settings({}, states=Path("states")))
    monkeypatch.chdir(other)
    precomputed_states(bundle, bundle.cross_encoder(), RUNTIME, Path("states"), make=True)
    assert law() is None
    assert law.passage_states.status == "missing"
