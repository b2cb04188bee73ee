"""The units of a Vietnamese code: điều (articles) found by their headings, and khoản (clauses) inside a body."""

from __future__ import annotations

import re
from collections.abc import Iterator

from retrieval.records import Article

_ARTICLE = re.compile(r"Điều (\d+) ?\. ?(.+)")
_HEADINGS = (
    re.compile(r"phần thứ [^:]{2,20}:", re.IGNORECASE),
    re.compile(r"chương [ivxlc]+ ?:", re.IGNORECASE),
    re.compile(r"mục (?:\d+|[ivxlc]+) ?\. ", re.IGNORECASE),
    re.compile(r"tiểu mục (?:\d+|[ivxlc]+) ?\. ", re.IGNORECASE),
)  # outermost first; the number keeps sentences such as "Mục đích của ..." out
_CLOSING = re.compile(r"Bộ luật này (?:đã )?được Quốc hội .*thông qua ngày")
_CLAUSE = re.compile(r"^\d+\. ", re.MULTILINE)


def clause_offsets(body: str) -> tuple[int, ...]:
    """Character offsets in ``body`` where a khoản starts: a line that begins with a number, a full stop and a space."""
    return tuple(match.start() for match in _CLAUSE.finditer(body))


def parse_code(number: str, law: str, text: str) -> tuple[Article, ...]:
    """Cut the clean full text of a code into its articles.

    Articles are numbered from 1 without gaps, so a line is a heading only when its number is the next one; an
    article that is quoted inside another (an amendment) is then never taken for one of this code.

    Args:
        number: Số hiệu of the law; article ids are ``<số hiệu>:<điều>``.
        law: Name of the law.
        text: Full text after ``clean_text``.

    Returns:
        Articles in order, with the headings above each as its path.
    """
    articles = []
    for count, (title, path, lines) in enumerate(_sections(text), start=1):
        body = "\n".join(lines)
        articles.append(Article(f"{number}:{count}", title, body, law, path, clause_offsets(body)))
    return tuple(articles)


def _sections(text: str) -> Iterator[tuple[str, tuple[str, ...], list[str]]]:
    """Title, path and body lines of each article; ``lines`` is filled before the next one is given."""
    path: dict[int, str] = {}
    above: tuple[str, ...] = ()
    lines: list[str] = []
    title, count = "", 0
    outside = True  # before the first article, between a heading and the next article, after the closing formula
    for line in text.split("\n"):
        article, level = _ARTICLE.match(line), _level_of(line)
        if article and int(article[1]) == count + 1:
            if count:
                yield title, above, lines
            title, above, lines, count = article[2], tuple(path[key] for key in sorted(path)), [], count + 1
            outside = False
        elif level is not None:
            path = {key: heading for key, heading in path.items() if key < level}
            path[level] = re.sub(r" ?: ?", ": ", line, count=1)
            outside = True
        elif _CLOSING.match(line):
            outside = True
        elif not outside:
            lines.append(line)
    if count:
        yield title, above, lines


def _level_of(line: str) -> int | None:
    """Depth of a heading line, 0 for phần; None for any other line."""
    return next((level for level, heading in enumerate(_HEADINGS) if heading.match(line)), None)
