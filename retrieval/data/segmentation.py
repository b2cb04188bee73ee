"""Vietnamese word segmentation by PyVi, in several processes: ``người lao động`` -> ``người lao_động``."""

from __future__ import annotations

import multiprocessing
from collections.abc import Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from dataclasses import replace

from tqdm import tqdm

from retrieval.cores import usable_cores
from retrieval.errors import DataError
from retrieval.records import Corpus, Dataset

_CHUNK_SYLLABLES = 4_000  # about 0.1 s of work, so that the bar moves and no process waits long for the last one
_POOL_SYLLABLES = 100_000  # below this, starting processes costs more than they save


def segment_texts(texts: Sequence[str], workers: int, label: str) -> list[str]:
    """Segment texts, each on one line, in the order given.

    Args:
        texts: Clean texts.
        workers: Processes; 0 takes one a core that this process may use.
        label: Shown on the progress bar; empty shows none.

    Returns:
        One segmented text for each, syllables of a word joined by ``_``, words and marks parted by one space.

    Raises:
        DataError: If a worker process dies.

    Example:
        segment_texts(["Người lao động"], workers=1, label="segment")  # ["Người lao_động"]
    """
    unique = list(dict.fromkeys(texts))  # a title is also a query
    chunks = list(_chunks(unique))
    segmented: list[str] = []
    with tqdm(total=len(unique), desc=label, unit="text", disable=not label) as bar:
        for done in _results(chunks, _worker_count(workers, unique)):
            segmented.extend(done)
            bar.update(len(done))
    segmented_of = dict(zip(unique, segmented, strict=True))
    return [segmented_of[text] for text in texts]


def segment_dataset(dataset: Dataset, workers: int) -> Dataset:
    """Fill in the segmented text of every passage, title and query.

    Args:
        dataset: Clean, with passages.
        workers: Processes; 0 takes one a core that this process may use.
    """
    corpus = dataset.corpus
    passages = [passage.text for passage in corpus.passages]
    titles = [article.title for article in corpus.articles]
    queries = [query.text for query in dataset.queries]
    segmented = iter(segment_texts([*passages, *titles, *queries], workers, "segment"))
    return Dataset(
        Corpus(
            corpus.articles,
            tuple(replace(passage, segmented=next(segmented)) for passage in corpus.passages),
            tuple(next(segmented) for _ in titles),
        ),
        tuple(replace(query, segmented=next(segmented)) for query in dataset.queries),
    )


def _chunks(texts: Sequence[str]) -> Iterator[list[str]]:
    """Neighbouring texts together, up to about ``_CHUNK_SYLLABLES``."""
    chunk: list[str] = []
    syllables = 0
    for text in texts:
        chunk.append(text)
        syllables += text.count(" ") + 1
        if syllables >= _CHUNK_SYLLABLES:
            yield chunk
            chunk, syllables = [], 0
    if chunk:
        yield chunk


def _worker_count(workers: int, texts: Sequence[str]) -> int:
    if sum(text.count(" ") + 1 for text in texts) < _POOL_SYLLABLES:
        return 1
    if workers:
        return workers
    return usable_cores()


def _results(chunks: Sequence[list[str]], workers: int) -> Iterator[list[str]]:
    """Segmented chunks in order, from this process or from a pool.

    Workers are spawned, not forked: a fork of a process with compute threads can hang.
    """
    if workers == 1:
        yield from map(_segment_chunk, chunks)
        return
    try:
        with ProcessPoolExecutor(workers, mp_context=multiprocessing.get_context("spawn")) as pool:
            yield from pool.map(_segment_chunk, chunks)
    except BrokenProcessPool as error:
        raise DataError(
            "word segmentation: a worker process died, most often for lack of memory; set data.workers: 1 and run again"
        ) from error


def _segment_chunk(texts: list[str]) -> list[str]:
    from pyvi import ViTokenizer  # loads its model, so only where it is used

    return [" ".join(ViTokenizer.tokenize(text).split()) if text.strip() else "" for text in texts]
