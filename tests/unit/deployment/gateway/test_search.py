"""From question to page: the same ranking as the retriever's own, and an honest word where the reranker fails."""

import asyncio
from dataclasses import replace

import pytest

from deployment.bundle.format import BundleFacts
from deployment.engine.embedding import EmbeddingEngine
from deployment.engine.reranking import RerankingEngine
from deployment.errors import DeadlinePassed, InvalidInput, ModelFault, Overloaded
from deployment.gateway.article_view import ArticleView
from deployment.gateway.circuit_breaker import CircuitBreakerReranker
from deployment.gateway.in_process import OwnFirstStage, OwnReranker
from deployment.gateway.search import SearchEngine
from deployment.gateway.stages import RerankFault
from monitoring.endpoint_metrics import EndpointMetrics
from monitoring.label_values import KnownValues
from retrieval.data import cleaning
from tests.helpers.metric_values import scraped
from tests.helpers.tiny_bundle import QUESTION, tiny_retriever

FACTS = BundleFacts(
    retriever="1",
    bi_encoder="1",
    cross_encoder="1",
    index="index-1",
    data="data",
    code="code",
    bi_encoder_run="run-1",
    cross_encoder_run="run-2",
)


class Failing:
    """A reranker that fails as told."""

    def __init__(self, error):
        self.error = error

    async def score(self, question, documents, budget_seconds):
        raise self.error

    score_clean = score

    async def close(self):
        pass


@pytest.fixture(scope="module")
def retriever(tmp_path_factory):
    return tiny_retriever(tmp_path_factory.mktemp("tiny"))


def searched(retriever, question=QUESTION, top_k=12, rerank=True, reranker=None, **settings):
    """What an engine over the retriever's own models answers; also its metrics in text."""
    metrics = EndpointMetrics("gateway", KnownValues(actions=("search",)))

    async def run():
        first = OwnFirstStage(EmbeddingEngine(retriever, FACTS, metrics), 30.0)
        second = reranker or OwnReranker(RerankingEngine(retriever.cross_encoder, FACTS, retriever.runtime, metrics))
        joined = replace(retriever.settings, **settings)
        engine = SearchEngine(
            first, CircuitBreakerReranker(second, 30.0), ArticleView(retriever.corpus), joined, FACTS, metrics
        )
        try:
            return await engine.search(question, top_k, rerank)
        finally:
            await engine.close()

    return asyncio.run(run()), metrics.families.render()[0].decode()


def ranked(answer):
    return [hit.cid for hit in answer.results]


def test_the_gateway_ranks_as_the_retriever_itself(retriever):
    answer, _ = searched(retriever)
    expected = retriever.search(QUESTION, 12)
    assert ranked(answer) == [one.article.cid for one in expected]
    assert answer.reranked
    assert answer.fallback_reason is None
    for hit, one in zip(answer.results, expected, strict=True):
        assert hit.components.bm25 == one.first_stage.bm25
        if one.reranker is None:
            assert hit.components.reranker is None
        else:
            assert hit.components.reranker == pytest.approx(one.reranker, abs=1e-5)
            assert hit.score == pytest.approx(one.score, abs=1e-5)


def test_fewer_articles_than_the_reranker_reads_are_still_its_best(retriever):
    answer, _ = searched(retriever, top_k=2)
    assert ranked(answer) == [one.article.cid for one in retriever.search(QUESTION, 2)]
    assert [hit.rank for hit in answer.results] == [1, 2]


def test_reranking_that_is_not_asked_for_is_no_fallback(retriever):
    answer, _ = searched(retriever, rerank=False)
    stage = retriever.first_stage(retriever.prepare([QUESTION]))
    assert ranked(answer) == [hit.cid for hit in stage.hybrid.hits(0)[:12]]
    assert not answer.reranked
    assert answer.fallback_reason is None


def test_a_reranker_without_a_share_is_not_asked(retriever):
    answer, _ = searched(retriever, reranker=Failing(AssertionError("asked")), rerank_weight=0.0)
    assert (answer.reranked, answer.fallback_reason, answer.weights.reranker) == (False, "no_reranker", 0.0)


def test_a_failing_reranker_leaves_the_first_stages_order_and_is_counted_as_a_fallback_and_no_error(retriever):
    answer, metrics = searched(retriever, reranker=Failing(RerankFault("bad_answer", "garbage")))
    plain, _ = searched(retriever, rerank=False)
    assert ranked(answer) == ranked(plain)
    assert (answer.reranked, answer.fallback_reason) == (False, "bad_answer")
    assert all(hit.components.reranker is None for hit in answer.results)
    assert scraped(metrics, "endpoint_fallbacks_total", reason="bad_answer") == 1
    assert scraped(metrics, "endpoint_errors_total") == 0


