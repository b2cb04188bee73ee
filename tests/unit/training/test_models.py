"""Both models on a tiny corpus: gradients by definition, learning, freezing, resuming, validation pools."""

from __future__ import annotations

import copy
from dataclasses import replace

import numpy as np
import pytest
import torch

from retrieval.config.schema import BiEncoderConfig, CrossEncoderConfig, TrainingConfig
from retrieval.errors import TrainingError
from retrieval.models.cross_encoder import cross_encoder_from
from retrieval.models.losses import binary_cross_entropy, multiple_negatives_ranking
from retrieval.records import Query
from retrieval.runtime import Runtime
from retrieval.training import loop
from retrieval.training.batches import RankingPlan, draw_training_queries
from retrieval.training.bi_encoder import BiEncoderTask, train_bi_encoder
from retrieval.training.cross_encoder import CrossEncoderTask, PairPlan, train_cross_encoder
from retrieval.training.examples import article_texts, training_examples
from retrieval.training.freezing import prepared
from retrieval.training.validation import candidates_mrr, candidates_of, make_pool, validation_queries

CPU = Runtime(torch.device("cpu"), torch.float32, 1)
FAST = TrainingConfig(epochs=2, batch_queries=8, learning_rate=3e-3, freeze_embeddings=False, token_budget=128)


def quiet(*_):
    pass


def gradients(model):
    return torch.cat([parameter.grad.flatten() for parameter in model.parameters() if parameter.grad is not None])


def ranking_task(tiny, dataset, **options):
    texts = article_texts(dataset.corpus, "text")
    examples = training_examples(dataset.select("train"), texts, "text")
    plan = RankingPlan(examples, texts, {"q3": ["law:9"]}, 1, "first", 0.0, 8, seed=2, title_query_weight=3.0)
    return BiEncoderTask(tiny, plan, BiEncoderConfig(training=FAST, **options), CPU)


def plain_ranking_gradients(model, batch, temperature):
    """One row at a time, no padding, no order, no passes."""
    queries = torch.cat([model([row]) for row in model.tokenize_queries(batch.queries)])
    passages = torch.cat([model([row]) for row in model.tokenize_passages(batch.passages)])
    masks = torch.from_numpy(batch.positives), torch.from_numpy(batch.excluded)
    loss = multiple_negatives_ranking(queries, passages, *masks, temperature, torch.from_numpy(batch.weights))
    loss.backward()
    return loss.item(), gradients(model)


@pytest.mark.parametrize("loss", ["mnrl", "cached_mnrl"])
def test_a_bi_encoder_step_in_sorted_passes_has_the_loss_and_gradients_of_one_row_at_a_time(tiny, dataset, loss):
    other = copy.deepcopy(tiny)
    task = ranking_task(tiny, dataset, loss=loss, chunk_queries=3)
    batch = task.batches(0)[1]
    value, expected = plain_ranking_gradients(other, batch, task.config.temperature)
    assert task.backward(batch) == pytest.approx(value, abs=1e-5)
    assert torch.allclose(gradients(tiny), expected, atol=1e-5 * float(expected.abs().max()))


@pytest.mark.parametrize("loss", ["mnrl", "cached_mnrl"])
def test_in_bfloat16_the_gradients_point_where_those_of_float32_do_and_weights_are_rounded_once(
    tiny, dataset, loss, monkeypatch
):
    for precision in (torch.float32, torch.bfloat16):
        monkeypatch.setitem(loop.CPU_PASS_TOKENS, precision, 24)  # many passes
    other = copy.deepcopy(tiny)
    task = ranking_task(tiny, dataset, loss=loss, chunk_queries=3)
    half = replace(task, model=other, runtime=replace(CPU, precision=torch.bfloat16))
    batch = task.batches(0)[1]
    task.backward(batch)
    with torch.profiler.profile() as seen:
        half.backward(batch)
    cosine = torch.nn.functional.cosine_similarity(gradients(tiny), gradients(other), dim=0)
    assert cosine > 0.99
    assert all(parameter.grad.dtype == torch.float32 for parameter in other.parameters() if parameter.grad is not None)
    if loss == "mnrl":  # the other goes backward chunk by chunk
        texts = other.tokenize_queries(batch.queries), other.tokenize_passages(batch.passages)
        passes = sum(len(half._passes(rows)[0]) for rows in texts)
        linear = sum(isinstance(module, torch.nn.Linear) for module in other.modules())
        rounded = sum(event.count for event in seen.key_averages() if event.key == "ToCopyBackward0")
        assert passes > 4
        assert rounded < passes * linear * 2  # weight and bias of each, and what goes into them


