"""Every materializer against ZenML's S3 artifact store on a real server: the same round trips as on a local store."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from materializers.dataset import DatasetMaterializer
from materializers.models import BiEncoderMaterializer, RetrieverMaterializer
from materializers.vectors import VectorsMaterializer
from retrieval.errors import ArtifactError
from retrieval.folders import MANIFEST
from retrieval.s3 import objects
from retrieval.s3.objects import get_bytes, put_bytes, sizes_below
from retrieval.search.embedding import CorpusVectors
from retrieval.search.retriever import Retriever
from tests.helpers.model_folder import PART_BYTES
from tests.helpers.s3_server import S3Server
from tests.integration.small_run import tiny_retriever as small_retriever
from tests.unit.materializers.test_round_trips import CASES, DATASET, same


@pytest.fixture(scope="module")
def store(s3_server: S3Server) -> Any:
    return s3_server.artifact_store("folders")


@pytest.mark.parametrize("name", CASES)
def test_what_is_loaded_from_the_bucket_is_what_was_saved_and_hashes_as_on_a_local_store(
    name: str, tmp_path: Path, store: Any, s3_server: S3Server
) -> None:
    kind, make = CASES[name]
    value, uri = make(tmp_path), f"{store.path}/{name}"
    remote, local = kind(uri, store), kind(str(tmp_path / "local"), store)
    remote.save(value)
    local.save(value)
    assert same(value, kind(uri, store).load(type(value)))
    assert remote.compute_content_hash(value) == local.compute_content_hash(value) is not None
    (page,) = remote.save_visualizations(value)
    assert get_bytes(s3_server.client(), page).decode().lstrip().lower().startswith("<!doctype html")
    assert f"content/{MANIFEST}" in sizes_below(s3_server.client(), uri)


def test_a_retriever_comes_back_with_both_models_and_answers_as_before(store: Any) -> None:
    retriever, uri = small_retriever(seed=0), f"{store.path}/retriever"
    RetrieverMaterializer(uri, store).save(retriever)
    loaded = RetrieverMaterializer(uri, store).load(Retriever)
    before, after = (one.search("người lao động nghỉ hằng năm") for one in (retriever, loaded))
    assert [one.article.cid for one in after] == [one.article.cid for one in before]
    assert loaded.cross_encoder is not None


def test_a_large_matrix_travels_in_parts_and_comes_back_to_the_last_bit(
    store: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(objects, "PART_BYTES", PART_BYTES)
    rng = np.random.default_rng(0)
    vectors = CorpusVectors(*(rng.standard_normal((rows, 768)).astype(np.float16) for rows in (12_000, 10)))
    assert vectors.passages.nbytes > 3 * PART_BYTES
    VectorsMaterializer(f"{store.path}/matrix", store).save(vectors)
    loaded = VectorsMaterializer(f"{store.path}/matrix", store).load(CorpusVectors)
    assert loaded.passages.dtype == np.float16
    assert np.array_equal(loaded.passages, vectors.passages)


def test_an_altered_object_is_named_by_its_address(store: Any, s3_server: S3Server) -> None:
    uri = f"{store.path}/altered"
    DatasetMaterializer(uri, store).save(DATASET)
    put_bytes(s3_server.client(), b"PAR1 but not what was written", f"{uri}/content/queries.parquet")
    with pytest.raises(ArtifactError, match=r"s3://folders/zenml/altered/content/queries\.parquet: SHA-256"):
        DatasetMaterializer(uri, store).load(object)


def test_a_half_written_artifact_is_not_loadable(store: Any, s3_server: S3Server) -> None:
    put_bytes(s3_server.client(), json.dumps({}).encode(), f"{store.path}/half/content/settings.json")
    with pytest.raises(ArtifactError, match=r"half/content: no manifest\.json; .* cut short"):
        BiEncoderMaterializer(f"{store.path}/half", store).load(object)
