"""Every wrong row of a SoICT file is named with its number and the way out."""

import pytest

from retrieval.data.sources.soict import read_corpus, read_questions
from retrieval.errors import SourceError, ValidationError


def test_an_unclosed_quote_is_named(write):
    with pytest.raises(SourceError, match=r"not CSV at or after row 2 .*check its quotes"):
        read_corpus(write('cid,text\n1,a\n2,"b\n'), "error")


def test_a_row_with_an_unquoted_comma_is_named(write):
    with pytest.raises(ValidationError, match="row 3 has 3 cells but the header has 2; quote texts"):
        read_corpus(write("cid,text\n1,a\n2,b,c\n"), "error")


def test_rows_are_counted_as_in_a_spreadsheet_even_where_texts_span_lines(write):
    with pytest.raises(ValidationError, match="row 3 repeats cid 1"):
        read_corpus(write('cid,text\n1,"a\nb\nc"\n1,d\n'), "error")


def test_a_repeated_cid_names_both_rows_and_the_way_out(write):
    with pytest.raises(
        ValidationError,
        match=r"file\.csv: row 4 repeats cid 1 \(first seen in row 2\); remove one or set data\.duplicates: keep_first",
    ):
        read_corpus(write("cid,text\n1,a\n2,b\n1,c\n"), "error")


def test_a_repeated_question_id_names_both_rows(write):
    with pytest.raises(ValidationError, match=r"row 3 repeats qid q \(first seen in row 2\)"):
        read_questions(write("qid,question,cid\nq,a,[1]\nq,a,[1]\n"), "error")


def test_keep_first_keeps_the_first_of_repeated_rows(write):
    corpus = read_corpus(write("cid,text\n1,a\n1,\n2,b\n"), "keep_first")
    questions = read_questions(write("qid,question,cid\nq,a,[1]\nq,b,[2]\n", "questions.csv"), "keep_first")

    assert [article.body for article in corpus] == ["a", "b"]
    assert [query.text for query in questions] == ["a"]


@pytest.mark.parametrize(
    ("row", "message"),
    [
        (",a,[1]", "row 2 has an empty qid"),
        ("q,,[1]", r"row 2 has an empty question \(qid q\)"),
        ("q,  ,[1]", r"row 2 has an empty question \(qid q\)"),
        ("q,？…,[1]", r"row 2 \(qid q\): question '？…' has no letter or digit; mend or remove the row"),
        ("q,a,[]", r"row 2 \(qid q\) lists no article in cid; name one"),
        ("q,a,", r"row 2 \(qid q\): cid '' is not a list of article ids"),
        ("q,a,[1", r"row 2 \(qid q\): cid '\[1' is not a list of article ids; write \[37\]"),
        ("q,a,[9]", r"row 2 \(qid q\): gold cid 9 is not in the corpus; correct it or add the article"),
    ],
)
def test_a_wrong_question_row_is_named(write, row, message):
    with pytest.raises(ValidationError, match=rf"file\.csv: {message}"):
        read_questions(write(f"qid,question,cid\n{row}\n"), "error", known={"1"})


@pytest.mark.parametrize(
    ("row", "message"), [(",a", "row 2 has an empty cid"), ("1, ", r"row 2 has an empty text \(cid 1\)")]
)
def test_a_wrong_corpus_row_is_named(write, row, message):
    with pytest.raises(ValidationError, match=message):
        read_corpus(write(f"cid,text\n{row}\n"), "error")


@pytest.mark.parametrize(
    ("cid", "message"),
    [
        ("a\tb", r"row 2: cid 'a\\tb' holds a control character \(U\+0009, character 2\); give it another cid"),
        ('"a\nb"', r"row 2: cid 'a\\nb' holds a control character \(U\+000A"),
        ("a\x00b", r"row 2: cid 'a\\x00b' holds a control character \(U\+0000"),
        ("\u00a0", "row 2 has an empty cid"),
        ("x" * 501, "row 2: cid x+… has 501 characters, more than 500, as a text in the wrong column has"),
    ],
)
def test_an_id_that_no_report_can_hold_is_refused_with_its_row(write, cid, message):
    with pytest.raises(ValidationError, match=rf"file\.csv: {message}"):
        read_corpus(write(f"cid,text\n{cid},a\n"), "error")
    with pytest.raises(ValidationError, match=rf"file\.csv: {message.replace('cid', 'qid')}"):
        read_questions(write(f"qid,question,cid\n{cid},a,[1]\n"), "error")


def test_ids_with_spaces_and_signs_are_taken_as_they_are(write):
    ids = ["Luật số 1", "45/2019/QH14 Điều 113", "#1", "50%", "a\u00a0b", "1.0"]
    corpus = read_corpus(write("cid,text\n" + "".join(f"{one},x\n" for one in ids)), "error")

    assert [article.cid for article in corpus] == ids


def test_a_gold_that_is_not_known_says_what_the_reader_can_do(write):
    with pytest.raises(ValidationError, match="gold cid 9 is not in the corpus; name the file"):
        read_questions(write("qid,question,cid\nq,a,[9]\n"), "error", {"1"}, "name the file")


def test_a_gold_written_in_another_way_than_in_the_corpus_is_told_with_both(write):
    with pytest.raises(ValidationError, match=r"gold cid 7 is not in the corpus; the corpus writes it '7\.0'"):
        read_questions(write("qid,question,cid\nq,a,[7]\n"), "error", known={"7.0"})
