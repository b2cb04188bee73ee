"""SoICT files are read whatever their dialect, and every wrong row is named."""

import csv
import gzip
import io
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from retrieval.data.sources.soict import parse_cids, read_corpus, read_questions
from retrieval.errors import SourceError, ValidationError
from retrieval.records import Article, Query

SHARED = Path(__file__).parents[5] / "shared" / "data" / "soict2024"


@pytest.fixture
def write(tmp_path):
    def _write(content: str | bytes, name: str = "file.csv") -> Path:
        path = tmp_path / name
        path.write_bytes(content.encode() if isinstance(content, str) else content)
        return path

    return _write


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


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"PK\x03\x04..[Content_Types].xml..xl/", "is a workbook; save its sheet as 'CSV UTF-8"),
        (b"\xd0\xcf\x11\xe0" + bytes(600), "is an Excel workbook; save its sheet as 'CSV UTF-8"),
        (b"PK\x03\x04..corpus.csv", "is a zip archive; unpack it"),
        (b"BZh91AY", "is compressed with bzip2; unpack it"),
        (b"PAR1\x15\x04", "is a parquet file; write it as CSV"),
        ("cid,text\n1,một\n".encode("utf-16"), "is UTF-16 text; save it as UTF-8"),
        ("cid,text\n1,một hai ba bốn năm\n".encode("utf-16-le"), "is UTF-16 text; save it as UTF-8"),
        (b'{"cid": 1, "text": "a"}\n', "is JSON; write it as CSV"),
        (b"\n<!DOCTYPE html><html>sign in</html>", "is a web page or XML; download the file itself"),
        (b"version https://git-lfs.github.com/spec/v1\n", r"is only a pointer of Git LFS; .* `git lfs pull`"),
        (b'{"cid": 1, "text": "a"}\n', r"with pandas.read_json\(FILE, lines=True\)"),
        (b'[\n{"cid": 1, "text": "a"}]\n', r"with pandas.read_json\(FILE\)"),
        (gzip.compress(b"PK\x03\x04..xl/", mtime=0), "is a workbook"),
        (
            gzip.compress(gzip.compress(b"cid,text\n1,a\n", mtime=0), mtime=0),
            "is compressed with gzip twice; unpack it once",
        ),
        (b"PK\x03\x04..[Content_Types].xml..word/", "is a text document; save its table as CSV"),
        (b"PK\x05\x06" + bytes(18), "is an empty zip archive"),
        (b"\x89PNG\r\n\x1a\n" + bytes(100), "is no text; give a CSV file"),
        (b"\x80\x04\x95" + bytes(100), "is no text; give a CSV file"),
        (b"SQLite format 3\x00" + bytes(100), "is an SQLite database; export its table"),
        (b"cid;text\n1;a, b\n", "its columns are parted by semicolons; save it with commas"),
        (b"cid\ttext\n1\ta\n", "its columns are parted by tabs; save it with commas"),
        (
            b'"cid";"text"\n1;a\n',
            "not CSV at or after row 1 .*check its quotes there, and that commas part the columns",
        ),
        (b"CID,Text\n1,a\n", "write its names in small letters: cid,text"),
        (b"sep=,\ncid,text\n1,a\n", "remove the first row, which only Excel knows"),
        (b"qid,question,cid\nq,a,[1]\n", "lacks text; it must name cid,text; this is the other kind of file"),
        (b"cid,text,text\n1,a,b\n", "the header names text 2 times; remove all but one"),
    ],
)
def test_a_file_of_another_kind_is_called_what_it_is_with_how_it_becomes_csv(write, content, message):
    with pytest.raises(SourceError, match=rf"file\.csv: .*{message}"):
        read_corpus(write(content), "error")


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


def test_a_missing_file_is_named(tmp_path):
    with pytest.raises(SourceError, match=r"nowhere\.csv: no such file; check the path"):
        read_corpus(tmp_path / "nowhere.csv", "error")


def test_a_folder_is_not_a_file(tmp_path):
    with pytest.raises(SourceError, match=r"cannot be opened \(Is a directory\)"):
        read_corpus(tmp_path, "error")


def test_wrong_columns_say_what_is_there_and_what_is_missing(write):
    with pytest.raises(
        SourceError, match=r"file\.csv: wrong columns, the header is id,text and lacks cid; it must name cid,text"
    ):
        read_corpus(write("id,text\n1,a\n"), "error")


def test_an_empty_file_has_wrong_columns(write):
    with pytest.raises(SourceError, match="the header is empty and lacks qid,question,cid"):
        read_questions(write(""), "error")


def test_a_file_that_is_not_utf8_is_named_with_the_place(write):
    rows = b"".join(b"%d,%s\n" % (n, b"x" * 5000) for n in range(10))

    with pytest.raises(
        SourceError, match=r"file\.csv: not UTF-8 at or after row \d+ \(byte 0xff\); save the file as UTF-8"
    ):
        read_corpus(write(b"cid,text\n" + rows + b"10,\xff\xfe\n"), "error")


def test_a_truncated_gzip_file_is_named(write):
    content = gzip.compress(b"cid,text\n" + b"".join(b"%d,text %d\n" % (n, n * n) for n in range(5000)))

    with pytest.raises(SourceError, match=r"unreadable at or after row \d+ .*copy or compress it again"):
        read_corpus(write(content[:-50], "corpus.csv.gz"), "error")


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


def test_an_empty_corpus_is_an_error(write):
    with pytest.raises(ValidationError, match=r"file\.csv: an empty corpus, it has a header and no rows"):
        read_corpus(write("cid,text\n"), "error")


def test_a_questions_file_without_rows_is_an_error(write):
    with pytest.raises(ValidationError, match=r"file\.csv: no questions"):
        read_questions(write("qid,question,cid\n"), "error")


def test_an_article_longer_than_the_csv_modules_own_limit_is_read(write):
    assert len(read_corpus(write("cid,text\n1," + "luật " * 60_000 + "\n"), "error")[0].body) == 5 * 60_000 - 1


@pytest.mark.skipif(not SHARED.is_dir(), reason="the SoICT files are not on this machine")
def test_the_published_files_are_read_whole():
    corpus = read_corpus(SHARED / "corpus.csv.gz", "error")
    known = {article.cid for article in corpus}

    assert len(corpus) == 17_857
    assert len(read_questions(SHARED / "train.csv.gz", "error", known)) == 8_409
    assert len(read_questions(SHARED / "test.csv.gz", "error", known)) == 470