def test_frozen_parts_get_no_gradient_and_the_rest_the_same_as_before(tiny, dataset):
    other = copy.deepcopy(tiny)
    task, free = ranking_task(tiny, dataset), ranking_task(other, dataset)
    free.backward(free.batches(0)[0])
    with prepared(tiny, FAST.model_copy(update={"freeze_layers": 2})):
        task.backward(task.batches(0)[0])
        frozen = {name for name, parameter in tiny.named_parameters() if parameter.grad is None}
    learning = {name for name, _ in tiny.named_parameters()} - frozen
    assert learning and all(name.startswith("backbone.encoder.layer.2") for name in learning)
    theirs = dict(other.named_parameters())
    for name, parameter in tiny.named_parameters():
        if name in learning:
            assert torch.allclose(parameter.grad, theirs[name].grad, atol=1e-6)


def test_bi_encoder_training_improves_validation_and_leaves_the_best_weights(tiny, dataset, tmp_path):
    config = BiEncoderConfig(training=FAST.model_copy(update={"epochs": 6, "patience_epochs": 0}), temperature=0.05)
    logged = {}
    tiny.eval()
    report = train_bi_encoder(
        tiny, dataset, config, {}, 7, CPU, tmp_path, lambda name, value, step: logged.setdefault(name, []).append(value)
    )
    assert np.mean(report.losses[-3:]) < np.mean(report.losses[:3]) - 0.3
    assert report.best_score == max(logged["validation_mrr_at_10"])
    assert not tiny.training


@pytest.mark.parametrize("loss", ["mnrl", "cached_mnrl"])
def test_training_above_kept_frozen_layers_ends_where_training_through_them_does(
    tiny, dataset, tmp_path, monkeypatch, loss
):
    through = copy.deepcopy(tiny)
    frozen = FAST.model_copy(update={"freeze_embeddings": True, "freeze_layers": 2})
    config = BiEncoderConfig(training=frozen, loss=loss, batch_articles=8)
    above = train_bi_encoder(tiny, dataset, config, {}, 7, CPU, tmp_path / "above", quiet, tmp_path / "states")
    assert list((tmp_path / "states").glob("*.npy"))
    monkeypatch.setattr("retrieval.training.bi_encoder.split_at_frozen_layers", lambda *_: None)
    whole = train_bi_encoder(through, dataset, config, {}, 7, CPU, tmp_path / "whole", quiet)
    assert above.losses == pytest.approx(whole.losses, abs=0.01)
    pairs = zip(tiny.named_parameters(), through.named_parameters(), strict=True)
    for (name, mine), (_, theirs) in pairs:
        assert torch.equal(mine, theirs) == (not name.startswith("backbone.encoder.layer.2"))
        assert torch.allclose(mine, theirs, atol=0.01)


