"""Keeps what searching gave: mined negatives, and runs with the queries they answer."""

from __future__ import annotations

import json
from dataclasses import asdict
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray
from zenml.enums import ArtifactType
from zenml.metadata.metadata_types import MetadataType

from materializers.folder import FolderMaterializer
from materializers.page import page, table
from retrieval.evaluation.plots import value_histogram
from retrieval.experiments.assessment import JudgedRuns
from retrieval.folders import verify_folder, write_folder
from retrieval.records import Query, TrecRun
from retrieval.training.hard_negatives import HardNegatives

_CUTOFFS = (1, 10, 100)


class NegativesMaterializer(FolderMaterializer):
    """HardNegatives <-> JSON."""

    ASSOCIATED_TYPES: ClassVar[tuple[type[Any], ...]] = (HardNegatives,)
    ASSOCIATED_ARTIFACT_TYPE: ClassVar[ArtifactType] = ArtifactType.DATA

    def write(self, data: HardNegatives, folder: Path) -> None:
        """Write one JSON file."""
        with write_folder(folder) as staging:
            text = json.dumps({"cids": dict(data.cids), "passage_rows": dict(data.passage_rows)}, ensure_ascii=False)
            (staging / "negatives.json").write_text(text, encoding="utf-8")

    def read(self, folder: Path) -> HardNegatives:
        """Read one JSON file."""
        verify_folder(folder)
        values = json.loads((folder / "negatives.json").read_text(encoding="utf-8"))
        return HardNegatives({qid: tuple(cids) for qid, cids in values["cids"].items()}, values["passage_rows"])

    def describe(self, data: HardNegatives) -> dict[str, MetadataType]:
        """Counts of queries and negatives."""
        counts = [len(cids) for cids in data.cids.values()]
        return {"queries": len(counts), "negatives": sum(counts), "queries_without": counts.count(0)}

    def picture(self, data: HardNegatives) -> str:
        """How many negatives the queries have."""
        counts = [float(len(cids)) for cids in data.cids.values()]
        return page("Hard negatives", self.describe(data), [value_histogram(counts, "negatives of a query", bins=11)])


class RunsMaterializer(FolderMaterializer):
    """JudgedRuns <-> queries.json and runs.npz."""

    ASSOCIATED_TYPES: ClassVar[tuple[type[Any], ...]] = (JudgedRuns,)
    ASSOCIATED_ARTIFACT_TYPE: ClassVar[ArtifactType] = ArtifactType.DATA

    def write(self, data: JudgedRuns, folder: Path) -> None:
        """Write queries and article ids as JSON and the ranked rows and scores as arrays."""
        arrays: dict[str, NDArray[Any]] = {}
        for number, run in enumerate(data.runs):
            arrays |= {f"rows_{number}": run.rows, f"scores_{number}": run.scores}
        facts = {
            "queries": [asdict(query) for query in data.queries],
            "cids": data.runs[0].cids if data.runs else (),
            "names": [run.name for run in data.runs],
        }
        with write_folder(folder) as staging:
            np.savez(staging / "runs.npz", **arrays)  # type: ignore[arg-type]  # names of arrays, never numpy's own option
            (staging / "queries.json").write_text(json.dumps(facts, ensure_ascii=False), encoding="utf-8")

    def read(self, folder: Path) -> JudgedRuns:
        """Read queries and runs."""
        verify_folder(folder)
        facts = json.loads((folder / "queries.json").read_text(encoding="utf-8"))
        queries = tuple(Query(**{**values, "cids": tuple(values["cids"])}) for values in facts["queries"])
        qids, cids = tuple(query.qid for query in queries), tuple(facts["cids"])
        with np.load(folder / "runs.npz", allow_pickle=False) as arrays:
            runs = tuple(
                TrecRun(name, qids, cids, arrays[f"rows_{number}"], arrays[f"scores_{number}"])
                for number, name in enumerate(facts["names"])
            )
        return JudgedRuns(queries, runs)

    def describe(self, data: JudgedRuns) -> dict[str, MetadataType]:
        """MRR@10 of each run."""
        evaluations = data.evaluations(_CUTOFFS)
        means: dict[str, MetadataType] = {
            f"{name}_mrr_at_10": round(one.mean["mrr@10"], 4) for name, one in evaluations.items()
        }
        return {"queries": len(data.queries), **means}

    def picture(self, data: JudgedRuns) -> str:
        """A table of the main metrics."""
        evaluations = data.evaluations(_CUTOFFS)
        metrics = ("mrr@10", "ndcg@10", "recall@1", "recall@10", "recall@100")
        rows = [[name, *(f"{one.mean[metric]:.4f}" for metric in metrics)] for name, one in evaluations.items()]
        return page("Runs", {"queries": len(data.queries)}, tables=[table(rows, ["run", *metrics])])
