"""Passages cover the body, keep to the limit and break on khoản where they can."""

import re
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from retrieval.data.articles import clause_offsets
from retrieval.data.passages import cut_passages
from retrieval.records import Article


def words(texts: list[str]) -> list[list[tuple[int, int]]]:
    """A tokenizer of words, with the special tokens (of no characters) that real ones add."""
    return [[(0, 0), *(match.span() for match in re.finditer(r"\S+", text)), (0, 0)] for text in texts]


def letters(texts: list[str]) -> list[list[tuple[int, int]]]:
    """A tokenizer that parts words into pieces of two letters."""
    return [[m.span() for m in re.finditer(r"\S{1,2}", text)] for text in texts]


def article(body: str, cid: str = "1") -> Article:
    return Article(cid, "Tiêu đề", body, clauses=clause_offsets(body))


def cut(body: str, max_tokens: int, overlap_tokens: int = 0, tokenizer=words) -> list[str]:
    return [passage.text for passage in cut_passages([article(body)], tokenizer, max_tokens, overlap_tokens)]


BODIES = st.lists(
    st.one_of(st.just("\n"), st.integers(1, 9).map(lambda n: f"\n{n}. "), st.text("abcđ ư", min_size=1, max_size=12)),
    max_size=40,
).map("".join)


def test_a_short_body_is_one_passage_without_the_title():
    assert cut("1. Một hai.\n2. Ba bốn.", 10) == ["1. Một hai.\n2. Ba bốn."]


def test_whole_clauses_are_packed_up_to_the_limit():
    assert cut("Lời dẫn:\n1. a b\n2. c d\n3. e f", 6) == ["Lời dẫn:\n1. a b", "2. c d\n3. e f"]


def test_a_clause_that_is_too_long_is_cut_by_tokens_with_overlap_and_no_other_clause_is():
    body = "1. a\n2. " + " ".join(f"w{n}" for n in range(16)) + "\n3. z"

    passages = cut(body, 8, 2)

    assert passages[0] == "1. a"
    assert passages[-1] == "3. z"
    middle = [passage.split() for passage in passages[1:-1]]
    assert all(left[-2:] == right[:2] for left, right in pairwise(middle))


def test_windows_of_a_long_clause_are_of_about_equal_length():
    lengths = [len(passage.split()) for passage in cut(" ".join("x" * 101), 50, 0)]

    assert lengths == [34, 34, 33]


def test_cuts_do_not_part_a_word():
    words_of_body = [f"từ{n:03d}xyz" for n in range(100)]

    for passage in cut(" ".join(words_of_body), 17, 5, letters):
        assert set(passage.split()) <= set(words_of_body)


@given(
    st.lists(st.tuples(st.integers(1, 9), st.sampled_from([" ", "\n"]), st.booleans()), max_size=40),
    st.integers(2, 12),
    st.integers(0, 6),
    st.sampled_from([words, letters]),
)
def test_every_visible_character_is_covered_in_order_and_no_passage_is_too_long(shape, max_tokens, overlap, tokenizer):
    body, clauses = "", []
    for length, joint, is_clause in shape:
        clauses += [len(body)] if is_clause else []
        body += "".join(chr(0x4E00 + len(body) + n) for n in range(length)) + joint  # no character stands there twice

    found = cut_passages(
        [Article("1", "", body, clauses=tuple(clauses))], tokenizer, max_tokens, min(overlap, max_tokens - 1)
    )

    passages = [passage.text for passage in found]
    starts = [body.index(passage) for passage in passages]
    assert starts == sorted(starts)
    assert set("".join(passages)) >= set("".join(body.split()))
    assert all(sum(end > start for start, end in tokenizer([passage])[0]) <= max_tokens for passage in passages)


@given(BODIES, st.integers(2, 12))
def test_without_overlap_the_passages_are_the_body(body, max_tokens):
    assert "".join("".join(cut(body, max_tokens)).split()) == "".join(body.split())


def test_passages_are_numbered_within_their_article():
    articles = [article("a b c d", "x"), article("e", "y")]

    found = [(passage.cid, passage.number, passage.text) for passage in cut_passages(articles, words, 2, 0)]

    assert found == [("x", 0, "a b"), ("x", 1, "c d"), ("y", 0, "e")]


def test_an_empty_body_still_has_one_passage():
    assert cut("", 4) == [""]


def test_an_article_of_100_000_characters_is_cut_and_covered():
    body = "luật " * 20_000

    passages = cut(body, 192, 24)

    assert max(len(passage.split()) for passage in passages) <= 192
    assert sum(len(passage.split()) for passage in passages) - 24 * (len(passages) - 1) == 20_000


def test_100_000_characters_without_a_space_are_cut_too():
    passages = cut("x" * 100_000, 192, 0, letters)

    assert "".join(passages) == "x" * 100_000
    assert max(map(len, passages)) <= 2 * 192


@pytest.mark.parametrize(("max_tokens", "overlap"), [(8, 8), (8, 9), (8, -1)])
def test_an_overlap_that_is_not_below_the_limit_is_refused(max_tokens, overlap):
    with pytest.raises(ValueError, match=f"overlap_tokens {overlap} must be from 0 to below max_tokens {max_tokens}"):
        cut("a", max_tokens, overlap)