@pytest.mark.parametrize("loss", ["mnrl", "cached_mnrl"])
def test_bi_encoder_training_interrupted_and_resumed_has_the_same_weights(tiny, dataset, tmp_path, monkeypatch, loss):
    whole, broken = copy.deepcopy(tiny), tiny
    start = copy.deepcopy(tiny)
    config = BiEncoderConfig(training=FAST.model_copy(update={"checkpoint_steps": 1}), loss=loss)
    train_bi_encoder(whole, dataset, config, {}, 7, CPU, tmp_path / "whole", quiet)
    plain, calls = BiEncoderTask.backward, []

    def interrupted(self, batch):
        calls.append(1)
        if len(calls) == 6:
            raise KeyboardInterrupt
        return plain(self, batch)

    monkeypatch.setattr(BiEncoderTask, "backward", interrupted)
    with pytest.raises(KeyboardInterrupt):
        train_bi_encoder(broken, dataset, config, {}, 7, CPU, tmp_path / "broken", quiet)
    report = train_bi_encoder(start, dataset, config, {}, 7, CPU, tmp_path / "broken", quiet)
    assert report.steps == 8 and len(calls) == 6 + 3
    assert all(torch.equal(a, b) for a, b in zip(whole.parameters(), start.parameters(), strict=True))


def test_a_segmented_model_without_segmented_text_is_refused(tiny, dataset, tmp_path):
    object.__setattr__(tiny.settings, "text_kind", "segmented")
    with pytest.raises(TrainingError, match="run the segmentation step first"):
        train_bi_encoder(tiny, dataset, BiEncoderConfig(), {}, 7, CPU, tmp_path, quiet)


def reranker_of(tiny):
    return cross_encoder_from(CrossEncoderConfig(max_tokens=48, max_query_tokens=16), tiny)


def passage_of(dataset):
    return lambda qid, cid: next(p.text for p in dataset.corpus.passages if p.cid == cid)


def test_training_queries_drawn_for_mining_are_those_the_training_draws(dataset):
    drawn = draw_training_queries(dataset.select("train"), 5, seed=3)
    assert len(drawn) == 5 and drawn == draw_training_queries(drawn, 5, seed=9)
    assert draw_training_queries(drawn, 0, seed=3) == drawn


def mined(dataset, count=3):
    cids = dataset.corpus.cids
    return {q.qid: [cids[(7 * n + int(q.qid[1:])) % 40] for n in range(1, count + 1)] for q in dataset.queries}


def test_a_cross_encoder_step_in_passes_has_the_loss_and_gradients_of_one_pair_at_a_time(tiny, dataset):
    model = reranker_of(tiny)
    other = copy.deepcopy(model)
    queries = dataset.select("train")
    plan = PairPlan(queries, [q.text for q in queries], mined(dataset), passage_of(dataset), 8, seed=1)
    task = CrossEncoderTask(model, plan, CrossEncoderConfig(training=FAST, positive_weight=2.0), CPU)
    batch = task.batches(0)[0]
    assert batch.labels[:5] == (1.0, 0.0, 0.0, 0.0, 1.0)
    logits = torch.cat([other([row]) for row in other.tokenize(batch.pairs)])
    loss = binary_cross_entropy(logits, torch.tensor(batch.labels), 2.0)
    loss.backward()
    assert task.backward(batch) == pytest.approx(loss.item(), abs=1e-6)
    assert torch.allclose(gradients(model), gradients(other), atol=1e-6)


def test_cross_encoder_training_lowers_the_loss_and_reports_validation(tiny, dataset, tmp_path):
    model = reranker_of(tiny)
    config = CrossEncoderConfig(training=FAST.model_copy(update={"epochs": 4, "patience_epochs": 0}))
    report = train_cross_encoder(model, dataset, config, mined(dataset), 3, CPU, tmp_path, quiet, passage_of(dataset))
    assert np.mean(report.losses[-3:]) < np.mean(report.losses[:3])
    assert 0 < report.best_score <= 1


