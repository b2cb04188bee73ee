"""Laws and article numbers that a question names."""

from __future__ import annotations

import numpy as np
import pytest

from retrieval.records import Article, Corpus, Query, Run
from retrieval.search.named import NamedLaws

LAWS = {
    "91/2015/QH13": "Bộ luật dân sự 2015",
    "92/2015/QH13": "Bộ luật tố tụng dân sự 2015",
    "45/2019/QH14": "Bộ luật Lao động 2019",
    "73/2021/QH14": "Luật Phòng, chống ma túy 2021",
}
CIDS = tuple(f"{number}:{article}" for number in LAWS for article in (1, 2, "21a"))


def corpus_of(cids=CIDS, laws=LAWS):
    return Corpus(tuple(Article(cid, "", "Nội dung.", laws.get(cid.split(":")[0], "")) for cid in cids), ())


NAMED = NamedLaws.of(corpus_of())


def named(question):
    exact, others = ([CIDS[row] for row in sorted(rows)] for rows in NAMED.articles(question))
    return exact, others


def articles_of(*numbers):
    return [cid for cid in CIDS if cid.split(":")[0] in numbers]


def order(run, position=0):
    return [hit.cid for hit in run.hits(position)]


def run_of_rows(rows, scores, qids=("q",)):
    return Run("hybrid", qids, CIDS, np.array(rows, np.int32), np.array(scores, np.float32))


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


def test_a_number_the_law_does_not_have_leaves_the_law():
    assert named("Điều 999 Bộ luật Lao động") == ([], articles_of("45/2019/QH14"))


def test_a_number_alone_names_that_article_of_every_law():
    of_all = [f"{number}:2" for number in LAWS]
    assert named("Điều 2 nói gì?") == ([], of_all)
    assert named("khoản 1, Điều 2") == (of_all, [])  # nothing else to go by


def test_a_named_article_comes_first_though_neither_search_found_it():
    run = run_of_rows([[0, 3, 6, -1]], [[1.0, 0.6, 0.5, -np.inf]])
    favoured = NAMED.favour(run, [Query("q", "Điều 2 Bộ luật Lao động")], 0.3)
    assert order(favoured) == ["45/2019/QH14:2", CIDS[0], CIDS[6], CIDS[3]]
    scores = [hit.score for hit in favoured.hits(0)]
    assert scores == pytest.approx([1.3 / 2.3, 1.0 / 2.3, 0.8 / 2.3, 0.6 / 2.3])


def test_found_articles_of_a_named_law_gain_and_no_other_is_brought_in():
    run = run_of_rows([[0, 6, 3, -1]], [[1.0, 0.8, 0.2, -np.inf]])
    favoured = NAMED.favour(run, [Query("q", "Theo Bộ luật Lao động, ...")], 0.3)
    assert order(favoured) == [CIDS[6], CIDS[0], CIDS[3]]
    assert favoured.scores[0, :3].tolist() == pytest.approx([1.1 / 1.3, 1.0 / 1.3, 0.2 / 1.3])


def test_questions_that_name_nothing_keep_their_hits_beside_one_that_does():
    run = run_of_rows([[0, 6], [0, 6]], [[1.0, 0.8], [1.0, 0.8]], ("q", "r"))
    favoured = NAMED.favour(run, [Query("q", "nghỉ phép"), Query("r", "nghỉ phép theo BLLĐ")], 0.3)
    assert order(favoured, 0) == [CIDS[0], CIDS[6]]
    assert favoured.scores[0].tolist() == pytest.approx([1.0, 0.8])
    assert order(favoured, 1) == [CIDS[6], CIDS[0]]


def test_without_weight_or_names_the_run_is_the_same():
    run = run_of_rows([[0, 6]], [[1.0, 0.8]])
    assert NAMED.favour(run, [Query("q", "Bộ luật Lao động")], 0.0) is run
    plain = NamedLaws.of(corpus_of(("17", "18"), {}))
    assert plain.favour(run, [Query("q", "Điều 18 Bộ luật Lao động")], 0.3) is run
