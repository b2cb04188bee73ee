"""Text normalisation: the one function that training text, stored text and live questions all pass through."""

from __future__ import annotations

import html
import re
import unicodedata
from dataclasses import replace
from typing import NewType

from retrieval.data.articles import clause_offsets
from retrieval.records import Article, Corpus, Dataset, Query

_BLOCK_TAGS = "address|article|blockquote|br|center|div|dd|dl|dt|h[1-6]|hr|li|ol|p|pre|section|table|tbody|thead|tr|ul"
_INLINE_TAGS = "a|abbr|b|big|code|em|font|i|img|ins|label|mark|o:p|s|small|span|strike|strong|sub|sup|td|th|u"
_REMOVED = re.compile(r"<!--.*?-->|<(script|style)\b[^<>]*>.*?</\1\s*>", re.DOTALL | re.IGNORECASE)
_BLOCK = re.compile(rf"</?(?:{_BLOCK_TAGS})(?:\s[^<>]*)?/?>", re.IGNORECASE)
_INLINE = re.compile(rf"</?(?:{_INLINE_TAGS})(?:\s[^<>]*)?/?>", re.IGNORECASE)
_LINE_BREAKS = re.compile(r"\r\n?|[\u2028\u2029\x0b\x0c\x85]")
_SPACES = re.compile(r"[^\S\n ][^\S\n]*| [^\S\n]+")  # runs that are not yet one space
_BLANK_LINES = re.compile(r" ?\n[ \n]*")
_WORD = re.compile(r"\w+")

_INVISIBLE = re.compile(  # control, format, surrogate and private-use characters, and byte order marks
    "[\x00-\x08\x0e-\x1f\x7f-\x9f\xad\u061c\u180e\u200b-\u200f\u202a-\u202e\u2060-\u206f\ud800-\uf8ff\ufeff"
    "\ufff0-\uffff\U000e0000-\U0010ffff]"
)

_MARKS = "\u0300\u0301\u0309\u0303\u0323"  # huyền sắc hỏi ngã nặng, as combining characters

CleanLine = NewType("CleanLine", str)
"""What `clean_line` gave."""


def _tone_placements() -> dict[str, str]:
    """Map the newer tone placement to the older one that Vietnamese law is printed in: ``oà`` -> ``òa``."""
    table = {}
    for first, second in ("oa", "oe", "uy", "Oa", "Oe", "Uy", "OA", "OE", "UY"):
        for mark in _MARKS:
            newer = unicodedata.normalize("NFC", first + second + mark)
            table[newer] = unicodedata.normalize("NFC", first + mark + second)
    return table


_TONES = _tone_placements()
_TONE = re.compile(  # character classes are twice as fast as the alternatives of _TONES
    r"(?:[oO][àáảãạÀÁẢÃẠèéẻẽẹÈÉẺẼẸ]|(?<![qQ])[uU][ỳýỷỹỵỲÝỶỸỴ])(?!\w)"
)


def _unmark(text: str) -> str:
    """Undo HTML entities and drop tags; block tags become line breaks."""
    text = html.unescape(text)
    if "<" not in text:
        return text
    text = _REMOVED.sub(" ", text)
    return _INLINE.sub("", _BLOCK.sub("\n", text))


def clean_text(text: str) -> str:
    """Normalise a text without changing what it says; a second pass changes nothing.

    Unicode NFC; HTML entities, tags, control and invisible characters gone; every run of spaces is one space and
    every run of line breaks one line break, so the lines that khoản and điểm start on stay; ``Ð`` typed for ``Đ``
    and the newer tone placement (``hoà``) become the letters that the codes are printed in.

    Args:
        text: Anything a file or a user sent.

    Returns:
        Clean text; empty when nothing readable was there.

    Example:
        >>> clean_text("<b>Điều  1.</b>  Hoà giải&nbsp;viên")
        'Điều 1. Hòa giải viên'
    """
    while (unmarked := _unmark(text)) != text:  # an unescaped entity can complete a tag, and a dropped tag an entity
        text = unmarked
    text = _LINE_BREAKS.sub("\n", text)
    text = unicodedata.normalize("NFC", _INVISIBLE.sub("", text)).replace("Ð", "Đ").replace("ð", "đ")
    text = _TONE.sub(lambda match: _TONES.get(match.group(), match.group()), text)
    cleaned = _BLANK_LINES.sub("\n", _SPACES.sub(" ", text)).strip()
    return cleaned if _unmark(cleaned) == cleaned else clean_text(cleaned)  # an invisible character hid a tag


def clean_line(text: str) -> CleanLine:
    """The same for questions and titles, on one line.

    A question is cleaned where it enters a process; what takes a `CleanLine` from there on does not clean it again.
    """
    return CleanLine(" ".join(clean_text(text).split()))


def has_text(text: str) -> bool:
    """Whether a letter or digit of any script is left of a text after cleaning.

    What a question needs, in training data and from a client alike. A passage needs less: whatever is not empty is
    embedded and scored, for among many there is now and then a ruled line or a row of dots.
    """
    marked = "<" in text or "&" in text  # nothing but tags and entities takes letters with it, or makes some
    return any(map(str.isalnum, clean_text(text) if marked else text))


def text_key(text: str) -> str:
    """What two texts share when they differ only in case, punctuation, spacing or typing habits."""
    return " ".join(_WORD.findall(clean_text(text).casefold()))


def clean_dataset(dataset: Dataset) -> Dataset:
    """Clean every article and query; khoản offsets are found again in the cleaned bodies.

    Passages and segmented texts are left out: they are made after cleaning.
    """
    articles = tuple(_clean_article(article) for article in dataset.corpus.articles)
    queries = tuple(_clean_query(query) for query in dataset.queries)
    return Dataset(Corpus(articles, ()), queries)


def _clean_article(article: Article) -> Article:
    body = clean_text(article.body)
    path = tuple(clean_line(heading) for heading in article.path)
    return replace(article, title=clean_line(article.title), body=body, path=path, clauses=clause_offsets(body))


def _clean_query(query: Query) -> Query:
    return replace(query, text=clean_line(query.text), segmented="")
