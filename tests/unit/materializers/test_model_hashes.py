"""The hash of a retriever: of what it does, not of the run that trained its models."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
import torch

from materializers.models import RetrieverMaterializer
from retrieval.search.retriever import Retriever
from tests.helpers.tiny_bundle import tiny_retriever
from tests.unit.materializers.test_round_trips import Store


@pytest.fixture(scope="module")
def retriever(tmp_path_factory: pytest.TempPathFactory) -> Retriever:
    return tiny_retriever(tmp_path_factory.mktemp("encoder"))


def hash_of(retriever: Retriever, folder: Path) -> str | None:
    materializer = RetrieverMaterializer(str(folder), Store())  # type: ignore[arg-type]
    materializer.save(retriever)
    return materializer.compute_content_hash(retriever)


def test_a_retriever_whose_models_were_trained_again_to_the_same_weights_has_the_same_hash(
    retriever: Retriever, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    before = hash_of(retriever, tmp_path / "before")
    for model in (retriever.bi_encoder, retriever.cross_encoder):
        monkeypatch.setattr(model, "settings", replace(model.settings, training_run_id="another run"))
    assert hash_of(retriever, tmp_path / "after") == before is not None


def test_a_changed_weight_changes_the_hash(retriever: Retriever, tmp_path: Path) -> None:
    before = hash_of(retriever, tmp_path / "before")
    weight = next(retriever.bi_encoder.parameters())
    with torch.no_grad():
        weight.add_(1.0)
    try:
        assert hash_of(retriever, tmp_path / "after") != before
    finally:
        with torch.no_grad():
            weight.sub_(1.0)
