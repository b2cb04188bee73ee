"""BM25 against the formula written out, its token units, and its folder."""

import math
import os
import subprocess
import sys
from pathlib import Path

import pytest

from retrieval.errors import SearchError
from retrieval.folders import content_hash
from retrieval.records import Article, Corpus, Passage, Query
from retrieval.search.bm25 import Bm25Index, lexical_tokens

BODIES = {"a": "lao động nghỉ phép", "b": "tài sản thừa kế thừa kế", "c": "lao động nghỉ việc"}


@pytest.fixture
def corpus():
    articles = tuple(Article(cid, f"tiêu đề {cid}", body) for cid, body in BODIES.items())
    passages = tuple(Passage(cid, 0, body, body.replace("lao động", "lao_động")) for cid, body in BODIES.items())
    return Corpus(articles, passages, tuple(article.title for article in articles))


def by_hand(term_counts, length, mean_length, frequencies, documents, k1=1.2, b=0.75):
    total = 0.0
    for term, count in term_counts.items():
        idf = math.log(1 + (documents - frequencies[term] + 0.5) / (frequencies[term] + 0.5))
        total += idf * count / (count + k1 * (1 - b + b * length / mean_length))
    return total


def test_scores_equal_the_lucene_formula(corpus):
    index = Bm25Index.build(corpus, units="syllables", title_count=0)
    scores = index.scores([Query("q", "thừa kế")])[0]
    expected = by_hand({"thừa": 2, "kế": 2}, 6, 14 / 3, {"thừa": 1, "kế": 1}, 3)
    assert scores == pytest.approx([0.0, expected, 0.0], rel=1e-5)


def test_titles_are_searched_only_where_they_are_shown(corpus):
    query = [Query("q", "tiêu đề")]
    assert Bm25Index.build(corpus, title_count=1).search(query, 3).hits(0)
    assert Bm25Index.build(corpus, title_count=0).search(query, 3).hits(0) == []


def test_a_title_counted_more_often_scores_higher(corpus):
    query = [Query("q", "tiêu đề a")]
    once, thrice = (Bm25Index.build(corpus, b=0.0, title_count=count).scores(query)[0] for count in (1, 3))
    assert (thrice > once).all() and once.argmax() == 0


def test_headings_above_an_article_are_searched_only_where_that_is_asked_for():
    articles = [
        Article("a", "", "bên thuê trả tiền", "Bộ luật Dân sự", ("Hợp đồng", "Mục 5")),
        Article("b", "", "khác"),
    ]
    corpus = Corpus(tuple(articles), ())
    query = [Query("q", "hợp đồng dân sự")]
    assert Bm25Index.build(corpus).search(query, 2).hits(0) == []
    assert [hit.cid for hit in Bm25Index.build(corpus, headings=True).search(query, 2).hits(0)] == ["a"]


def test_words_of_two_headings_are_no_neighbours():
    corpus = Corpus((Article("a", "", "điều", "luật", ("một", "hai")), Article("b", "", "khác")), ())
    index = Bm25Index.build(corpus, headings=True)
    alone, together = (index.scores([Query("q", text)])[0, 0] for text in ("một", "một hai"))
    assert together == pytest.approx(alone + index.scores([Query("q", "hai")])[0, 0])


def test_articles_without_a_shared_token_are_not_hits(corpus):
    hits = Bm25Index.build(corpus, title_count=0).search([Query("q", "nghỉ phép")], 3).hits(0)
    assert [hit.cid for hit in hits] == ["a", "c"]


@pytest.mark.parametrize(
    ("units", "expected"),
    [
        ("words", ["lao_động", "nữ"]),
        ("syllables", ["lao", "động", "nữ"]),
        ("bigrams", ["lao", "động", "nữ", "lao~động", "động~nữ"]),
    ],
)
def test_token_units(units, expected):
    assert lexical_tokens("Lao động nữ", "Lao_động nữ", units) == expected


def test_a_saved_index_scores_the_same(corpus, tmp_path):
    index = Bm25Index.build(corpus)
    index.save(tmp_path / "bm25")
    query = [Query("q", "nghỉ việc")]
    assert Bm25Index.load(tmp_path / "bm25").scores(query).tolist() == index.scores(query).tolist()


def test_a_truncated_index_is_refused(corpus, tmp_path):
    Bm25Index.build(corpus).save(tmp_path)
    (tmp_path / "articles.json").write_text("{")
    with pytest.raises(SearchError, match="build the retriever again"):
        Bm25Index.load(tmp_path)


def test_a_corpus_without_tokens_is_refused():
    empty = Corpus((Article("a", "", "…"),), (Passage("a", 0, "…"),))
    with pytest.raises(SearchError, match="no token in 1 articles"):
        Bm25Index.build(empty)


def test_index_files_do_not_depend_on_the_hash_seed(tmp_path):
    script = (
        "import sys; from pathlib import Path; from retrieval.records import *; from retrieval.search.bm25 import *\n"
        "articles = (Article('a', '', 'một hai ba bốn'), Article('b', '', 'năm sáu bảy tám'))\n"
        "corpus = Corpus(articles, tuple(Passage(x.cid, 0, x.body) for x in articles))\n"
        "Bm25Index.build(corpus).save(Path(sys.argv[1]))"
    )
    for seed in ("1", "2"):
        environment = {**os.environ, "PYTHONHASHSEED": seed, "PYTHONPATH": str(Path(__file__).parents[3])}
        subprocess.run([sys.executable, "-c", script, str(tmp_path / seed)], env=environment, check=True)
    assert content_hash(tmp_path / "1") == content_hash(tmp_path / "2")
