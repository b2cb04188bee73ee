"""Folders that are kept and listed like trained retrievers, and facts of two versions 1 from two stores."""

from __future__ import annotations

import json
from pathlib import Path

from retrieval.data.storage import save_dataset
from retrieval.folders import write_folder
from retrieval.records import Article, Corpus, Dataset, Passage

A, B, C = "aaaaaaaa-1111", "bbbbbbbb-2222", "cccccccc-3333"
SIX, ONE = ("Bộ luật Dân sự 2015", "Bộ luật Hình sự 2015"), ("Bộ luật Lao động 2019",)


def retriever(folder: Path, laws: tuple[str, ...], weights: str = "w", run: str = "run-1") -> Path:
    """What a training gives, as far as keeping and listing look at it."""
    articles = tuple(Article(f"{n}:1", "Điều 1", "nội dung", law) for n, law in enumerate(laws))
    corpus = Corpus(articles, tuple(Passage(one.cid, 0, one.body) for one in articles), ("",) * len(articles))
    settings = {"pooling": "mean", "training_run_id": run, "data_version": f"data of {len(laws)}"}
    with write_folder(folder) as staging:
        (staging / "retriever.json").write_text("{}")
        for name in ("bm25", "bi-encoder"):
            (staging / name).mkdir()
        (staging / "bm25" / "order.json").write_text(run)
        (staging / "bi-encoder" / "settings.json").write_text(json.dumps(settings))
        (staging / "bi-encoder" / "weights").write_text(weights)
        save_dataset(Dataset(corpus, ()), staging / "corpus")
    return folder


def facts(version: str, store: str, minute: int = 0) -> dict[str, str]:
    return {
        "retriever": version,
        "store": store,
        "store_url": f"sqlite:////{store[0]}/zenml.db",
        "run": f"training-{store[0]}",
        "kept": f"2026-01-02T03:{minute:02}:00+00:00",
    }
