"""Ids of articles and questions: which are taken, and what is said where one is not found."""

import pytest

from retrieval.data.identifiers import LONGEST, fault_of, near_id, shown


@pytest.mark.parametrize(
    "identifier",
    [
        "1",
        "45/2019/QH14 Điều 113",
        "Luật số 1",
        "a\u00a0b",
        "#1",
        "a?b=c&d",
        "50%",
        "%20",
        "\"a\", 'b'",
        "法律.1",
        "a|b",
        "1.0",
        "x" * LONGEST,
        "Điều 1...",
    ],
)
def test_an_id_may_hold_spaces_and_signs_of_every_kind(identifier):
    assert fault_of(identifier) == ""


@pytest.mark.parametrize(
    ("identifier", "fault"),
    [
        ("", "is empty"),
        ("\u00a0", "is empty"),
        (" a", "begins or ends with a space"),
        ("a\n", "begins or ends with a space"),
        ("a\tb", "holds a control character (U+0009, character 2)"),
        ("a\r\nb", "holds a control character (U+000D, character 2)"),
        ("ab\x00", "holds a control character (U+0000, character 3)"),
        ("a\u2028b", "holds a line break (U+2028, character 2)"),
        ("a\ud800", "holds half a character (U+D800, character 2)"),
        ("x" * (LONGEST + 1), "has 501 characters, more than 500, as a text in the wrong column has"),
        ("luật/../1", "has a part . or .., which addresses leave out"),
        (".", "has a part . or .., which addresses leave out"),
    ],
)
def test_an_id_that_no_line_or_address_holds_is_unfit(identifier, fault):
    assert fault_of(identifier) == fault


@pytest.mark.parametrize(
    ("identifier", "text"),
    [("Điều 1", "Điều 1"), ("a\u00a0b", r"'a\xa0b'"), ("e\u0302", r"'e\u0302'"), ("x" * 90, "x" * 60 + "…")],
)
def test_what_is_not_seen_is_shown_with_escapes(identifier, text):
    assert shown(identifier) == text


@pytest.mark.parametrize(
    ("identifier", "known"),
    [
        ("1", "1.0"),
        ("7", "007"),
        ("Lu\u1eadt 1", "Lu\u00e2\u0323t 1"),
        ("Luật 1", "Luật\u00a01"),
        ("Luật  1", "Luật 1"),
        ("a", "\ufeffa"),
        ("qh14", "QH14"),
    ],
)
def test_an_id_written_in_another_way_is_told_with_both_ways(identifier, known):
    told = near_id(identifier, {known: 0, "other": 1})
    assert told == f"the corpus writes it {known!a}, here it is {identifier!a}; write both the same way"


def test_a_near_id_is_proposed_and_where_none_is_near_the_article_is_to_be_added():
    assert near_id("QH14:11", ["QH14:113"]) == "did you mean QH14:113?"
    assert near_id("zzz", ["1"]) == "correct it or add the article"
