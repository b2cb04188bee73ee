"""Asks both services through other people's clients and prints what they made of the answers, as JSON.

    .venv-clients/bin/python tests/clients/ask_services.py BI_ENCODER_URL CROSS_ENCODER_URL API_KEY < sent.json

``sent.json`` holds ``question``, ``texts`` and ``documents``. Runs in an environment of its own (requirements.txt
beside it), so it imports nothing of the project.
"""

import json
import os
import sys
from collections.abc import Callable
from pathlib import Path

E, R, KEY = sys.argv[1:4]
SENT = json.load(sys.stdin)
QUESTION, TEXTS, DOCUMENTS = SENT["question"], SENT["texts"], SENT["documents"]
CASES: dict[str, Callable[[], object]] = {}

os.environ["LITELLM_LOCAL_MODEL_COST_MAP"] = "True"  # prices from the package, not from the network
os.environ["OPENAI_API_KEY"] = os.environ["COHERE_API_KEY"] = os.environ["CO_API_KEY"] = KEY


def case(ask: Callable[[], object]) -> Callable[[], object]:
    CASES[ask.__name__] = ask
    return ask


def openai_client():
    from openai import OpenAI

    return OpenAI(base_url=f"{E}/v1", api_key=KEY, max_retries=0)


def vectors(answer) -> list[list[float]]:
    return [one["embedding"] if isinstance(one, dict) else one.embedding for one in answer.data]


def ranking(results) -> list[list[float]]:
    return [
        [one["index"], one["relevance_score"]] if isinstance(one, dict) else [one.index, one.relevance_score]
        for one in results
    ]


@case
def openai_as_it_comes():  # base64 unless told otherwise
    return vectors(openai_client().embeddings.create(model="any", input=TEXTS))


@case
def openai_floats_of_the_models_size():
    size = len(openai_as_it_comes()[0])
    client = openai_client()
    return vectors(
        client.embeddings.create(model="any", input=TEXTS, encoding_format="float", dimensions=size, user="u")
    )


@case
def openai_another_size():
    return vectors(openai_client().embeddings.create(model="any", input=TEXTS, dimensions=7))


@case
def openai_extra_body():
    extra = {"input_type": "document", "truncate": "END", "priority": 1, "encoding_format": None, "user": None}
    return vectors(openai_client().embeddings.create(model="any", input=TEXTS, extra_body=extra))


@case
def openai_2048_texts():
    return len(openai_client().embeddings.create(model="any", input=[f"Điều {n}" for n in range(2048)]).data)


@case
def openai_2049_texts():
    return len(openai_client().embeddings.create(model="any", input=["Điều 1"] * 2049).data)


@case
def openai_models():
    client = openai_client()
    (listed,) = client.models.list().data
    return [listed.id, client.models.retrieve(listed.id).object, type(listed.created).__name__]


@case
def openai_unknown_model():
    return openai_client().models.retrieve("gpt-4o").id


@case
def openai_wrong_key():
    from openai import OpenAI

    return OpenAI(base_url=f"{E}/v1", api_key="wrong", max_retries=0).models.list().data[0].id


def litellm_embedding(model: str, base: str, **more):
    import litellm

    answer = litellm.embedding(model=model, input=TEXTS, api_base=base, api_key=KEY, **more)
    return vectors(answer)


def litellm_rerank(model: str, base: str, **more):
    import litellm

    answer = litellm.rerank(model=model, query=QUESTION, documents=DOCUMENTS, api_base=base, api_key=KEY, **more)
    return ranking(answer.results)


@case
def litellm_openai_embedding():
    return litellm_embedding("openai/legal-bi-encoder", f"{E}/v1")


@case
def litellm_openai_embedding_with_options():
    return litellm_embedding("openai/any", f"{E}/v1", encoding_format="float", user="u", input_type=None)


@case
def litellm_jina_embedding():
    return litellm_embedding("jina_ai/any", f"{E}/v1")


@case
def litellm_hosted_vllm_embedding():
    return litellm_embedding("hosted_vllm/any", f"{E}/v1")


@case
def litellm_infinity_embedding():
    return litellm_embedding("infinity/any", E)


@case
def litellm_cohere_rerank():
    return litellm_rerank("cohere/any", R)


@case
def litellm_cohere_rerank_with_options():
    return litellm_rerank("cohere/any", R, top_n=2, return_documents=True, max_tokens_per_doc=4096)


@case
def litellm_cohere_rerank_at_the_first_version():
    return litellm_rerank("cohere/any", f"{R}/v1/rerank", max_chunks_per_doc=10)


