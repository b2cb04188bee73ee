"""A SoICT file that cannot be read at all is named, with what it is and what to do."""

import gzip

import pytest

from retrieval.data.sources.soict import read_corpus, read_questions
from retrieval.errors import SourceError, ValidationError


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


def test_an_empty_corpus_is_an_error(write):
    with pytest.raises(ValidationError, match=r"file\.csv: an empty corpus, it has a header and no rows"):
        read_corpus(write("cid,text\n"), "error")


def test_a_questions_file_without_rows_is_an_error(write):
    with pytest.raises(ValidationError, match=r"file\.csv: no questions"):
        read_questions(write("qid,question,cid\n"), "error")
