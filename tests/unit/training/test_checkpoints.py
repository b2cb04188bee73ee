"""Checkpoints: whole or absent, the newest good one wins, nothing piles up."""

from __future__ import annotations

import pytest
import torch

from retrieval.errors import ArtifactError, TrainingError
from retrieval.training.checkpoints import (
    Progress,
    load_best,
    load_checkpoint,
    load_weights,
    save_best,
    save_checkpoint,
)


def trained(toy, steps):
    model = toy.ToyModel()
    optimizer = torch.optim.AdamW(model.parameters(), lr=0.1, fused=True)
    for _ in range(steps):
        model(torch.randn(2, 4)).sum().backward()
        optimizer.step()
        optimizer.zero_grad()
    return model, optimizer


def test_model_optimiser_random_state_and_progress_come_back_exactly(toy, tmp_path):
    model, optimizer = trained(toy, 3)
    progress = Progress(epoch=1, position=2, step=3, losses=[0.1, 1 / 3, 2e-17], best_score=0.125, best_epoch=1)
    save_checkpoint(tmp_path, "same", progress, model, optimizer)
    expected = torch.randn(3)
    other, other_optimizer = trained(toy, 0)
    assert load_checkpoint(tmp_path, "same", other, other_optimizer) == progress
    assert torch.equal(torch.randn(3), expected)
    for mine, theirs in zip(model.parameters(), other.parameters(), strict=True):
        assert torch.equal(mine, theirs)
        for key, value in optimizer.state[mine].items():
            assert torch.equal(value, other_optimizer.state[theirs][key])


def test_a_damaged_newest_checkpoint_gives_way_to_the_one_before(toy, tmp_path):
    model, optimizer = trained(toy, 1)
    save_checkpoint(tmp_path / "a", "same", Progress(step=1), model, optimizer)
    save_checkpoint(tmp_path / "b", "same", Progress(step=2), model, optimizer)
    (tmp_path / "b" / "step-00000002").rename(tmp_path / "a" / "step-00000002")
    weights = tmp_path / "a" / "step-00000002" / "weights.safetensors"
    weights.write_bytes(weights.read_bytes()[:-8])
    assert load_checkpoint(tmp_path / "a", "same", model, optimizer).step == 1


def test_another_identity_or_an_empty_folder_resumes_nothing(toy, tmp_path):
    model, optimizer = trained(toy, 1)
    assert load_checkpoint(tmp_path / "absent", "same", model, optimizer) is None
    save_checkpoint(tmp_path, "same", Progress(step=1), model, optimizer)
    assert load_checkpoint(tmp_path, "other", model, optimizer) is None


def test_a_new_checkpoint_drops_older_ones_worse_bests_and_what_a_kill_left(toy, tmp_path):
    model, optimizer = trained(toy, 1)
    for epoch in (1, 2):
        save_best(tmp_path, epoch, model)
    (tmp_path / ".step-00000001.abc").mkdir()
    (tmp_path / "notes").mkdir()
    for step in (1, 2):
        save_checkpoint(tmp_path, "same", Progress(step=step, best_epoch=2), model, optimizer)
    assert {path.name for path in tmp_path.iterdir()} == {"step-00000002", "best-0002", "notes"}


def test_a_failed_write_leaves_the_older_checkpoint(toy, tmp_path, monkeypatch):
    model, optimizer = trained(toy, 1)
    save_checkpoint(tmp_path, "same", Progress(step=1), model, optimizer)

    def full_disk(*_):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("retrieval.training.checkpoints.save_file", full_disk)
    with pytest.raises(OSError, match="No space left"):
        save_checkpoint(tmp_path, "same", Progress(step=2), model, optimizer)
    assert [path.name for path in tmp_path.iterdir()] == ["step-00000001"]
    assert load_checkpoint(tmp_path, "same", model, optimizer).step == 1


def test_best_weights_of_another_model_or_damaged_ones_are_refused(toy, tmp_path):
    model, _ = trained(toy, 1)
    save_best(tmp_path, 1, model)
    model.head.weight.requires_grad_(False)
    with pytest.raises(TrainingError, match=r"holds other weights than this model learns \(head.weight\)"):
        load_weights(tmp_path / "best-0001", model)
    (tmp_path / "best-0001" / "weights.safetensors").unlink()
    with pytest.raises(ArtifactError, match="missing"):
        load_best(tmp_path, 1, model)
