"""Trained retrievers kept on this machine, of every ZenML store: found without a tracking server or ZenML."""

from __future__ import annotations

from retrieval.model_store.choice import Choice, kept_folder, kept_retriever, served_retriever
from retrieval.model_store.folders import KeptRetriever, facts_of, keep, kept_retrievers
from retrieval.model_store.notes import FACTS
from retrieval.model_store.stages import STAGES, record_stages
from retrieval.paths import KEPT

__all__ = [
    "FACTS",
    "KEPT",
    "STAGES",
    "Choice",
    "KeptRetriever",
    "facts_of",
    "keep",
    "kept_folder",
    "kept_retriever",
    "kept_retrievers",
    "record_stages",
    "served_retriever",
]
