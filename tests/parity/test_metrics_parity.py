"""Our metrics against trec_eval (pytrec_eval) and ir-measures, query by query."""

from __future__ import annotations

import numpy as np
import pytest

from retrieval.evaluation.metrics import evaluate
from retrieval.evaluation.reranking import evaluate_reranking
from retrieval.evaluation.trec import write_trec
from tests.helpers.trec_reader import read_trec
from tests.unit.evaluation.fixtures import random_case, run_of

ir_measures = pytest.importorskip("ir_measures")
pytrec_eval = pytest.importorskip("pytrec_eval")

CUTOFFS = [1, 3, 5, 10, 20, 100]
SEEDS = range(3)
TREC_NAMES = {"recall": "recall", "precision": "P", "ndcg": "ndcg_cut", "map": "map_cut", "hit_rate": "success"}
MEASURES = {"recall": "R", "precision": "P", "ndcg": "nDCG", "map": "AP", "hit_rate": "Success", "mrr": "RR"}


def as_dictionaries(run, qrels):
    hits = {qid: {hit.cid: hit.score for hit in found} for qid, found in run}
    return hits, {qid: dict.fromkeys(gold, 1) for qid, gold in qrels.items()}


@pytest.mark.parametrize("seed", SEEDS)
@pytest.mark.parametrize("name", TREC_NAMES)
def test_metric_equals_trec_eval_on_every_query(name, seed):
    run, qrels = random_case(seed)
    hits, gold = as_dictionaries(run, qrels)
    trec = TREC_NAMES[name]
    theirs = pytrec_eval.RelevanceEvaluator(gold, {f"{trec}.{','.join(map(str, CUTOFFS))}"}).evaluate(hits)
    ours = evaluate(run, qrels, CUTOFFS)
    for k in CUTOFFS:
        expected = [theirs.get(qid, {}).get(f"{trec}_{k}", 0.0) for qid in run.qids]
        np.testing.assert_allclose(ours.per_query[f"{name}@{k}"], expected, atol=1e-9, err_msg=f"{name}@{k}")


@pytest.mark.parametrize("seed", SEEDS)
def test_mrr_at_full_depth_equals_trec_eval_reciprocal_rank(seed):
    run, qrels = random_case(seed)
    hits, gold = as_dictionaries(run, qrels)
    theirs = pytrec_eval.RelevanceEvaluator(gold, {"recip_rank"}).evaluate(hits)
    expected = [theirs.get(qid, {}).get("recip_rank", 0.0) for qid in run.qids]
    np.testing.assert_allclose(evaluate(run, qrels, [100]).per_query["mrr@100"], expected, atol=1e-9)


@pytest.mark.parametrize("seed", SEEDS)
@pytest.mark.parametrize("name", MEASURES)
def test_mean_equals_ir_measures_through_the_files_we_write(name, seed, tmp_path):
    run, qrels = random_case(seed)
    write_trec(run, tmp_path / "run.trec")
    (tmp_path / "qrels").write_text("".join(f"{qid} 0 {cid} 1\n" for qid, gold in qrels.items() for cid in gold))
    measures = {k: ir_measures.parse_measure(f"{MEASURES[name]}@{k}") for k in CUTOFFS}
    theirs = ir_measures.calc_aggregate(
        list(measures.values()),
        list(ir_measures.read_trec_qrels(str(tmp_path / "qrels"))),
        list(ir_measures.read_trec_run(str(tmp_path / "run.trec"))),
    )
    ours = evaluate(run, qrels, CUTOFFS)
    for k, measure in measures.items():
        assert ours.mean[f"{name}@{k}"] == pytest.approx(theirs[measure], abs=1e-6), measure


def test_tied_run_is_judged_by_trec_eval_in_our_order(tmp_path):
    generator = np.random.default_rng(4)
    cids = [f"d{number}" for number in range(50)]
    hits = {f"q{number}": list(generator.permutation(cids)[:20]) for number in range(40)}
    run = run_of(hits, scores={qid: sorted(generator.integers(0, 3, 20), reverse=True) for qid in hits})
    qrels = {qid: frozenset(map(str, generator.choice(cids, 3, replace=False))) for qid in hits}
    write_trec(run, tmp_path / "run.trec")
    with (tmp_path / "run.trec").open() as stream:
        written = pytrec_eval.parse_run(stream)
    theirs = pytrec_eval.RelevanceEvaluator(as_dictionaries(run, qrels)[1], {"recip_rank"}).evaluate(written)
    ours = evaluate(run, qrels, [20]).per_query["mrr@20"]
    np.testing.assert_allclose(ours, [theirs[qid]["recip_rank"] for qid in run.qids], atol=1e-9)
    assert evaluate(read_trec(tmp_path / "run.trec"), qrels, [20]).mean["mrr@20"] == pytest.approx(ours.mean())


@pytest.mark.parametrize("seed", SEEDS)
def test_roc_auc_equals_scikit_learn_with_ties(seed):
    sklearn_metrics = pytest.importorskip("sklearn.metrics")
    run, qrels = random_case(seed)
    coarse = type(run)(run.name, run.qids, run.cids, run.rows, np.round(run.scores / 50))
    labels = [hit.cid in qrels[qid] for qid, hits in coarse for hit in hits]
    scores = [hit.score for _, hits in coarse for hit in hits]
    ours = evaluate_reranking(coarse, coarse, qrels).mean["roc_auc"]
    assert ours == pytest.approx(sklearn_metrics.roc_auc_score(labels, scores), abs=1e-12)
