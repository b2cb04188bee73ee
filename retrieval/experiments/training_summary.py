"""What a person reads at the end of a training: tables, the lead over the best baseline, the verdict, the versions."""

from __future__ import annotations

from collections.abc import Mapping

from retrieval.config.schema import EvaluationConfig
from retrieval.evaluation.significance import paired_bootstrap
from retrieval.evaluation.summary import measured_cutoffs, summary_table
from retrieval.experiments.assessment import GROUPS, JudgedRuns, grouped
from retrieval.records import Decision


def summary_text(
    found: JudgedRuns,
    validation: JudgedRuns,
    decision: Decision,
    versions: Mapping[str, str],
    config: EvaluationConfig,
    seed: int,
) -> str:
    """What a person reads at the end of a training.

    A table for each kind of query with the last stage's lead over the best mix of BM25 and the pretrained encoder, the
    verdict and the versions.

    Args:
        found: Runs of the test queries.
        validation: Runs of the validation queries.
        decision: The gate's verdict.
        versions: Model versions made.
        config: Cutoffs and bootstrap samples.
        seed: Of the bootstrap.
    """
    parts = []
    leads = {"test": _leads(found, config, seed), "validation": _leads(validation, config, seed)}
    cutoffs = measured_cutoffs(config.cutoffs)
    evaluations = found.evaluations(cutoffs)
    for group, queries in grouped(found.queries).items():
        chosen = [evaluation.select([query.qid for query in queries]) for evaluation in evaluations.values()]
        table = summary_table(chosen, config.bootstrap_samples, seed)
        lead = [f"{leads[split][group]} on {split}" for split in leads if group in leads[split]]
        parts.append("\n".join([f"Test, {GROUPS[group]}", table, *lead]))
    verdict = "passed" if decision.passed else "refused"
    parts.append("\n".join([f"Gate: {verdict}", *(f"  - {reason}" for reason in decision.reasons)]))
    made = [f"  {name} {version}" for name, version in versions.items() if name.startswith("legal-")]
    stage = "staging" if versions.get("staged") == "yes" else "not staged"
    parts.append("\n".join([f"Versions ({stage})", *made]))
    return "\n\n".join(parts)


def _leads(found: JudgedRuns, config: EvaluationConfig, seed: int) -> dict[str, str]:
    """For each kind of query, the last stage minus the best mix in MRR@10 with its paired interval."""
    if not any(run.name == "mix" for run in found.runs):
        return {}
    evaluations = found.evaluations((10,))
    mix, last = evaluations["mix"], evaluations[found.runs[-1].name]
    leads = {}
    for group, queries in grouped(found.queries).items():
        qids = [query.qid for query in queries]
        ours, theirs = (one.select(qids).values("mrr@10") for one in (last, mix))
        lead = paired_bootstrap(ours, theirs, config.bootstrap_samples, seed)
        leads[group] = f"{last.name} - mix, MRR@10: {lead.mean:+.3f} [{lead.low:+.3f}, {lead.high:+.3f}]"
    return leads
