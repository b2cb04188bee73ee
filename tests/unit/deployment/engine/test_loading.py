"""What a published model says of itself: every version in its own field."""

from __future__ import annotations

import pytest

from deployment.bundle.format import UNKNOWN, BundleFacts
from deployment.engine.loading import model_facts
from retrieval.errors import ArtifactError
from tests.helpers.tiny_bundle import tiny_cross_encoder, tiny_encoder


@pytest.fixture(scope="module")
def folders(tmp_path_factory):
    """A saved model of each kind."""
    root = tmp_path_factory.mktemp("models")
    encoder = tiny_encoder(root / "base")
    encoder.save(root / "bi-encoder")
    tiny_cross_encoder(encoder).save(root / "cross-encoder")
    return root


def test_the_facts_of_a_bundle_cannot_be_given_by_position():
    with pytest.raises(TypeError, match="positional"):
        BundleFacts("1", "1", "1", "index", "data", "code", "run-1", "run-2")  # type: ignore[misc]


@pytest.mark.parametrize(
    ("kind", "own"),
    [
        ("bi-encoder", {"bi_encoder": "run-1", "bi_encoder_run": "run-1"}),
        ("cross-encoder", {"cross_encoder": "run-2", "cross_encoder_run": "run-2"}),
    ],
)
def test_a_published_model_is_known_by_its_run_and_says_nothing_of_the_other_model(folders, kind, own):
    nothing = dict.fromkeys(("retriever", "bi_encoder", "cross_encoder", "index"), "")
    rest = {"bi_encoder_run": "", "cross_encoder_run": "", "code": UNKNOWN}
    facts = model_facts(folders / kind, kind)
    assert facts == BundleFacts(**nothing | rest | {"data": facts.data} | own)
    assert facts.data in {"data-1", UNKNOWN}


def test_a_model_of_the_other_kind_is_refused(folders):
    with pytest.raises(ArtifactError, match="holds a bi-encoder, this service needs a cross-encoder"):
        model_facts(folders / "bi-encoder", "cross-encoder")
