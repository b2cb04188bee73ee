"""Small runs and corpora that the evaluation tests share."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np

from retrieval.records import Article, Corpus, Passage, Query, TrecRun


def run_of(
    hits: Mapping[str, Sequence[str]], name: str = "run", scores: Mapping[str, Sequence[float]] | None = None
) -> TrecRun:
    """A run from ranked article ids; scores fall from the list's length unless given."""
    depth = max((len(cids) for cids in hits.values()), default=0)
    cids = tuple(dict.fromkeys(cid for found in hits.values() for cid in found))
    rows = np.full((len(hits), depth), -1, np.int32)
    values = np.full((len(hits), depth), -np.inf, np.float32)
    for position, (qid, found) in enumerate(hits.items()):
        rows[position, : len(found)] = [cids.index(cid) for cid in found]
        values[position, : len(found)] = scores[qid] if scores else np.arange(len(found), 0, -1)
    return TrecRun(name, tuple(hits), cids, rows, values)


def random_case(
    seed: int, queries: int = 60, articles: int = 80, depth: int = 30
) -> tuple[TrecRun, dict[str, frozenset[str]]]:
    """A run without ties, with short and empty lists, several golds a query and golds that no list holds."""
    generator = np.random.default_rng(seed)
    cids = tuple(f"d{number}" for number in range(articles))
    rows = np.full((queries, depth), -1, np.int32)
    scores = np.full((queries, depth), -np.inf, np.float32)
    qrels = {}
    for position in range(queries):
        length = (depth, int(generator.integers(0, depth)))[position % 3 == 0]
        rows[position, :length] = generator.permutation(articles)[:length]
        scores[position, :length] = np.sort(generator.permutation(1000)[:length])[::-1]
        gold = generator.choice([*cids, "absent"], size=int(generator.integers(1, 6)), replace=False)
        qrels[f"q{position}"] = frozenset(map(str, gold))
    return TrecRun("random", tuple(qrels), cids, rows, scores), qrels


def corpus_of(*cids: str, titles: bool = True) -> Corpus:
    """Articles whose title and body name them."""
    articles = tuple(
        Article(cid, f"Tiêu đề {cid}" if titles else "", f"Nội dung của {cid} " * 20, "Bộ luật") for cid in cids
    )
    return Corpus(articles, tuple(Passage(article.cid, 0, article.body) for article in articles))


def question(qid: str, *cids: str, source: str = "natural") -> Query:
    return Query(qid, f"Câu hỏi {qid}?", cids, source=source, split="test")
