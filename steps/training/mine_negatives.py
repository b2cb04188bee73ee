"""Step: hard negatives for the cross-encoder, from the trained first stage."""

from __future__ import annotations

from typing import Annotated

from retrieval.config.schema import MiningConfig
from retrieval.models.bi_encoder import BiEncoder
from retrieval.records import Dataset
from retrieval.runtime import choose_runtime
from retrieval.search.embedding import CorpusVectors
from retrieval.training.hard_negatives import HardNegatives, mine_dataset
from steps.library_step import library_step


@library_step
def mine_negatives(
    dataset: Dataset,
    bi_encoder: BiEncoder,
    vectors: CorpusVectors,
    config: MiningConfig,
    training_queries: int,
    seed: int,
    precision: str,
    threads: int,
) -> Annotated[HardNegatives, "hard_negatives"]:
    """Mine for ``training_queries`` training queries (0: all) and for every validation query."""
    runtime = choose_runtime(precision, threads)
    return mine_dataset(dataset, bi_encoder, vectors, config, training_queries, seed, runtime)
