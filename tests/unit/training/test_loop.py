"""The loop: schedule, best epoch, early stop, freezing, and resuming bit for bit after a kill."""

from __future__ import annotations

import math
import os
import signal
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file

from retrieval.config.schema import TrainingConfig
from retrieval.errors import TrainingError
from retrieval.runtime import Runtime
from retrieval.training.loop import fit, forward_passes, make_optimizer, rate_at

CPU = Runtime(torch.device("cpu"), torch.float32, 1)
ROOT = Path(__file__).parents[3]


def quiet(*_):
    pass


def run(toy, folder, task=None, config=None, validate=None, seed=3, log=quiet):
    task = task or toy.ToyTask(toy.ToyModel())
    return task, fit(task, config or toy.CONFIG, seed, toy.RUNTIME, folder, validate, log)


def weights(model):
    return torch.cat([parameter.detach().flatten() for parameter in model.parameters()])


def killed(folder, step):
    script = str(Path(__file__).with_name("toy_training.py"))
    command = [sys.executable, script, str(folder), "--kill-at", str(step)]
    return subprocess.run(command, env={**os.environ, "PYTHONPATH": str(ROOT)}, capture_output=True, check=False)


def test_training_killed_in_the_middle_and_started_again_ends_with_the_same_bits(toy, tmp_path):
    whole, broken = toy.ToyTask(toy.ToyModel()), toy.ToyTask(toy.ToyModel())
    run(toy, tmp_path / "whole", whole, validate=toy.scores_by_weight(whole.model))
    for step in (4, 11):  # the first dies in epoch 1 after a checkpoint; the next resumes that and dies in epoch 2
        assert killed(tmp_path / "broken", step).returncode == -signal.SIGKILL
    run(toy, tmp_path / "broken", broken, validate=toy.scores_by_weight(broken.model))
    assert 0 < len(broken.seen) <= 24 - (3 + 9)
    assert torch.equal(weights(broken.model), weights(whole.model))


def test_every_step_tells_those_who_keep_a_copy_that_the_weights_changed(toy, tmp_path):
    task, versions = toy.ToyTask(toy.ToyModel()), []

    def validate():
        versions.append([parameter._version for parameter in task.model.parameters()])
        return 0.5

    run(toy, tmp_path, task, validate=validate)
    assert all(before < after for before, after in zip(versions[0], versions[1], strict=True))


@pytest.mark.parametrize("fail_at", [1, 3, 8, 10, 23])
def test_an_interrupt_at_any_step_leaves_a_run_that_resumes_to_the_same_report(toy, tmp_path, fail_at):
    whole_task = toy.ToyTask(toy.ToyModel())
    _, whole = run(toy, tmp_path / "whole", whole_task, validate=toy.scores_by_weight(whole_task.model))
    broken = toy.ToyTask(toy.ToyModel(), fail_at=fail_at)
    with pytest.raises(KeyboardInterrupt):
        run(toy, tmp_path / "broken", broken, validate=toy.scores_by_weight(broken.model))
    again = toy.ToyTask(toy.ToyModel())
    _, report = run(toy, tmp_path / "broken", again, validate=toy.scores_by_weight(again.model))
    assert torch.equal(weights(again.model), weights(whole_task.model))
    assert report.losses == whole.losses
    assert [(r.epoch, r.loss, r.score) for r in report.history] == [(r.epoch, r.loss, r.score) for r in whole.history]
    assert len(again.seen) == 24 - fail_at // 3 * 3 if fail_at < 8 else len(again.seen) < 24


def test_a_finished_training_started_again_takes_no_step_and_has_the_same_weights(toy, tmp_path):
    first, report = run(toy, tmp_path, validate=lambda: 0.5)
    second, again = run(toy, tmp_path, validate=lambda: 0.5)
    assert second.seen == []
    assert torch.equal(weights(first.model), weights(second.model))
    assert again == report


def test_another_seed_data_or_starting_weights_do_not_resume(toy, tmp_path):
    run(toy, tmp_path)
    assert len(run(toy, tmp_path, seed=4)[0].seen) == 24
    assert len(run(toy, tmp_path, toy.ToyTask(toy.ToyModel(), fingerprint="other"))[0].seen) == 24
    assert len(run(toy, tmp_path, toy.ToyTask(toy.ToyModel(seed=2)))[0].seen) == 24


def test_the_model_ends_with_the_weights_of_its_best_epoch(toy, tmp_path):
    task, after = toy.ToyTask(toy.ToyModel()), []
    scores = iter([0.3, 0.9, 0.5])

    def validate():
        assert not task.model.training
        after.append(weights(task.model).clone())
        return next(scores)

    _, report = run(toy, tmp_path, task, validate=validate)
    assert (report.best_epoch, report.best_score, report.steps) == (2, 0.9, 24)
    assert torch.equal(weights(task.model), after[1])
    assert not torch.equal(after[1], after[2])


def test_training_stops_when_patience_epochs_bring_nothing_better(toy, tmp_path):
    config = toy.CONFIG.model_copy(update={"epochs": 9, "patience_epochs": 2})
    scores = iter([0.5, 0.6, 0.1, 0.2, 0.9])
    _, report = run(toy, tmp_path, config=config, validate=lambda: next(scores))
    assert [result.score for result in report.history] == [0.5, 0.6, 0.1, 0.2]
    assert report.best_epoch == 2


