"""SoICT files are read whatever their dialect."""

import csv
import gzip
import io
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from retrieval.data.sources.soict import parse_cids, read_corpus, read_questions
from retrieval.records import Article, Query

SHARED = Path(__file__).parents[5] / "shared" / "data" / "soict2024"


def test_a_corpus_row_becomes_an_article_without_title(write):
    path = write('cid,text\n7,"1. Một\n2. Hai"\n')

    assert read_corpus(path, "error") == (Article("7", "", "1. Một\n2. Hai", clauses=(0, 7)),)


def test_a_question_row_becomes_a_query(write):
    path = write('qid,question,cid\nq1,"Hỏi gì, ở đâu?","[37, 40]"\n')

    assert read_questions(path, "error") == (Query("q1", "Hỏi gì, ở đâu?", ("37", "40"), source="csv"),)


@pytest.mark.parametrize(
    "content",
    [
        b"cid,text\r\n1,m\xe1\xbb\x99t\r\n",
        b"\xef\xbb\xbfcid,text\n1,m\xe1\xbb\x99t\n",
        b"text,note,cid\nm\xe1\xbb\x99t,x,1\n",
        b"cid,text\n\n1, m\xe1\xbb\x99t \n\n",
        gzip.compress(b"cid,text\n1,m\xe1\xbb\x99t\n", mtime=0),
    ],
    ids=["crlf", "byte order mark", "other order and columns", "blank lines and spaces", "gzip under any name"],
)
def test_dialects_read_the_same(write, content):
    assert read_corpus(write(content), "error") == (Article("1", "", "một"),)


@pytest.mark.parametrize(
    ("cell", "cids"),
    [
        ("[37]", ("37",)),
        ("[37, 40]", ("37", "40")),
        ('["91/2015/QH13:8"]', ("91/2015/QH13:8",)),
        ("['a', 'b']", ("a", "b")),
        ("[37 40]", ("37", "40")),
        ("[37\n 40]", ("37", "40")),
        ("['a' 'b']", ("a", "b")),
        ("[ 37, 37 ]", ("37",)),
        ("array([37, 40])", ("37", "40")),
        ("np.array(['a b', 'c'], dtype=object)", ("a b", "c")),
        ("[np.int64(37), np.int64(40)]", ("37", "40")),
        ("[np.str_('a')]", ("a",)),
        ("(37, 40)", ("37", "40")),
        ("(37,)", ("37",)),
        (r"['it\'s', 'b']", ("it's", "b")),
        ("[]", ()),
    ],
)
def test_a_cid_list_is_read_in_every_common_form(cell, cids):
    assert parse_cids(cell) == cids


@pytest.mark.parametrize(
    "cell", ["", "37", "abc", "[37", "37]", "[37, ", "[a, b]", "[1.5]", "[true]", "[[1]]", "{}", "null"]
)
def test_what_is_not_a_list_of_ids_is_refused(cell):
    with pytest.raises(ValueError, match="is not a list of article ids"):
        parse_cids(cell)


@pytest.mark.parametrize(
    ("cell", "reason"),
    [
        ("[1 2 ... 9]", "it was cut short when it was printed, so write lists with json.dumps"),
        ("[1.0, 2.0]", "of decimal numbers, as pandas makes of a column with gaps; write them without .0"),
        ("[1. 2.]", "of decimal numbers"),
        ("[Luật số 1]", "ids that are no whole numbers stand in quotes"),
        ("", "but no answer, so name an article or remove the row"),
        ("nan", "but no answer, so name an article"),
        ("[None]", "but no answer, so name an article"),
        ("[<NA>]", "but no answer, so name an article"),
        ("[[37, 40]]", "but a list inside a list; write one list"),
        ("37;40", "commas part its ids"),
        ('["a"|"b"]', "commas part its ids"),
        ("[“a”, “b”]", "its quotation marks are those of a text; write straight ones"),
    ],
)
def test_a_list_printed_in_a_way_that_loses_ids_says_how_to_write_it(cell, reason):
    with pytest.raises(ValueError, match=reason):
        parse_cids(cell)


@given(st.lists(st.integers(0, 10**12), min_size=1, unique=True))
def test_json_and_numpy_lists_of_the_same_ids_read_the_same(numbers):
    ids = tuple(map(str, numbers))

    assert parse_cids(str(numbers)) == parse_cids(f"[{' '.join(ids)}]") == ids


@given(
    st.lists(
        st.text(st.characters(exclude_categories=("Cs", "Cc")), min_size=1).map(str.strip).filter(bool), min_size=1
    )
)
def test_any_text_survives_a_round_trip_through_csv(tmp_path_factory, texts):
    path = tmp_path_factory.mktemp("csv") / "corpus.csv"
    buffer = io.StringIO()
    csv.writer(buffer).writerows([("cid", "text"), *enumerate(texts)])
    path.write_bytes(buffer.getvalue().encode())

    assert [article.body for article in read_corpus(path, "error")] == texts


def test_an_article_longer_than_the_csv_modules_own_limit_is_read(write):
    assert len(read_corpus(write("cid,text\n1," + "luật " * 60_000 + "\n"), "error")[0].body) == 5 * 60_000 - 1


@pytest.mark.skipif(not SHARED.is_dir(), reason="the SoICT files are not on this machine")
def test_the_published_files_are_read_whole():
    corpus = read_corpus(SHARED / "corpus.csv.gz", "error")
    known = {article.cid for article in corpus}

    assert len(corpus) == 17_857
    assert len(read_questions(SHARED / "train.csv.gz", "error", known)) == 8_409
    assert len(read_questions(SHARED / "test.csv.gz", "error", known)) == 470
