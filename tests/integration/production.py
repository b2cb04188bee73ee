"""What tests of promotion share: versions to move about, and what must hold wherever they were moved."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from mlflow import MlflowClient
from zenml.enums import ModelStages

from pipelines import promotion
from pipelines.results import Outcome
from registry import ledger
from registry.reconcile import production_name, reconcile
from registry.versions import MAIN, artifact_of, find_version, set_stage, versions
from retrieval.config.schema import Config
from steps.promotion.move_production import move
from tests.integration.small_run import CONFIG, EXPERIMENT, small_pipeline

SHARES = (0.8, 0.8, 0.8, 0.55, 0.8)
"""Of the questions, found by each version of the pool."""


@dataclass(frozen=True)
class Pool:
    """Versions to move about: three as good as each other, a worse one, and one to be broken."""

    first: str
    second: str
    third: str
    worse: str
    fragile: str


def arrange(*production: str, staging: str | None = None) -> None:
    """Have versions been in production, one after the other, and one in staging."""
    for name in production:
        if production_name() != name:
            move(find_version(name), production_name(), ledger.next_number(), "promotion")
    if staging is not None:
        set_stage(find_version(staging), ModelStages.STAGING)
    reconcile(EXPERIMENT)


def promote(**changes: object) -> Outcome:
    return promotion.run(configured(**changes), cache=True)


def configured(**changes: object) -> Config:
    return CONFIG.model_copy(update={"promotion": CONFIG.promotion.model_copy(update=changes)})


def assert_production(server: str, version: str) -> None:
    """ZenML and MLflow agree about all three models."""
    client = MlflowClient(server, server)
    assert production_name() == version
    for model in MAIN:
        (inside,) = [one for one in versions(model) if one.stage == "production"]
        assert client.get_model_version_by_alias(model, "production").tags["zenml.version_id"] == str(inside.id)
    facts = find_version(version).run_metadata
    assert find_version("production", "legal-bi-encoder").name == facts["bi_encoder_version"]
    assert find_version("production", "legal-cross-encoder").name == facts["cross_encoder_version"]
    assert [change.version for change in ledger.changes() if change.done][-1] == version


@contextmanager
def damaged_weights(version: str) -> Iterator[None]:
    """Within it a version's weights end in another byte; folders that share the file keep theirs."""
    content = Path(artifact_of(find_version(version), "retriever").uri) / "content"
    weights = next(content.rglob("*.safetensors"))
    whole = weights.rename(content / "whole")
    weights.write_bytes(whole.read_bytes()[:-1] + b"?")
    try:
        yield
    finally:
        whole.replace(weights)


def make_pool() -> Pool:
    """Run the small pipeline once for each version."""
    made = []
    for seed, share in enumerate(SHARES):
        assert small_pipeline(seed=100 + seed, share=share) is not None
        made.append(find_version("staging").name)
    return Pool(*made)