def test_max_steps_ends_training_and_validates_once_more(toy, tmp_path):
    config = toy.CONFIG.model_copy(update={"max_steps": 11})
    task, report = run(toy, tmp_path, config=config, validate=lambda: 0.5)
    assert report.steps == len(task.seen) == 11
    assert [result.epoch for result in report.history] == [1, 2]
    assert report.history[1].loss == pytest.approx(sum(report.losses[8:]) / 3)


def test_without_validation_the_last_weights_stay(toy, tmp_path):
    _, report = run(toy, tmp_path)
    assert report.best_epoch == 3
    assert math.isnan(report.best_score)


def test_the_loss_falls(toy, tmp_path):
    _, report = run(toy, tmp_path, config=toy.CONFIG.model_copy(update={"epochs": 12}))
    assert sum(report.losses[-8:]) < 0.7 * sum(report.losses[:8])


def test_metrics_are_logged_with_their_step(toy, tmp_path):
    logged = {}
    run(
        toy,
        tmp_path,
        validate=lambda: 0.25,
        log=lambda name, value, step: logged.setdefault(name, {}).update({step: value}),
    )
    assert {"train_loss", "learning_rate", "gradient_norm", "steps_per_second", "epoch_loss"} <= logged.keys()
    assert logged["validation_mrr_at_10"] == {8: 0.25, 16: 0.25, 24: 0.25}
    assert logged["learning_rate"][24] == pytest.approx(rate_at(23, 24, toy.CONFIG))


def test_frozen_modules_keep_their_bits_and_have_no_optimiser_state_on_disk(toy, tmp_path):
    config = toy.CONFIG.model_copy(update={"freeze_embeddings": True, "freeze_layers": 2, "max_steps": 4})
    before = toy.ToyModel().state_dict()
    task = toy.ToyTask(toy.ToyModel(), fail_at=3)
    with pytest.raises(KeyboardInterrupt):
        run(toy, tmp_path, task, config)
    learns = {"backbone.encoder.layer.2.weight", "backbone.encoder.layer.2.bias", "head.weight", "head.bias"}
    saved = load_file(tmp_path / "step-00000003" / "weights.safetensors")
    moments = load_file(tmp_path / "step-00000003" / "optimizer.safetensors")
    assert saved.keys() == learns
    assert {name.rpartition(".")[0] for name in moments} == learns
    for name, value in task.model.state_dict().items():
        assert torch.equal(value, before[name]) == (name not in learns)
    assert all(parameter.requires_grad for parameter in task.model.parameters())


def test_passes_are_small_on_a_processor_and_padded_ones_within_the_budget_elsewhere():
    lengths = [12] * 300 + [256] * 4
    config = TrainingConfig(token_budget=4096)
    for precision, most in ((torch.float32, 1024), (torch.bfloat16, 2048)):
        passes = forward_passes(lengths, config, replace(CPU, precision=precision))
        sizes = [sum(lengths[row] for row in one) for one in passes]
        assert most / 2 < max(sizes) <= most
    small = forward_passes(lengths, TrainingConfig(token_budget=300), CPU)
    assert max(sum(lengths[row] for row in one) for one in small) <= 300
    device = forward_passes(lengths, config, replace(CPU, device=torch.device("cuda")))
    assert 2048 < max(len(one) * max(lengths[row] for row in one) for one in device) <= 4096


def test_training_leaves_the_callers_random_numbers_alone(toy, tmp_path):
    before = torch.get_rng_state()
    run(toy, tmp_path)
    assert torch.equal(torch.get_rng_state(), before)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"freeze_layers": 4}, "freeze_layers is 4 but Module has 3 layers"),
        ({"learning_rate": 1e30}, r"step \d+ of 24: loss .*lower training.learning_rate"),
    ],
)
def test_a_training_that_cannot_work_says_why(toy, tmp_path, change, message):
    with pytest.raises(TrainingError, match=message):
        run(toy, tmp_path, config=toy.CONFIG.model_copy(update=change))


def test_a_model_without_embeddings_asks_to_unset_freezing(toy, tmp_path):
    task = toy.ToyTask(toy.ToyModel())
    del task.model.backbone.embeddings
    with pytest.raises(TrainingError, match="no module named embeddings"):
        run(toy, tmp_path, task, toy.CONFIG.model_copy(update={"freeze_embeddings": True}))


def test_no_batches_is_an_error(toy, tmp_path):
    with pytest.raises(TrainingError, match="no training batches"):
        run(toy, tmp_path, toy.ToyTask(toy.ToyModel(), steps=0))


def test_rate_warms_up_and_decays_linearly():
    config = TrainingConfig(learning_rate=1.0, warmup_share=0.2)
    rates = [rate_at(step, 10, config) for step in range(10)]
    assert rates == pytest.approx([0.5, 1.0, 1.0, 0.875, 0.75, 0.625, 0.5, 0.375, 0.25, 0.125])
    assert rate_at(0, 1, config) == 1.0


def test_only_matrices_decay(toy):
    optimizer = make_optimizer(toy.ToyModel(), TrainingConfig(weight_decay=0.3))
    decays = {group["weight_decay"]: {p.ndim for p in group["params"]} for group in optimizer.param_groups}
    assert decays == {0.3: {2}, 0.0: {1}}
