"""Laws and article numbers that a question names."""

from __future__ import annotations

import numpy as np
import pytest

from retrieval.records import Article, Corpus, TrecRun
from retrieval.search.citations import CitedLaws, Named, boost_cited
from retrieval.search.rerank import blend_probabilities

LAWS = {
    "91/2015/QH13": "Bộ luật dân sự 2015",
    "92/2015/QH13": "Bộ luật tố tụng dân sự 2015",
    "45/2019/QH14": "Bộ luật Lao động 2019",
    "73/2021/QH14": "Luật Phòng, chống ma túy 2021",
}
CIDS = tuple(f"{number}:{article}" for number in LAWS for article in (1, 2, "21a"))


def corpus_of(cids=CIDS, laws=LAWS):
    return Corpus(tuple(Article(cid, "", "Nội dung.", laws.get(cid.split(":")[0], "")) for cid in cids), ())


NAMED = CitedLaws.of(corpus_of())


def named(question):
    found = NAMED.named(question)
    return tuple([CIDS[row] for row in sorted(rows)] for rows in (found.articles, found.parts))


def articles_of(*numbers):
    return [cid for cid in CIDS if cid.split(":")[0] in numbers]


def order(run, position=0):
    return [hit.cid for hit in run.hits(position)]


def run_of_rows(rows, scores, qids=("q",)):
    return TrecRun("hybrid", qids, CIDS, np.array(rows, np.int32), np.array(scores, np.float32))


@pytest.mark.parametrize(
    "question",
    [
        "Theo Bộ luật Lao động, nghỉ bao nhiêu ngày?",
        "bộ luật lao động năm 2019 nói gì",
        "luật lao động: nghỉ phép",
        "nghỉ phép theo BLLĐ 2019?",
        "nghỉ phép (45/2019/QH14)",
    ],
)
def test_a_law_is_known_by_its_name_its_short_forms_and_its_number(question):
    assert named(question) == ([], articles_of("45/2019/QH14"))


def test_a_name_with_commas_is_found_in_a_question():
    assert named("Luật phòng, chống ma túy cấm gì?") == ([], articles_of("73/2021/QH14"))


def test_a_law_whose_name_is_part_of_another_is_not_named_by_it():
    assert named("kháng cáo theo Bộ luật tố tụng dân sự") == ([], articles_of("92/2015/QH13"))
    both = "kháng cáo theo BLTTDS và hợp đồng theo BLDS"
    assert named(both) == ([], articles_of("91/2015/QH13", "92/2015/QH13"))


@pytest.mark.parametrize(
    "question",
    [
        "kỷ luật lao động là gì",  # discipline
        "theo pháp luật dân sự",  # law in general
        "Bộ luật dân sự năm 2005 quy định gì",  # the one before
        "Bộ luật dân sự 2005",
        "tranh chấp lao động",
        "điều kiện kết hôn",
        "",
    ],
)
def test_what_only_looks_like_a_name_is_none(question):
    assert named(question) == ([], [])


def test_an_article_is_named_by_law_and_number():
    assert named("Điều 2 Bộ luật Lao động") == (["45/2019/QH14:2"], ["45/2019/QH14:1", "45/2019/QH14:21a"])
    assert named("khoản 1 điều 21A luật lao động")[0] == ["45/2019/QH14:21a"]


@pytest.mark.parametrize("question", ["Điều 999 Bộ luật Lao động", "Điều 999/BLLĐ"])
def test_a_number_the_law_does_not_have_leaves_the_law(question):
    assert named(question) == ([], articles_of("45/2019/QH14"))


def test_a_number_alone_names_that_article_of_every_law():
    of_all = [f"{number}:2" for number in LAWS]
    assert named("Điều 2 nói gì?") == ([], of_all)
    assert named("khoản 1, Điều 2") == (of_all, [])  # nothing else to go by


@pytest.mark.parametrize(
    "question",
    [
        "Điều 2 Luật Đầu tư",
        "Điều 2 Bộ luật dân sự 2005",
        "Điều 2 Bộ luật Lao động số 10/2012/QH13",
        "Điều 2 Nghị định 145/2020/NĐ-CP",
        "vi phạm điều 2 của hợp đồng",
    ],
)
def test_an_article_of_another_text_is_none_of_these(question):
    assert named(question) == ([], [])


def test_the_year_tells_two_laws_of_one_name_apart():
    laws = {"33/2005/QH11": "Bộ luật dân sự 2005", "91/2015/QH13": "Bộ luật dân sự 2015"}
    both = CitedLaws.of(corpus_of(("33/2005/QH11:1", "91/2015/QH13:1"), laws))
    assert both.named("Điều 1 Bộ luật dân sự năm 2015").articles == {1}
    assert both.named("Điều 1 Bộ luật dân sự số 33/2005/QH11").articles == {0}
    assert both.named("Điều 1 BLDS").articles == {0, 1}


def test_the_year_of_a_name_without_one_is_that_of_the_laws_number():
    land = CitedLaws.of(corpus_of(("31/2024/QH15:1",), {"31/2024/QH15": "Luật Đất đai"}))
    assert land.named("Điều 1 Luật Đất đai 2024").articles == {0}
    assert land.named("Điều 1 Luật Đất đai 2013").articles == frozenset()


def test_each_number_belongs_to_the_law_after_it_or_else_before_it():
    assert named("Điều 2 BLLĐ và Điều 1 BLDS")[0] == ["91/2015/QH13:1", "45/2019/QH14:2"]
    assert named("BLLĐ, điều 02")[0] == ["45/2019/QH14:2"]