def test_a_late_joined_cross_encoder_ends_with_the_same_weights_when_resumed(tiny, dataset, tmp_path, monkeypatch):
    frozen = FAST.model_copy(
        update={"epochs": 3, "freeze_embeddings": True, "freeze_layers": 2, "checkpoint_steps": 1, "patience_epochs": 0}
    )
    config = CrossEncoderConfig(separate_frozen_layers=True, max_tokens=48, max_query_tokens=16, training=frozen)
    rest = (dataset, config, mined(dataset), 3, CPU)
    start, broken, whole = (cross_encoder_from(config, tiny) for _ in range(3))
    train_cross_encoder(whole, *rest, tmp_path / "whole", quiet, passage_of(dataset))
    plain, calls = CrossEncoderTask.backward, []

    def interrupted(self, batch):
        calls.append(1)
        if len(calls) == 6:
            raise KeyboardInterrupt
        return plain(self, batch)

    monkeypatch.setattr(CrossEncoderTask, "backward", interrupted)
    with pytest.raises(KeyboardInterrupt):
        train_cross_encoder(broken, *rest, tmp_path / "broken", quiet, passage_of(dataset))
    train_cross_encoder(start, *rest, tmp_path / "broken", quiet, passage_of(dataset))
    assert all(torch.equal(a, b) for a, b in zip(whole.parameters(), start.parameters(), strict=True))
    pretrained = cross_encoder_from(config, tiny)
    pairs = zip(whole.named_parameters(), pretrained.parameters(), strict=True)
    assert {name.split(".layer.")[-1][0] for (name, a), b in pairs if not torch.equal(a, b)} == {"2", "h"}


def test_cross_encoder_training_takes_only_the_queries_asked_for(tiny, dataset, tmp_path):
    config = CrossEncoderConfig(training_queries=16, training=FAST.model_copy(update={"epochs": 1}))
    negatives = mined(dataset)
    report = train_cross_encoder(
        reranker_of(tiny), dataset, config, negatives, 3, CPU, tmp_path, quiet, passage_of(dataset)
    )
    assert report.steps == 2


def test_cross_encoder_training_without_negatives_says_what_to_widen(tiny, dataset, tmp_path):
    with pytest.raises(TrainingError, match="none of 28 training queries has mined negatives"):
        train_cross_encoder(
            reranker_of(tiny), dataset, CrossEncoderConfig(), {}, 3, CPU, tmp_path, quiet, passage_of(dataset)
        )


def test_natural_questions_come_first_in_validation(dataset):
    assert [query.qid for query in validation_queries(dataset, 1, 0)] == ["n0"]
    assert len(validation_queries(dataset, 99, 0)) == 7


def test_the_pool_holds_all_golds_and_is_filled_to_its_size(dataset):
    queries = validation_queries(dataset, 3, 0)
    pool = make_pool(dataset, queries, 12, 0)
    assert len(pool.cids) == 12
    assert {cid for query in queries for cid in query.cids} <= set(pool.cids)
    assert [dataset.corpus.passages[row].cid for row in pool.passages[pool.starts]] == list(pool.cids)
    assert len(make_pool(dataset, queries, 1, 0).cids) == len({cid for query in queries for cid in query.cids})


def test_pool_mrr_counts_the_best_passage_of_each_article(dataset):
    queries = [query for query in dataset.select("validation") if query.source == "title"][:2]
    pool = make_pool(dataset, queries, 5, 0)
    vectors = np.zeros((len(pool.passages), 2), np.float32)
    for column, query in enumerate(queries):
        vectors[pool.starts[pool.cids.index(query.cids[0])] + 1, column] = 1.0 - column * 0.5  # its second passage
    other = next(cid for cid in pool.cids if cid not in {q.cids[0] for q in queries})
    vectors[pool.starts[pool.cids.index(other)], 1] = 0.9
    assert pool.mrr_at_10(np.eye(2, dtype=np.float32), vectors) == pytest.approx((1 + 1 / 2) / 2)


def test_candidate_mrr_puts_golds_after_those_they_tie_with():
    queries = [Query("1", "one", ("g",)), Query("2", "two", ("h",)), Query("3", "three", ("h",))]
    candidates = candidates_of(queries, {"1": ["x", "y"], "2": ["x", "h"]})
    assert candidates == {"1": ["x", "y", "g"], "2": ["x", "h"]}
    assert candidates_mrr(queries[:2], candidates, [0.5, 0.1, 0.5, 0.2, 0.9]) == pytest.approx((1 / 2 + 1) / 2)
