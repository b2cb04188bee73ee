"""What a bi-encoder learns from: training queries with all that answers them, and what is read of each article."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np

from retrieval.data.cleaning import text_key
from retrieval.data.fields import TextKind, hides_titles, passage_texts, query_texts, title_texts
from retrieval.errors import TrainingError
from retrieval.records import Corpus, Query

PassageChoice = Literal["first", "rotate", "overlap"]


@dataclass(frozen=True)
class ArticleTexts:
    """What a model reads of each article.

    Attributes:
        passages: Texts of an article's passages, in order, by article id.
        titles: Title of each article that has one, by article id.
    """

    passages: Mapping[str, tuple[str, ...]]
    titles: Mapping[str, str]


def article_texts(corpus: Corpus, kind: TextKind) -> ArticleTexts:
    """The passages and titles of a corpus in the form a model of this kind reads.

    Raises:
        TrainingError: If the model reads segmented text and the corpus has none.
    """
    texts = passage_texts(corpus, kind)
    if not all(texts):
        passage = corpus.passages[texts.index("")]
        raise TrainingError(
            f"passage {passage.number} of article {passage.cid} has no {kind} text, which this model reads;"
            " run the segmentation step first"
        )
    passages: dict[str, tuple[str, ...]] = {}
    for passage, text in zip(corpus.passages, texts, strict=True):
        passages[passage.cid] = (*passages.get(passage.cid, ()), text)
    titles = zip(corpus.cids, title_texts(corpus, kind), strict=False)
    return ArticleTexts(passages, {cid: title for cid, title in titles if title})


@dataclass(frozen=True, slots=True)
class Example:
    """A training query with everything that answers it.

    Attributes:
        qid: Its id, which seeds its choices.
        text: What the model reads of it.
        golds: Its own gold articles; one is drawn for each epoch.
        relevant: Gold articles of every training query with the same words; never negatives of this one.
        from_title: Whether it was made from a title, so that a title must not be its positive.
    """

    qid: str
    text: str
    golds: tuple[str, ...]
    relevant: frozenset[str]
    from_title: bool


def training_examples(queries: Sequence[Query], texts: ArticleTexts, kind: TextKind) -> list[Example]:
    """Examples of the queries whose gold articles are known.

    Raises:
        TrainingError: If there are fewer than two queries, or one has no text of this kind or an unknown gold.
    """
    if len(queries) < 2:
        raise TrainingError(f"{len(queries)} training queries; ranking needs two or more, so widen data.train_share")
    read = query_texts(queries, kind)
    relevant: dict[str, set[str]] = {}
    for query in queries:
        relevant.setdefault(text_key(query.text), set()).update(query.cids)
    for query, text in zip(queries, read, strict=True):
        unknown = [cid for cid in query.cids if cid not in texts.passages]
        if unknown or not query.cids or not text:
            fault = (
                f"gold article {unknown[0]} is not in the corpus" if unknown else f"no gold article or no {kind} text"
            )
            raise TrainingError(f"training query {query.qid}: {fault}; run the validate and segment steps first")
    return [
        Example(query.qid, text, query.cids, frozenset(relevant[text_key(query.text)]), hides_titles(query))
        for query, text in zip(queries, read, strict=True)
    ]


def choose_passage(query: str, passages: Sequence[str], choice: PassageChoice, epoch: int) -> str:
    """The passage of a relevant article that stands for it in this epoch.

    ``first`` takes the lead passage, ``rotate`` the next one each epoch, ``overlap`` the one that holds the
    largest part of the query's words (the first such).
    """
    if choice == "first" or len(passages) == 1:
        return passages[0]
    if choice == "rotate":
        return passages[epoch % len(passages)]
    words = set(query.casefold().split())
    shared = [len(words.intersection(passage.casefold().split())) for passage in passages]
    return passages[int(np.argmax(shared))]