@pytest.mark.parametrize(
    "question",
    [
        "Điều 1, 2 BLLĐ",
        "Điều 1, 2, 999 và 1 BLLĐ",
        "Điều 1, 2 khoản 3 BLLĐ",
        "Theo BLLĐ, các điều 1, 2, 999 nói về gì?",
        "điều 1, 2 hoặc 999 BLLĐ",
        "điều 1, và 2 theo BLLĐ",
        "BLLĐ điều 1 và 2. Tôi có được nghỉ?",
        "Điều 1, 2/BLLĐ, 999/BLLĐ",
        "các điều 1, 2 Bộ luật Lao động",
        "điều 1 và 2 của BLLĐ",
        "Theo BLLĐ, điều 1 và 2",
        "Điều 1/BLLĐ và điều 02/BLLĐ",
        "điều 1 và điều 2 BLLĐ",
    ],
)
def test_all_numbers_of_a_list_are_read(question):
    assert named(question)[0] == ["45/2019/QH14:1", "45/2019/QH14:2"]


def test_a_list_of_numbers_alone_is_read_whole():
    assert named("Điều 1, 2")[0] == sorted((f"{law}:{number}" for law in LAWS for number in (1, 2)), key=CIDS.index)


@pytest.mark.parametrize(
    "question",
    [
        "theo điều 1 BLLĐ và 2 ngày nghỉ",
        "điều 1 và 2 ngày nghỉ theo BLLĐ",
        "điều 1, 2 ngày nghỉ theo BLLĐ",
        "điều 1, 2, 3 ngày nghỉ theo BLLĐ",
        "điều 1, 2 và 10 năm theo BLLĐ",
        "Điều 1 và 999/BLLĐ",
        "điều 1.2 BLLĐ",
        "điều 1 khoản 2 BLLĐ",
    ],
)
def test_a_number_of_something_else_ends_the_list(question):
    assert named(question)[0] == ["45/2019/QH14:1"]


@pytest.mark.parametrize("pause", [",", ".", ":", "?"])
def test_a_year_that_begins_another_clause_is_not_the_laws(pause):
    asked = f"Theo Bộ luật lao động{pause} năm 2012 tôi nghỉ mấy ngày?"
    assert named(asked) == ([], articles_of("45/2019/QH14"))


@pytest.mark.parametrize("said", [", số 10/2012/QH13, nghỉ mấy ngày?", ", năm 2012", " (năm 2012) nghỉ mấy ngày?"])
def test_a_number_or_a_last_year_after_a_comma_and_one_in_brackets_are_the_laws(said):
    assert named(f"Theo Bộ luật lao động{said}") == ([], [])


def test_ids_that_are_no_law_numbers_name_none():
    plain = CitedLaws.of(corpus_of(("3:2", "4:2"), {}))
    assert plain.named("lương tháng 3") == Named()


def favoured(run, *questions, weight=0.3):
    return boost_cited(run, [NAMED.named(question) for question in questions], weight)


def test_a_named_article_comes_first_though_neither_search_found_it():
    run = run_of_rows([[0, 3, 6, -1]], [[1.0, 0.6, 0.5, -np.inf]])
    found = favoured(run, "Điều 2 Bộ luật Lao động")
    assert order(found) == ["45/2019/QH14:2", CIDS[0], CIDS[6], CIDS[3]]
    scores = [hit.score for hit in found.hits(0)]
    assert scores == pytest.approx([0.9, 0.1 * 1.0 / 1.3, 0.1 * 0.8 / 1.3, 0.1 * 0.6 / 1.3])


def test_a_named_article_stays_before_the_best_of_its_law_and_before_what_a_reranker_prefers():
    run = run_of_rows([[6, 0, -1]], [[1.0, 0.4, -np.inf]])
    found = favoured(run, "Điều 2 Bộ luật Lao động")
    assert order(found) == ["45/2019/QH14:2", CIDS[6], CIDS[0]]
    read = blend_probabilities(found, np.array([[0.0, 1.0, 1.0]], np.float32), 3, 0.4)
    assert order(read)[0] == "45/2019/QH14:2"


def test_found_articles_of_a_named_law_gain_and_no_other_is_brought_in():
    run = run_of_rows([[0, 6, 3, -1]], [[1.0, 0.8, 0.2, -np.inf]])
    found = favoured(run, "Theo Bộ luật Lao động, ...")
    assert order(found) == [CIDS[6], CIDS[0], CIDS[3]]
    assert found.scores[0, :3].tolist() == pytest.approx([1.1 / 1.3, 1.0 / 1.3, 0.2 / 1.3])


def test_questions_that_name_nothing_keep_their_hits_beside_one_that_does():
    run = run_of_rows([[0, 6], [0, 6]], [[1.0, 0.8], [1.0, 0.8]], ("q", "r"))
    found = favoured(run, "nghỉ phép", "nghỉ phép theo BLLĐ")
    assert order(found, 0) == [CIDS[0], CIDS[6]]
    assert found.scores[0].tolist() == pytest.approx([1.0, 0.8])
    assert order(found, 1) == [CIDS[6], CIDS[0]]


def test_where_nothing_is_named_or_nobody_looked_the_run_is_the_same():
    run = run_of_rows([[0, 6]], [[1.0, 0.8]])
    assert favoured(run, "nghỉ phép") is run
    assert boost_cited(run, (), 0.3) is run
    assert CitedLaws.of(corpus_of(("17", "18"), {})).named("Điều 18 Bộ luật Lao động") == Named()
