"""Questions made from the law: what they say and which articles answer them."""

import pytest

from retrieval.data.cleaning import text_key
from retrieval.data.weak_supervision import clause_queries, path_queries, template_queries, title_queries
from retrieval.records import Article

BODY = (
    "1. Người lao động có quyền làm việc và tự do lựa chọn việc làm. Câu sau.\n"
    "2. Ngắn quá.\n"
    "3. Người sử dụng lao động có các nghĩa vụ sau đây đối với người lao động:\na) Điểm a."
)
ARTICLES = [
    Article("A:1", "Phạm vi điều chỉnh", BODY, "Luật A", ("Chương I: NHỮNG QUY ĐỊNH CHUNG",), (0, 73, 86)),
    Article("A:2", "Quyền của người lao động", "Không có khoản.", "Luật A", ("Chương I: X", "Mục 2. QUYỀN")),
    Article("B:1", "Phạm vi điều chỉnh.", "Thân.", "Luật B"),
    Article("C:1", "", "Không có tiêu đề.", ""),
]


def test_titles_become_queries_and_a_shared_title_has_every_article_as_gold():
    queries = title_queries(ARTICLES)

    assert [(query.qid, query.text, query.cids, query.source) for query in queries] == [
        ("title:A:1", "Phạm vi điều chỉnh", ("A:1", "B:1"), "title"),
        ("title:A:2", "Quyền của người lao động", ("A:2",), "title"),
    ]


def test_a_title_without_a_letter_or_digit_is_no_query():
    titles = ("____", "…", "第三条")
    articles = [Article(str(n), title, "Thân.", "Luật A") for n, title in enumerate(titles)]

    assert [query.text for query in title_queries(articles)] == ["第三条"]


def test_clause_queries_are_first_sentences_and_list_openings_of_fit_length():
    queries = clause_queries(ARTICLES, per_article=5, seed=1)

    assert [(query.qid, query.text, query.cids) for query in queries] == [
        ("clause:A:1:1", "Người lao động có quyền làm việc và tự do lựa chọn việc làm", ("A:1",)),
        ("clause:A:1:2", "Người sử dụng lao động có các nghĩa vụ sau đây đối với người lao động", ("A:1",)),
    ]


def test_clause_queries_are_at_most_so_many_an_article_and_drawn_by_seed():
    drawn = {clause_queries(ARTICLES, per_article=1, seed=seed)[0].text for seed in range(20)}

    assert len(drawn) == 2
    assert len(clause_queries(ARTICLES, per_article=1, seed=1)) == 1
    assert clause_queries(ARTICLES, per_article=1, seed=1) == clause_queries(ARTICLES, per_article=1, seed=1)
    assert clause_queries(ARTICLES, per_article=0, seed=1) == []


def test_a_clause_head_that_two_articles_share_has_both_as_gold():
    twin = Article("D:1", "Khác", BODY, "Luật D", clauses=(0,))

    assert clause_queries([ARTICLES[0], twin], 9, 1)[0].cids == ("A:1", "D:1")


def test_path_queries_tell_apart_articles_of_the_same_title():
    assert [(query.text, query.cids) for query in path_queries(ARTICLES)] == [
        ("Phạm vi điều chỉnh, những quy định chung, Luật A", ("A:1",)),
        ("Quyền của người lao động, quyền, Luật A", ("A:2",)),
        ("Phạm vi điều chỉnh., Luật B", ("B:1",)),
    ]


@pytest.mark.parametrize("seed", range(10))
def test_template_questions_hold_the_title_and_name_a_law_only_when_all_golds_are_of_it(seed):
    shared, own = template_queries(ARTICLES, per_title=1, seed=seed)

    assert shared.cids == ("A:1", "B:1")
    assert "Luật" not in shared.text
    assert own.cids == ("A:2",)
    for query, title in ((shared, "phạm vi điều chỉnh"), (own, "quyền của người lao động")):
        assert title in query.text.lower()
        assert query.text.endswith("?")
        assert query.source == "template"


def test_template_questions_of_one_title_differ():
    texts = [text_key(query.text) for query in template_queries(ARTICLES, per_title=5, seed=1) if "A:2" in query.cids]

    assert len(texts) == len(set(texts)) == 5


def test_every_weak_query_has_its_own_qid():
    queries = [
        *title_queries(ARTICLES),
        *clause_queries(ARTICLES, 3, 1),
        *path_queries(ARTICLES),
        *template_queries(ARTICLES, 3, 1),
    ]

    assert len({query.qid for query in queries}) == len(queries)
