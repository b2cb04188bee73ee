"""Cleaning drops what is not text, keeps what is, and is done after one pass."""

import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st

from retrieval.data.cleaning import clean_dataset, clean_line, clean_text, has_text, text_key
from retrieval.records import Article, Corpus, Dataset, Query

MESSY = st.text(
    st.sampled_from("aoàáuỳyqhH <>/&;bnsp#6\u0300\u0301\u200b\xa0\xad\r\n\t1.ĐÐð\ufeff")
    | st.characters(exclude_categories=("Cs",)),
    max_size=60,
)


@pytest.mark.parametrize(
    ("raw", "clean"),
    [
        ("Bộ luật", "Bộ luật"),
        ("Ðiều 317", "Điều 317"),
        ("a&nbsp;b &amp; c", "a b & c"),
        ("a&lt;b&gt;x&lt;/b&gt;", "ax"),
        ("một<br/>hai<p class='x'>ba</p>", "một\nhai\nba"),
        ("a <!-- ẩn --> b<script>x()</script>", "a b"),
        ("nếu a < b và c > d", "nếu a < b và c > d"),
        ("1. Một\r\n\r\n  2.\tHai \n", "1. Một\n2. Hai"),
        ("bảo\u200b vệ\u00ad\ufeff\x00", "bảo vệ"),
        ("hoà giải, toà án, uỷ ban, khoẻ", "hòa giải, tòa án, ủy ban, khỏe"),
        ("HOÀ, Uỷ ban", "HÒA, Ủy ban"),
        ("quý, quỳ, hoàn, ngoài, thuyền", "quý, quỳ, hoàn, ngoài, thuyền"),
        (" \n\u200b ", ""),
    ],
)
def test_clean_text(raw, clean):
    assert clean_text(raw) == clean


@given(MESSY)
def test_a_second_pass_changes_nothing(text):
    assert clean_text(clean_text(text)) == clean_text(text)


@given(MESSY)
def test_clean_text_is_nfc_with_single_spaces_and_no_control_characters(text):
    clean = clean_text(text)

    assert unicodedata.is_normalized("NFC", clean)
    assert all(line == " ".join(line.split(" ")).strip() and line for line in clean.split("\n")) or not clean
    assert not any(unicodedata.category(character) in {"Cc", "Cf"} and character != "\n" for character in clean)


@given(MESSY)
def test_composed_and_decomposed_texts_clean_to_the_same(text):
    assert clean_text(unicodedata.normalize("NFD", text)) == clean_text(unicodedata.normalize("NFC", text))


def test_clean_line_is_one_line():
    assert clean_line("Hỏi\n gì <br> thế?") == "Hỏi gì thế?"


def test_text_key_ignores_case_marks_and_typing_habits():
    assert text_key("Toà án, là gì?") == text_key("TÒA ÁN  LÀ GÌ") == "tòa án là gì"
    assert text_key("Tòa án là ai?") != text_key("Tòa án là gì?")


def test_clean_dataset_finds_the_clauses_of_the_cleaned_body_again():
    article = Article("1", "Tiêu&nbsp;đề", "1. A\r\n\r\n2. B", clauses=(0, 8))
    dataset = clean_dataset(Dataset(Corpus((article,), ()), (Query("q", "Hỏi<br>gì", ("1",)),)))

    assert dataset.corpus.articles == (Article("1", "Tiêu đề", "1. A\n2. B", clauses=(0, 5)),)
    assert dataset.queries == (Query("q", "Hỏi gì", ("1",)),)


@pytest.mark.parametrize("text", ["Điều 1", "3", "第三条", "연차", "ⅳ", "…a", "&#65;", "ﬀ"])
def test_a_letter_or_digit_of_any_script_is_text(text):
    assert has_text(text)


@pytest.mark.parametrize("text", ["", " ", "---", "…", "👍", "？！", "<b></b>", "&nbsp;", "\u200b\n", "\x00"])
def test_what_has_no_letter_or_digit_after_cleaning_is_none(text):
    assert not has_text(text)
