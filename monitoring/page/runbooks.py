"""The runbooks as a page: Markdown without HTML of its own, an anchor for each heading."""

from __future__ import annotations

import re
from collections.abc import Sequence
from itertools import pairwise
from pathlib import Path
from urllib.parse import urlsplit

from markdown_it import MarkdownIt
from markdown_it.token import Token

from monitoring.page.markup import Markup, join, tag
from retrieval.errors import SourceError

RUNBOOKS = Path(__file__).parents[2] / "docs" / "runbooks.md"
_NO_WORD = re.compile(r"[^\w-]+")


def read_runbooks(path: Path) -> str:
    """The file's text.

    Raises:
        SourceError: If it cannot be read.
    """
    try:
        return path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise SourceError(f"{path}: the runbooks cannot be read ({error}); name their file with --runbooks") from error


def runbooks_html(text: str, dashboards: Sequence[str]) -> Markup:
    """Contents and text.

    Args:
        text: Markdown.
        dashboards: Ids of the pages to which links may lead; others lead elsewhere or are left out.
    """
    reader = MarkdownIt("commonmark", {"html": False}).enable("table")
    tokens = reader.parse(text)
    headings = _anchored(tokens)
    _mend_links(tokens, dashboards)
    entries = [
        tag("li", tag("a", title, href=f"#{anchor}"), class_="part" if level == "h1" else None)
        for level, anchor, title in headings[1:]
        if level in {"h1", "h2"}
    ]
    contents = tag("nav", tag("h2", "Contents"), tag("ul", *entries), class_="contents", aria_label="Contents")
    body = Markup(reader.renderer.render(tokens, reader.options, {}))
    return join(contents if entries else None, tag("article", body, class_="text"))


def _anchored(tokens: list[Token]) -> list[tuple[str, str, str]]:
    """Give each heading an id: an alert's name is its own, other titles are written with hyphens."""
    found: list[tuple[str, str, str]] = []
    for opening, inline in pairwise(tokens):
        if opening.type == "heading_open":
            title = "".join(child.content for child in inline.children or [] if child.type in {"text", "code_inline"})
            anchor = title if title.isalnum() and not title.islower() else _NO_WORD.sub("-", title.lower()).strip("-")
            while anchor in {name for _, name, _ in found}:
                anchor += "-"
            opening.attrSet("id", anchor)
            found.append((opening.tag, anchor, title))
    return found


def _mend_links(tokens: list[Token], dashboards: Sequence[str]) -> None:
    """Links to this page's own address lead to where it really is; those to files of the repository lead nowhere."""
    for token in tokens:
        for child in token.children or []:
            if child.type == "link_open":
                child.attrs = dict(_mended(str(child.attrs.get("href", "")), dashboards))


def _mended(href: str, dashboards: Sequence[str]) -> dict[str, str]:
    parts = urlsplit(href)
    own = parts.path.strip("/")
    local = parts.hostname in {None, "127.0.0.1", "localhost"}
    if local and (own in {*dashboards, "runbooks"} or (not own and parts.fragment)):
        return {"href": f"{parts.path}#{parts.fragment}" if parts.fragment else parts.path}
    if parts.scheme in {"http", "https"}:
        return {"href": href, "rel": "noreferrer"}
    return {}
