"""From records as read to records that can be searched: clean text, cut into passages."""

from __future__ import annotations

from dataclasses import replace

from retrieval.data.cleaning import clean_dataset
from retrieval.data.passages import cut_passages
from retrieval.models.io.pretrained import load
from retrieval.records import Corpus, Dataset


def clean_and_cut(dataset: Dataset, base: str, max_tokens: int, overlap_tokens: int) -> Dataset:
    """Clean every text, then cut the articles by the tokens of a model.

    Args:
        dataset: As read.
        base: Name of the model whose tokens are counted; see `retrieval.models.io.pretrained.load`.
        max_tokens: Longest passage, tokens.
        overlap_tokens: Tokens that neighbouring pieces of one long khoản share.
    """
    clean = clean_dataset(dataset)
    articles = clean.corpus.articles
    passages = cut_passages(articles, load(base).tokenizer.offsets, max_tokens, overlap_tokens)
    return replace(clean, corpus=Corpus(articles, passages))