@case
def litellm_cohere_rerank_of_objects():
    documents = [{"text": text, "source": "luật", "page": 3} for text in DOCUMENTS]
    import litellm

    return ranking(
        litellm.rerank(model="cohere/any", query=QUESTION, documents=documents, api_base=R, api_key=KEY).results
    )


@case
def litellm_jina_rerank():
    return litellm_rerank("jina_ai/any", R, top_n=2, return_documents=True)


@case
def litellm_infinity_rerank():  # would have documents handed back as Infinity does, otherwise than all others
    return litellm_rerank("infinity/any", R, return_documents=False)


@case
def litellm_hosted_vllm_rerank():
    return litellm_rerank("hosted_vllm/any", f"{R}/v1", return_documents=True)


@case
def cohere_second_version():
    import cohere

    client = cohere.ClientV2(KEY, base_url=R)
    answer = client.rerank(model="any", query=QUESTION, documents=DOCUMENTS, max_tokens_per_doc=4096, priority=1)
    assert answer.id
    assert answer.meta.api_version.version == "2"
    return ranking(answer.results)


@case
def cohere_second_version_refused():
    import cohere

    return ranking(cohere.ClientV2(KEY, base_url=R).rerank(model="any", query=QUESTION, documents=[""]).results)


@case
def cohere_first_version():
    import cohere

    documents = [{"text": text, "source": "luật"} for text in DOCUMENTS]
    answer = cohere.Client(KEY, base_url=R).rerank(
        model="any", query=QUESTION, documents=documents, rank_fields=["text"], top_n=2, return_documents=True
    )
    assert [one.document.text for one in answer.results] == [DOCUMENTS[one.index] for one in answer.results]
    return ranking(answer.results)


@case
def langchain_openai_as_it_comes():
    """Its default sends token ids of OpenAI's own tokenizer, which LiteLLM's package carries; no network is needed."""
    import litellm

    folders = (Path(litellm.__file__).parent / "litellm_core_utils").glob("tokenizers")
    os.environ["TIKTOKEN_CACHE_DIR"] = str(next(folders))
    return langchain_embeddings()


@case
def langchain_openai_with_text():
    return langchain_embeddings(check_embedding_ctx_length=False)


def langchain_embeddings(**more):
    from langchain_openai import OpenAIEmbeddings

    client = OpenAIEmbeddings(base_url=f"{E}/v1", api_key=KEY, model="any", max_retries=0, **more)
    return [*client.embed_documents(TEXTS[:-1]), client.embed_query(TEXTS[-1])]


@case
def langchain_cohere_rerank():
    from langchain_cohere import CohereRerank
    from langchain_core.documents import Document

    reranker = CohereRerank(base_url=R, cohere_api_key=KEY, model="any", top_n=2)
    found = reranker.compress_documents([Document(text) for text in DOCUMENTS], QUESTION)
    return [[DOCUMENTS.index(one.page_content), one.metadata["relevance_score"]] for one in found]


@case
def llama_index_openai_embedding():
    from llama_index.embeddings.openai import OpenAIEmbedding

    client = OpenAIEmbedding(api_base=f"{E}/v1", api_key=KEY, max_retries=0)
    return client.get_text_embedding_batch(TEXTS)


@case
def llama_index_openai_like_embedding():
    from llama_index.embeddings.openai_like import OpenAILikeEmbedding

    client = OpenAILikeEmbedding(model_name="any", api_base=f"{E}/v1", api_key=KEY, max_retries=0)
    return [*client.get_text_embedding_batch(TEXTS[:-1]), client.get_query_embedding(TEXTS[-1])]


@case
def llama_index_cohere_rerank():
    from llama_index.core.schema import NodeWithScore, TextNode
    from llama_index.postprocessor.cohere_rerank import CohereRerank

    reranker = CohereRerank(api_key=KEY, base_url=R, model="any", top_n=2, max_retries=1)
    nodes = [NodeWithScore(node=TextNode(text=text)) for text in DOCUMENTS]
    found = reranker.postprocess_nodes(nodes, query_str=QUESTION)
    return [[DOCUMENTS.index(one.node.text), one.score] for one in found]


def answer_of(ask: Callable[[], object]) -> dict[str, object]:
    try:
        return {"answer": ask()}
    except Exception as error:  # noqa: BLE001 - whatever a client raises is what its user sees
        return {"error": f"{type(error).__name__}: {error}"}


if __name__ == "__main__":
    told = {name: answer_of(ask) for name, ask in CASES.items()}
    sys.stdout.write("\n" + json.dumps(told) + "\n")
