"""The retriever at its own door: what it makes of questions and how it joins its stages."""

import unicodedata
from dataclasses import replace
from types import SimpleNamespace

import numpy as np
import pytest

from retrieval.errors import SearchError
from retrieval.search.fusion import fuse
from retrieval.search.retriever import STAGES, Retriever
from tests.helpers.tiny_bundle import ARTICLES, QUESTION, tiny_retriever

QUESTIONS = [QUESTION, "Cá nhân có quyền xác lập giao dịch dân sự không?", "Toà án xét xử độc lập"]


class Unwanted:
    """A cross-encoder that must not be asked."""

    def __init__(self, reranker) -> None:
        self.settings = reranker.settings

    def score(self, *_: object, **__: object):
        raise AssertionError("the reranker was asked")


class Counting:
    """A cross-encoder that remembers which pairs it read."""

    def __init__(self, reranker) -> None:
        self._reranker, self.settings = reranker, reranker.settings
        self.pairs: list[tuple[str, tuple[str, ...]]] = []

    def score(self, pairs, runtime, label=None):
        self.pairs += pairs
        return self._reranker.score(pairs, runtime, label=label)


@pytest.fixture(scope="module")
def retriever(tmp_path_factory) -> Retriever:
    return tiny_retriever(tmp_path_factory.mktemp("tiny"))


def joined(retriever: Retriever, **changes: object) -> Retriever:
    return retriever.with_settings(replace(retriever.settings, **changes))


def order(run, position: int = 0) -> list[str]:
    return [hit.cid for hit in run.hits(position)]


def cids(answers) -> list[str]:
    return [answer.article.cid for answer in answers]


def test_questions_are_cleaned_and_numbered_in_their_order(retriever):
    decomposed = unicodedata.normalize("NFD", "  Người   lao \t động\n")  # marks as signs of their own
    made = retriever.prepare([decomposed, QUESTION])
    assert [(query.qid, query.text) for query in made] == [("0", "Người lao động"), ("1", QUESTION)]


@pytest.mark.parametrize("empty", ["", "   ", "\n\t"])
def test_question_without_text_is_refused_with_its_place(retriever, empty):
    with pytest.raises(SearchError, match="question 2 is empty; type what you want to know"):
        retriever.prepare([QUESTION, empty])
    with pytest.raises(SearchError, match="question 1 is empty"):
        retriever.search(empty)


def reading_words(retriever: Retriever, part: str) -> Retriever:
    if part == "bm25":
        return replace(retriever, settings=replace(retriever.settings, bm25_units="words"))
    settings = replace(getattr(retriever, part).settings, text_kind="segmented")
    return replace(retriever, **{part: SimpleNamespace(settings=settings)})


@pytest.mark.parametrize("part", ["bi_encoder", "cross_encoder", "bm25"])
def test_questions_are_segmented_only_where_a_part_reads_words(retriever, part):
    (plain,) = retriever.prepare([QUESTION])
    (words,) = reading_words(retriever, part).prepare([QUESTION])
    assert plain.segmented == plain.text == words.text
    assert "lao_động" in words.segmented


def test_hybrid_run_is_the_fusion_of_both_runs_by_their_weight(retriever):
    mixed = joined(retriever, bm25_weight=0.4, citation_weight=0.0)
    stage = mixed.first_stage(mixed.prepare(QUESTIONS))
    expected = fuse(stage.dense, stage.bm25, 0.4, mixed.settings.candidates)
    np.testing.assert_array_equal(stage.hybrid.rows, expected.rows)
    np.testing.assert_allclose(stage.hybrid.scores, expected.scores)


@pytest.mark.parametrize(("weight", "winner"), [(0.0, "dense"), (1.0, "bm25")])
def test_hybrid_run_at_either_end_is_led_by_that_searcher(retriever, weight, winner):
    one = joined(retriever, bm25_weight=weight, citation_weight=0.0)
    stage = one.first_stage(one.prepare(QUESTIONS))
    for position in range(len(QUESTIONS)):
        assert order(stage.hybrid, position)[0] == order(getattr(stage, winner), position)[0]


def test_no_searcher_gives_more_than_the_candidates_asked_for(retriever):
    one = joined(retriever, candidates=4)
    stage = one.first_stage(one.prepare(QUESTIONS))
    assert max(len(order(run, p)) for run in (stage.bm25, stage.dense, stage.hybrid) for p in range(3)) == 4


def test_vectors_that_are_given_are_searched_with_instead_of_embedding_anew(retriever):
    queries = retriever.prepare(QUESTIONS)
    other = retriever.first_stage(retriever.prepare(QUESTIONS[::-1]))
    swapped = retriever.first_stage(queries, other.vectors)
    assert [order(swapped.dense, p) for p in range(3)] == [order(other.dense, p) for p in range(3)]
    assert order(swapped.bm25) == order(retriever.first_stage(queries).bm25)


def test_titles_weigh_nothing_where_they_are_no_field(retriever):
    hidden = joined(retriever, titles=False, title_weight=0.5)
    for answer in hidden.search(QUESTION, 5):
        assert answer.first_stage.title is None
        assert answer.first_stage.dense == pytest.approx(answer.first_stage.passage, abs=1e-5)
    shown = joined(retriever, titles=True, title_weight=0.5).search(QUESTION, 5)
    assert all(answer.first_stage.title is not None for answer in shown)


