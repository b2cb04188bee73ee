"""Texts become messages that Telegram accepts and that together say the same."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from stacks.alerters.text import LIMIT, messages
from tests.helpers.stub_bot_api import plain


def units(text: str) -> int:
    return len(text.encode("utf-16-le")) // 2


def test_the_first_line_is_bold_and_markup_is_escaped() -> None:
    assert messages("a <b> & c\nx < y") == ["<b>a &lt;b&gt; &amp; c</b>\nx &lt; y"]


def test_blank_text_is_no_message() -> None:
    assert messages(" \n ") == []


def test_a_text_of_exactly_the_limit_is_one_message_and_one_more_is_two() -> None:
    assert [units(plain(part)) for part in messages("x" * LIMIT)] == [LIMIT]
    assert [units(plain(part)) for part in messages("x" * (LIMIT + 1))] == [LIMIT, 1]


def test_cuts_lie_between_lines_where_lines_fit() -> None:
    assert messages("aaaa\nbbbb\ncccc", limit=9) == ["<b>aaaa</b>\nbbbb", "cccc"]


def test_a_character_beyond_the_basic_plane_counts_two_and_is_not_cut() -> None:
    assert messages("😀😀", limit=3) == ["<b>😀</b>", "😀"]


def test_entities_do_not_count_and_are_not_cut() -> None:
    assert messages("<<<<", limit=2) == ["<b>&lt;&lt;</b>", "&lt;&lt;"]


@pytest.mark.parametrize("limit", [2, 7, 50])
@given(text=st.text(st.characters(exclude_categories=["Cs", "Cc", "Z"], include_characters="\n"), max_size=200))
def test_no_message_is_too_long_and_nothing_but_breaks_is_lost(limit: int, text: str) -> None:
    parts = [plain(part) for part in messages(text, limit)]
    assert all(units(part) <= limit for part in parts)
    assert "".join(parts).replace("\n", "") == text.strip().replace("\n", "")
