"""Questions made from the law itself: titles, khoản heads, headings above an article and question templates."""

from __future__ import annotations

import random
import re
from collections.abc import Iterable, Sequence
from dataclasses import replace
from itertools import pairwise

from retrieval.data.cleaning import clean_line, has_text, text_key
from retrieval.records import Article, Query

TITLE, CLAUSE, PATH, TEMPLATE, QUESTION = "title", "clause", "path", "template", "question"
TRAINING_SOURCES = frozenset({CLAUSE, PATH, TEMPLATE, QUESTION})
"""Sources that only ever train (questions written for training among them); titles are also judged on."""

TEMPLATES = (
    "{title} được quy định như thế nào?",
    "Pháp luật quy định thế nào về {lower}?",
    "Quy định của {law} về {lower} là gì?",
    "Cho tôi hỏi về {lower}?",
    "{title} theo {law} thế nào?",
)

_HEADING_NUMBER = re.compile(r"^(?:phần thứ [^:]+:|chương [^:]+:|(?:tiểu )?mục [^.]+\.)\s*", re.IGNORECASE)
_CLAUSE_NUMBER = re.compile(r"^\d+\.\s*")
_HEAD_END = re.compile(r"(?<=[.;:])(?:\s|$)")
_MIN_HEAD_SYLLABLES, _MAX_HEAD_SYLLABLES = 8, 48  # shorter says nothing by itself; longer is the passage itself


def title_queries(articles: Sequence[Article]) -> list[Query]:
    """One query for each title; a title that several articles share has all of them as gold."""
    return _merged(Query(f"{TITLE}:{a.cid}", a.title, (a.cid,), source=TITLE) for a in articles if a.title)


def clause_queries(articles: Sequence[Article], per_article: int, seed: int) -> list[Query]:
    """Heads of khoản (the first sentence, or what stands before a list), drawn by seed, at most ``per_article`` each.

    A head that several articles share becomes one query with all of them as gold.
    """
    draw = random.Random(seed)
    queries = []
    for article in articles:
        heads = _clause_heads(article)
        chosen = sorted(draw.sample(range(len(heads)), min(per_article, len(heads))))
        queries += [Query(f"{CLAUSE}:{article.cid}:{i + 1}", heads[i], (article.cid,), source=CLAUSE) for i in chosen]
    return _merged(queries)


def path_queries(articles: Sequence[Article]) -> list[Query]:
    """Titles with the heading above and the law, which tell apart the articles that share a title."""
    return _merged(
        Query(f"{PATH}:{article.cid}", _with_path(article), (article.cid,), source=PATH)
        for article in articles
        if article.title and (article.path or article.law)
    )


def template_queries(articles: Sequence[Article], per_title: int, seed: int) -> list[Query]:
    """Titles turned into questions by templates drawn by seed, at most ``per_title`` for each title.

    Golds are those of the title. A template that names the law is only for titles whose articles are all of one law.
    """
    draw = random.Random(seed)
    law_of = {article.cid: article.law for article in articles}
    queries = []
    for query in title_queries(articles):
        laws = {law_of[cid] for cid in query.cids}
        law = laws.pop() if len(laws) == 1 else ""
        usable = [template for template in TEMPLATES if law or "{law}" not in template]
        for number, template in enumerate(draw.sample(usable, min(per_title, len(usable))), start=1):
            text = template.format(title=query.text, lower=_lower_first(query.text), law=law)
            queries.append(replace(query, qid=f"{TEMPLATE}:{query.cids[0]}:{number}", text=text, source=TEMPLATE))
    return _merged(queries)


def _merged(queries: Iterable[Query]) -> list[Query]:
    """Queries of the same text made one, with the golds of all; the first one's qid and text stay."""
    merged: dict[str, Query] = {}
    for query in queries:
        if not has_text(query.text):
            continue
        key = text_key(query.text)
        first = merged.get(key)
        merged[key] = replace(first, cids=tuple(dict.fromkeys(first.cids + query.cids))) if first else query
    return list(merged.values())


def _clause_heads(article: Article) -> list[str]:
    """First sentence or list opening of each khoản, where its length makes it a query."""
    bounds = [*article.clauses, len(article.body)]
    heads = []
    for start, end in pairwise(bounds):
        text = _CLAUSE_NUMBER.sub("", article.body[start:end].split("\n")[0])
        head = clean_line(_HEAD_END.split(text, maxsplit=1)[0]).rstrip(".;:")
        if _MIN_HEAD_SYLLABLES <= len(head.split()) <= _MAX_HEAD_SYLLABLES:
            heads.append(head)
    return heads


def _with_path(article: Article) -> str:
    heading = _HEADING_NUMBER.sub("", article.path[-1]).lower() if article.path else ""
    return ", ".join(part for part in (article.title, heading, article.law) if part)


def _lower_first(text: str) -> str:
    """Lower-case the first letter unless the first word is an abbreviation."""
    return text if text[:2].isupper() else text[:1].lower() + text[1:]