@pytest.mark.parametrize("titles", [True, False])
def test_reranker_reads_titles_only_where_they_are_a_field(retriever, titles):
    counting = Counting(retriever.cross_encoder)
    joined(replace(retriever, cross_encoder=counting), titles=titles).search(QUESTION)
    assert {document[0].startswith("Điều ") for _, document in counting.pairs} == {titles}


def test_named_article_that_no_searcher_found_is_the_answer(retriever):
    question = "Điều 17 Bộ luật thử"
    one = joined(retriever, candidates=1)
    assert cids(one.search(question)) == ["1/2020/QH14:17"]
    blind = joined(retriever, candidates=1, citation_weight=0.0)
    assert blind.first_stage(blind.prepare([question])).named == ()


def test_runs_are_of_every_stage_and_without_a_cross_encoder_of_the_first(retriever):
    queries = retriever.prepare(QUESTIONS)
    runs, bare = retriever.runs(queries), replace(retriever, cross_encoder=None).runs(queries)
    assert tuple(runs) == tuple(run.name for run in runs.values()) == STAGES
    assert tuple(bare) == STAGES[:-1]
    np.testing.assert_array_equal(bare["hybrid"].rows, runs["hybrid"].rows)


def test_many_questions_are_ranked_as_each_alone(retriever):
    together = retriever.runs(retriever.prepare(QUESTIONS))
    for position, question in enumerate(QUESTIONS):
        alone = retriever.runs(retriever.prepare([question]))
        assert {name: order(run, position) for name, run in together.items()} == {
            name: order(run) for name, run in alone.items()
        }


@pytest.mark.parametrize("depth", [1, 3, 5])
def test_reranker_reads_and_moves_the_first_hits_of_the_depth_and_no_other(retriever, depth):
    counting = Counting(retriever.cross_encoder)
    one = joined(replace(retriever, cross_encoder=counting), rerank_depth=depth, rerank_weight=1.0)
    runs = one.runs(one.prepare(QUESTIONS))
    assert len(counting.pairs) == depth * len(QUESTIONS)
    for position in range(len(QUESTIONS)):
        before, after = order(runs["hybrid"], position), order(runs["reranked"], position)
        assert sorted(before[:depth]) == sorted(after[:depth])
        assert before[depth:] == after[depth:]


def test_reranker_with_all_the_weight_orders_the_head_by_its_logits(retriever):
    one = joined(retriever, rerank_weight=1.0)
    queries = one.prepare([QUESTION])
    stage = one.first_stage(queries)
    logits = one.logits(queries, stage, 5)
    assert logits.shape == (1, 5)
    by_logit = [order(stage.hybrid)[place] for place in np.argsort(-logits[0], kind="stable")]
    assert order(one.rerank(queries, stage))[:5] == by_logit


def test_depth_beyond_the_hits_reads_them_all(retriever):
    one = joined(retriever, candidates=3, rerank_depth=50)
    queries = one.prepare([QUESTION])
    runs = one.runs(queries)
    assert one.logits(queries, one.first_stage(queries), 50).shape == runs["hybrid"].rows.shape
    assert sorted(order(runs["reranked"])) == sorted(order(runs["hybrid"]))


def test_reranker_without_a_share_is_not_asked_and_changes_nothing(retriever):
    idle = joined(replace(retriever, cross_encoder=Unwanted(retriever.cross_encoder)), rerank_weight=0.0)
    runs = idle.runs(idle.prepare(QUESTIONS))
    np.testing.assert_array_equal(runs["reranked"].rows, runs["hybrid"].rows)
    np.testing.assert_array_equal(runs["reranked"].scores, runs["hybrid"].scores)
    answers = idle.search(QUESTION)
    assert cids(answers) == order(runs["hybrid"])[:10]
    assert all(answer.reranker is None for answer in answers)


def test_logits_read_before_are_taken_and_only_the_other_questions_are_read(retriever):
    queries = retriever.prepare(QUESTIONS)
    stage = retriever.first_stage(queries)
    whole, deeper = retriever.rerank(queries, stage), retriever.logits(queries, stage, 8)
    counting = Counting(retriever.cross_encoder)
    again = replace(retriever, cross_encoder=counting).rerank(queries, stage, None, {"0": deeper[0], "2": deeper[2]})
    assert {question for question, _ in counting.pairs} == {QUESTIONS[1]}
    np.testing.assert_array_equal(again.rows, whole.rows)
    np.testing.assert_allclose(again.scores, whole.scores, atol=1e-5)


def test_logits_without_a_cross_encoder_are_refused(retriever):
    bare = replace(retriever, cross_encoder=None)
    queries = bare.prepare([QUESTION])
    with pytest.raises(SearchError, match="has no cross-encoder; train one or search without reranking"):
        bare.logits(queries, bare.first_stage(queries), 5)


def test_answers_are_the_first_k_of_the_reranked_run(retriever):
    ranked = order(retriever.runs(retriever.prepare([QUESTION]))["reranked"])
    for k in (1, 3, len(ranked)):
        assert cids(retriever.search(QUESTION, k)) == ranked[:k]


def test_more_answers_than_candidates_are_not_made_up(retriever):
    answers = joined(retriever, candidates=6, citation_weight=0.0).search(QUESTION, 10 * ARTICLES)
    assert len(answers) == len(set(cids(answers))) == 6


def test_other_weights_keep_the_lexical_index_and_its_own_settings_make_another(retriever):
    assert joined(retriever, bm25_weight=0.9, rerank_depth=2, title_weight=0.1).bm25 is retriever.bm25
    assert joined(retriever, bm25_k1=0.5).bm25 is not retriever.bm25
    assert joined(retriever, titles=False).bm25 is not retriever.bm25