def test_fallbacks_are_counted_as_often_as_an_answer_names_one(retriever):
    for reranker, given in ((None, {}), (None, {"rerank": False}), (Failing(None), {"rerank_weight": 0.0})):
        answer, metrics = searched(retriever, reranker=reranker, **given)
        assert scraped(metrics, "endpoint_fallbacks_total") == (answer.fallback_reason is not None)


@pytest.mark.parametrize(
    ("refusal", "reason"),
    [(Overloaded("full"), "overloaded"), (DeadlinePassed("late"), "slow"), (ModelFault("NaN"), "bad_answer")],
)
def test_refusals_of_the_own_reranker_are_fallbacks_too(retriever, refusal, reason):
    answer, _ = searched(retriever, reranker=OwnReranker(Failing(refusal)))
    assert (answer.reranked, answer.fallback_reason) == (False, reason)


@pytest.fixture
def cleanings(monkeypatch):
    """Every text that is cleaned, as it came."""
    seen, real = [], cleaning.clean_text

    def counted(text):
        seen.append(text)
        return real(text)

    monkeypatch.setattr(cleaning, "clean_text", counted)
    return seen


TYPED = f"  {QUESTION.replace(' ', '  ')}\n"
"""The question as somebody typed it, which cleaning changes."""


def test_a_question_is_cleaned_once_on_its_way_through_gateway_engines_and_library(retriever, cleanings):
    answer, _ = searched(retriever, TYPED)
    assert cleanings == [TYPED]
    assert answer.question == QUESTION


def test_a_question_as_it_was_typed_has_the_answers_of_the_clean_one(retriever):
    def shown(question):
        return searched(retriever, question)[0].model_dump(exclude={"timings_ms"})

    typed, clean = shown(TYPED), shown(QUESTION)
    assert [hit["cid"] for hit in typed["results"]] == [one.article.cid for one in retriever.search(QUESTION, 12)]
    for one, other in zip(typed["results"], clean["results"], strict=True):
        assert one["score"] == pytest.approx(other["score"], abs=1e-5)
        assert one["snippet_marks"] == other["snippet_marks"]


def test_a_service_cleans_a_question_once_and_not_once_for_each_document(retriever, cleanings):
    metrics = EndpointMetrics("service", KnownValues())

    async def run():
        first = EmbeddingEngine(retriever, FACTS, metrics)
        second = RerankingEngine(retriever.cross_encoder, FACTS, retriever.runtime, metrics)
        try:
            found = await first.search(TYPED, 3)
            searched_with = list(cleanings)
            cleanings.clear()
            scored = await second.score(TYPED, ["một", "hai", ("Điều 1", "ba")])
            scored_with = list(cleanings)
            same = await second.score(QUESTION, ["một", "hai", ("Điều 1", "ba")])
        finally:
            await first.close()
            await second.close()
        return found, scored, same, searched_with, scored_with

    found, scored, same, searched_with, scored_with = asyncio.run(run())
    assert (searched_with, scored_with) == ([TYPED], [TYPED])
    assert len(found.answers) == 3
    assert scored.logits == pytest.approx(same.logits, abs=1e-5)


def test_marks_point_at_the_questions_words(retriever):
    answer, _ = searched(retriever)
    (first,) = [hit for hit in answer.results if hit.cid.endswith(":1")]
    assert first.heading == "Điều 1"
    assert "được nghỉ hằng" in [first.snippet[start:end] for start, end in first.snippet_marks]


def test_both_models_are_warm_before_the_gateway_is_ready(retriever):
    warmed = []

    class Stage:
        def __init__(self, name):
            self.name = name

        async def warm_up(self):
            warmed.append(self.name)

    metrics, library = EndpointMetrics("gateway", KnownValues()), ArticleView(retriever.corpus)
    patient = CircuitBreakerReranker(Stage("second"), 1.0)
    asyncio.run(SearchEngine(Stage("first"), patient, library, retriever.settings, FACTS, metrics).warm_up())
    assert warmed == ["first", "second"]
    assert "common" in vars(library)


def test_a_question_of_signs_alone_is_refused(retriever):
    with pytest.raises(InvalidInput, match="nothing readable"):
        searched(retriever, question="\u200b\u200b <br>")


def test_what_questions_took_of_the_machine_is_counted_in_one_process_too(retriever):
    _, metrics = searched(retriever)
    assert scraped(metrics, "endpoint_worker_seconds_total", phase="request") > 0
