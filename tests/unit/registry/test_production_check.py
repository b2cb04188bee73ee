"""What a training is compared with at its end is read before it begins."""

import pytest

from registry import production_check
from retrieval.errors import ArtifactError
from retrieval.folders import FolderError


def test_nothing_in_production_is_nothing_to_read(monkeypatch):
    monkeypatch.setattr(production_check, "test_runs_of", lambda _: pytest.fail("asked"))
    production_check.production_ready("")


def test_a_production_whose_runs_are_gone_is_told_with_the_ways_out(monkeypatch):
    def gone(_: str) -> object:
        raise FolderError("/store/x: no manifest.json", "run the pipeline that made it with --no-cache")

    monkeypatch.setattr(production_check, "test_runs_of", gone)
    with pytest.raises(ArtifactError) as caught:
        production_check.production_ready("3")
    told = str(caught.value)
    assert told.startswith("legal-retriever 3 is in production")
    assert "/store/x: no manifest.json" in told
    assert "promotion.version=N" in told
    assert "zenml model version update legal-retriever 3" in told
