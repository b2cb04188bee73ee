"""Lexical search: BM25 (bm25s) over whole articles, on the tokens that validation chose."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Sequence
from itertools import pairwise
from pathlib import Path
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from retrieval.errors import SearchError
from retrieval.extras import hidden
from retrieval.records import Corpus, Query, TrecRun
from retrieval.search.ranking import run_of, top_k

with hidden("jax", "numba", "scipy"):  # for ways of its own to rank; jax would take three quarters of a GPU's memory
    import bm25s
    from bm25s.tokenization import Tokenized

Units = Literal["words", "syllables", "bigrams"]
_WORD = re.compile(r"\w+")
_QUERY_BLOCK = 64


def lexical_tokens(text: str, segmented: str, units: Units) -> list[str]:
    """Lower-cased tokens of one text.

    Args:
        text: Clean text.
        segmented: The same text with the syllables of a word joined by ``_``.
        units: ``words`` reads ``segmented``; ``syllables`` reads ``text``; ``bigrams`` adds to the syllables
            every pair of neighbours, which catches compound words without trusting a segmenter.
    """
    if units == "words":
        return _WORD.findall(segmented.lower())
    syllables = _WORD.findall(text.lower())
    if units == "syllables":
        return syllables
    pairs = pairwise(syllables)
    return [*syllables, *(f"{left}~{right}" for left, right in pairs)]


def _article_tokens(corpus: Corpus, units: Units, title_count: int, headings: bool) -> Iterable[list[str]]:
    segmented: list[list[str]] = [[] for _ in corpus.articles]
    if units == "words":
        for row, passage in zip(corpus.article_rows, corpus.passages, strict=True):
            segmented[row].append(passage.segmented)
    for row, article in enumerate(corpus.articles):
        title = lexical_tokens(article.title, corpus.segmented_titles[row] if corpus.segmented_titles else "", units)
        above = (article.law, *article.path) if headings else ()
        read_above = [token for heading in above for token in lexical_tokens(heading, heading, units)]
        yield [*title * title_count, *read_above, *lexical_tokens(article.body, "\n".join(segmented[row]), units)]


class Bm25Index:
    """BM25 scores of every article for a query (Robertson and Zaragoza, 2009; Lucene's variant).

    Attributes:
        cids: Article ids, in index order.
        units: What counts as a token.
    """

    def __init__(self, engine: bm25s.BM25, cids: tuple[str, ...], units: Units) -> None:
        self.engine = engine
        self.cids = cids
        self.units = units

    @classmethod
    def build(
        cls,
        corpus: Corpus,
        k1: float = 1.2,
        b: float = 0.75,
        units: Units = "bigrams",
        title_count: int = 3,
        headings: bool = False,
    ) -> Bm25Index:
        """Index the articles of a corpus.

        Args:
            corpus: Articles; cut and segmented if ``units`` is ``words``.
            k1: Saturation of term frequency.
            b: Share of length normalisation.
            units: What counts as a token.
            title_count: Times a title is counted with its body, which says what an article is about in few words; 0
                hides titles, where they are the queries.
            headings: Count the law's name and the headings above an article with its body; they are not segmented, so
                among ``words`` only their words of one syllable are found.

        Raises:
            SearchError: If there is no article, or none has a token.
        """
        tokens = list(_article_tokens(corpus, units, title_count, headings))
        if not any(tokens):
            raise SearchError(f"BM25: no token in {len(corpus.articles)} articles; check the corpus file")
        engine = bm25s.BM25(k1=k1, b=b, method="lucene")
        # ids in order of appearance: findings/bm25s-hash-seed.sh
        vocabulary: dict[str, int] = {}
        ids = [[vocabulary.setdefault(token, len(vocabulary)) for token in article] for article in tokens]
        engine.index(Tokenized(ids=ids, vocab=vocabulary), show_progress=False)
        return cls(engine, corpus.cids, units)

    def scores(self, queries: Sequence[Query]) -> NDArray[np.float32]:
        """(Q, C) scores of every article; 0 where no token is shared."""
        result = np.zeros((len(queries), len(self.cids)), dtype=np.float32)
        for row, query in enumerate(queries):
            known = self.engine.get_tokens_ids(lexical_tokens(query.text, query.segmented, self.units))
            if len(known):
                result[row] = self.engine.get_scores_from_ids(known)
        return result

    def search(self, queries: Sequence[Query], k: int) -> TrecRun:
        """The ``k`` best articles of each query that share a token with it."""
        pieces = []
        for start in range(0, len(queries), _QUERY_BLOCK):
            rows, scores = top_k(self.scores(queries[start : start + _QUERY_BLOCK]), k)
            pieces.append((rows, np.where(scores > 0, scores, -np.inf).astype(np.float32)))
        if not pieces:
            raise SearchError("BM25: no queries; give at least one")
        rows, scores = (np.concatenate(part) for part in zip(*pieces, strict=True))
        return run_of("bm25", [query.qid for query in queries], self.cids, rows, scores)

    def save(self, folder: Path) -> None:
        """Write the index into ``folder`` (arrays and JSON, no pickle)."""
        folder.mkdir(parents=True, exist_ok=True)
        self.engine.save(folder, show_progress=False)
        text = json.dumps({"cids": self.cids, "units": self.units}, ensure_ascii=False)
        (folder / "articles.json").write_text(text, encoding="utf-8")

    @classmethod
    def load(cls, folder: Path) -> Bm25Index:
        """Read an index written by `save`.

        Raises:
            SearchError: If a file is missing or does not parse.
        """
        try:
            facts = json.loads((folder / "articles.json").read_text(encoding="utf-8"))
            engine = bm25s.BM25.load(folder, show_progress=False)
            return cls(engine, tuple(facts["cids"]), facts["units"])
        except (OSError, ValueError, KeyError) as error:
            raise SearchError(f"{folder}: not a BM25 index ({error}); build the retriever again") from error
