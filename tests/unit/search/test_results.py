"""What an answer says about why it ranks where it does."""

from dataclasses import replace

import pytest

from deployment.gateway import search as gateway_search
from retrieval.search import retriever as retriever_search
from retrieval.search.results import reranked, to_rerank
from tests.helpers.tiny_bundle import QUESTION, tiny_retriever


@pytest.fixture(scope="module")
def retriever(tmp_path_factory):
    return tiny_retriever(tmp_path_factory.mktemp("tiny"))


@pytest.fixture(scope="module")
def answers(retriever):
    return retriever.search(QUESTION, 12)


def test_the_hybrid_score_is_the_mix_of_both_scaled_scores(retriever, answers):
    weight = retriever.settings.bm25_weight
    for answer in answers:
        parts = answer.first_stage
        expected = (1 - weight) * parts.dense_scaled + weight * parts.bm25_scaled
        assert parts.hybrid == pytest.approx(expected, abs=1e-5)


def test_the_dense_score_is_the_mix_of_passage_and_title(retriever, answers):
    share = retriever.settings.title_weight
    for answer in answers:
        parts = answer.first_stage
        assert parts.dense == pytest.approx((1 - share) * parts.passage + share * parts.title, abs=1e-5)


def test_what_bm25_did_not_find_has_no_score_of_it(retriever, answers):
    stage = retriever.first_stage(retriever.prepare([QUESTION]))
    found = {hit.cid: hit.score for hit in stage.bm25.hits(0)}
    assert {a.article.cid: a.first_stage.bm25 for a in answers} == {
        a.article.cid: found.get(a.article.cid) for a in answers
    }
    assert all(a.first_stage.bm25_scaled == 0.0 for a in answers if a.article.cid not in found)


def test_only_what_the_reranker_read_has_its_probability_and_ranks_by_the_blend(retriever, answers):
    settings = retriever.settings
    head, tail = answers[: settings.rerank_depth], answers[settings.rerank_depth :]
    assert all(answer.reranker is None and answer.score < 0 for answer in tail)
    hybrids = [answer.first_stage.hybrid for answer in head]
    low, width = min(hybrids), max(hybrids) - min(hybrids)
    for answer in head:
        scaled = (answer.first_stage.hybrid - low) / width
        blended = (1 - settings.rerank_weight) * scaled + settings.rerank_weight * answer.reranker
        assert answer.score == pytest.approx(blended, abs=1e-5)


@pytest.mark.parametrize("changes", [{}, {"rerank_depth": 3}, {"rerank_depth": 99}, {"rerank_weight": 0.0}])
@pytest.mark.parametrize("k", [1, 4, 12, 99])
def test_answers_are_ranked_and_scored_as_the_reranked_run_is(retriever, k, changes):
    joined = retriever.with_settings(replace(retriever.settings, **changes))
    queries = joined.prepare([QUESTION])
    run = joined.rerank(queries, joined.first_stage(queries))
    assert [(one.article.cid, one.score) for one in joined.search(QUESTION, k)] == [
        (hit.cid, pytest.approx(hit.score, abs=1e-6)) for hit in run.hits(0)[:k]
    ]


def test_search_and_gateway_rerank_by_one_function():
    assert gateway_search.reranked is retriever_search.reranked is reranked
    assert gateway_search.to_rerank is retriever_search.to_rerank is to_rerank
    assert not {"blend_probabilities", "blended"} & set(vars(gateway_search))


def test_without_probabilities_the_first_stages_order_stands(retriever, answers):
    assert reranked(answers, [], retriever.settings) == answers
    assert reranked([], [], retriever.settings) == []


def test_without_a_cross_encoder_the_score_is_the_hybrid_one(tmp_path):
    for answer in tiny_retriever(tmp_path, rerank=False).search(QUESTION, 5):
        assert answer.score == pytest.approx(answer.first_stage.hybrid)
        assert answer.reranker is None


def test_an_article_that_the_question_names_is_the_first_answer(retriever):
    question = "Người lao động được nghỉ hằng năm theo quy định, Điều 17 Bộ luật thử"
    first, second, *_ = retriever.search(question, 3)
    assert (first.article.cid, second.article.cid) == ("1/2020/QH14:17", "1/2020/QH14:1")
    assert (first.first_stage.citation, second.first_stage.citation) == ("article", "law_or_number")
    blind = retriever.with_settings(replace(retriever.settings, citation_weight=0.0)).search(question, 3)[0]
    assert (blind.article.cid, blind.first_stage.citation) == ("1/2020/QH14:1", None)
