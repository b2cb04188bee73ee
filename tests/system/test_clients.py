"""Both services through other people's clients: what each makes of the answers is what the models give."""

from __future__ import annotations

import json
import os
import subprocess
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from deployment.bundle.format import Bundle
from retrieval.runtime import Runtime
from retrieval.search.rerank import sigmoid
from tests.helpers.service_processes import service
from tests.helpers.tiny_bundle import QUESTION

ROOT = Path(__file__).resolve().parents[2]
PYTHON = Path(os.environ.get("CLIENTS_PYTHON", ROOT / ".venv-clients/bin/python"))
KEY = "a-key-for-other-peoples-clients"
RUNTIME = Runtime(torch.device("cpu"), torch.float32, 1)
TEXTS = ["Người lao động được nghỉ hằng năm.", "cá nhân có quyền dân sự", "---", "第三条 연차 👍"]
DOCUMENTS = ["cá nhân có quyền dân sự", "Người lao động được nghỉ hằng năm.", "hợp đồng lao động"]
EMBEDDINGS = (
    "openai_as_it_comes", "openai_floats_of_the_models_size", "litellm_openai_embedding",
    "litellm_openai_embedding_with_options", "litellm_jina_embedding", "litellm_hosted_vllm_embedding",
    "litellm_infinity_embedding", "langchain_openai_with_text", "llama_index_openai_embedding",
    "llama_index_openai_like_embedding",
)  # fmt: skip
RERANKINGS = {
    "litellm_cohere_rerank": 3, "litellm_cohere_rerank_with_options": 2, "litellm_cohere_rerank_of_objects": 3,
    "litellm_cohere_rerank_at_the_first_version": 3, "litellm_jina_rerank": 2, "litellm_infinity_rerank": 3,
    "litellm_hosted_vllm_rerank": 3, "cohere_second_version": 3, "cohere_first_version": 2,
    "langchain_cohere_rerank": 2, "llama_index_cohere_rerank": 2,
}  # fmt: skip
REFUSALS = {
    "openai_another_size": "dimensions is 7; this model gives 32",
    "openai_2049_texts": "input has 2049 items, at most 2048 are taken at once",
    "openai_unknown_model": "model 'gpt-4o' is not served here; legal-bi-encoder is",
    "openai_wrong_key": "AuthenticationError",
    "cohere_second_version_refused": "documents.0 is empty",
    "langchain_openai_as_it_comes": "token ids, which are not taken; send text (in LangChain: check_embedding_ctx_",
}
OTHERS = {"openai_extra_body", "openai_2048_texts", "openai_models"}


@pytest.fixture(scope="module")
def told(bundle: Bundle, tmp_path_factory: pytest.TempPathFactory) -> dict[str, dict[str, Any]]:
    """What every client made of the answers of two services that want a key."""
    assert PYTHON.is_file(), f"{PYTHON} is missing; `make .venv-clients/.ready` installs the clients"
    folder = tmp_path_factory.mktemp("clients")
    keys = {"RETRIEVER_API_KEYS": KEY, "RETRIEVER_PRECISION": "float32"}
    environment = {"PATH": os.environ["PATH"], "HOME": str(folder)}  # no keys, addresses or settings of the user's
    with (
        service("bi_encoder_service", bundle.folder, folder / "bi-encoder", keys) as bi_encoder,
        service("cross_encoder_service", bundle.folder, folder / "cross-encoder", keys) as cross_encoder,
    ):
        done = subprocess.run(
            [str(PYTHON), str(ROOT / "tests/clients/ask_services.py"), bi_encoder.url, cross_encoder.url, KEY],
            input=json.dumps({"question": QUESTION, "texts": TEXTS, "documents": DOCUMENTS}),
            env=environment, cwd=folder, capture_output=True, text=True, timeout=240, check=False,
        )  # fmt: skip
    assert done.returncode == 0, done.stderr[-3000:]
    found: dict[str, dict[str, Any]] = json.loads(done.stdout.strip().splitlines()[-1])
    return found


def test_every_client_that_was_asked_is_looked_at(told: dict[str, dict[str, Any]]) -> None:
    assert set(told) == {*EMBEDDINGS, *RERANKINGS, *REFUSALS, *OTHERS}


@pytest.mark.parametrize("client", EMBEDDINGS)
def test_embeddings_are_those_of_the_model(told: dict[str, dict[str, Any]], bundle: Bundle, client: str) -> None:
    expected = bundle.bi_encoder().encode_queries(TEXTS, RUNTIME)
    np.testing.assert_allclose(answer_of(told, client), expected, atol=1e-5)


def test_a_body_with_the_fields_of_others_is_read_as_passages(told: dict[str, dict[str, Any]], bundle: Bundle) -> None:
    expected = bundle.bi_encoder().encode_passages(TEXTS, RUNTIME)
    np.testing.assert_allclose(answer_of(told, "openai_extra_body"), expected, atol=1e-5)


@pytest.mark.parametrize("client", RERANKINGS)
def test_documents_are_ranked_as_by_the_model(told: dict[str, dict[str, Any]], bundle: Bundle, client: str) -> None:
    logits = bundle.cross_encoder().score([(QUESTION, text) for text in DOCUMENTS], RUNTIME)
    order = np.argsort(-logits)[: RERANKINGS[client]]
    found = np.array(answer_of(told, client))
    assert found[:, 0].tolist() == order.tolist()
    np.testing.assert_allclose(found[:, 1], sigmoid(logits)[order], atol=1e-5)


def test_as_many_texts_as_openai_takes_are_taken(told: dict[str, dict[str, Any]]) -> None:
    assert answer_of(told, "openai_2048_texts") == 2048


def test_the_model_is_listed_and_described(told: dict[str, dict[str, Any]]) -> None:
    assert answer_of(told, "openai_models") == ["legal-bi-encoder", "model", "int"]


@pytest.mark.parametrize("client", REFUSALS)
def test_a_refusal_reaches_the_user_of_the_client(told: dict[str, dict[str, Any]], client: str) -> None:
    assert REFUSALS[client] in told[client].get("error", f"no error: {told[client]}")


def answer_of(told: dict[str, dict[str, Any]], client: str) -> Any:
    assert "error" not in told[client], told[client]["error"]
    return told[client]["answer"]
