"""Which token vectors stay on the disk: what a kept retriever or a bundle needs outlives other trainings."""

import os
import shutil
import time
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest
import torch

from retrieval.models.bi_encoder import BiEncoder
from retrieval.runtime import Runtime
from retrieval.search import embedding, state_files
from retrieval.search.embedding import corpus_states, kept_corpus_states
from retrieval.search.state_files import make_room, needed_files, note_use
from retrieval.search.state_paths import states_file
from tests.helpers.tiny_bundle import tiny_bundle, tiny_corpus, tiny_encoder

RUNTIME = Runtime(torch.device("cpu"), torch.float32, 1)


def nothing():
    return set()


def written(folder, name, size, seconds_ago):
    path = folder / name
    path.write_bytes(b"x" * size)
    os.utime(path, (time.time() - seconds_ago,) * 2)
    return path


def names(folder):
    return sorted(path.name for path in folder.glob("*.npy"))


def test_nothing_goes_while_all_fits(tmp_path):
    for number in range(3):
        new = written(tmp_path, f"{number}.npy", 100, 10 - number)
    make_room(new, lambda: pytest.fail("nobody needs to be asked"), most_bytes=300)
    assert names(tmp_path) == ["0.npy", "1.npy", "2.npy"]


def test_those_not_used_for_longest_go_first_and_the_new_one_stays_however_large(tmp_path):
    for number in range(4):
        new = written(tmp_path, f"{number}.npy", 100, 10 - number)
    make_room(new, nothing, most_bytes=250)
    assert names(tmp_path) == ["2.npy", "3.npy"]
    make_room(new, nothing, most_bytes=10)
    assert names(tmp_path) == ["3.npy"]


def test_what_is_needed_stays_whatever_its_age_and_takes_its_share_of_the_room(tmp_path):
    written(tmp_path, "needed.npy", 100, 1000)
    written(tmp_path, "older.npy", 100, 20)
    new = written(tmp_path, "new.npy", 100, 0)
    make_room(new, lambda: {"needed.npy"}, most_bytes=250)
    assert names(tmp_path) == ["needed.npy", "new.npy"]
    make_room(new, lambda: {"needed.npy"}, most_bytes=10)
    assert names(tmp_path) == ["needed.npy", "new.npy"]


def test_what_a_killed_process_left_half_written_goes_after_a_day_and_not_before(tmp_path):
    written(tmp_path, ".a.npy.x1", 10, 2 * 86_400)
    written(tmp_path, ".b.npy.x2", 10, 60)
    make_room(written(tmp_path, "new.npy", 10, 0), nothing)
    assert sorted(path.name for path in tmp_path.glob(".*.npy.*")) == [".b.npy.x2"]


def test_a_noted_use_holds_as_long_as_its_folder_is_there_with_the_same_content(tmp_path):
    states, user = tmp_path / "states", tmp_path / "bundle"
    states.mkdir()
    user.mkdir()
    (user / "manifest.json").write_text("{}")
    for name in ("a.npy", "b.npy"):
        note_use(states / name, user)
    assert needed_files(states, tmp_path / "no-models") == {"a.npy", "b.npy"}
    (user / "manifest.json").write_text("{ }")  # another bundle took its place
    assert needed_files(states, tmp_path / "no-models") == set()
    note_use(states / "c.npy", user)
    assert needed_files(states, tmp_path / "no-models") == {"c.npy"}
    shutil.rmtree(user)
    assert needed_files(states, tmp_path / "no-models") == set()


def test_a_record_of_uses_that_is_damaged_is_written_anew(tmp_path):
    (tmp_path / "manifest.json").write_text("{}")
    for text in ("", "[1]", '{"a": 1}', '{"a": {"files": 3}}', "\x00"):
        (tmp_path / ".uses.json").write_text(text)
        note_use(tmp_path / "a.npy", tmp_path)
        assert needed_files(tmp_path, tmp_path / "no-models") == {"a.npy"}


@pytest.fixture
def project(tmp_path, monkeypatch):
    """A folder with a kept retriever as training leaves it, and what its lower layers gave of its law."""
    monkeypatch.chdir(tmp_path)
    made = tiny_bundle(tmp_path / "made")
    kept = shutil.copytree(made.folder.parent / "retriever", tmp_path / "models/legal-retriever/any/1")
    model = made.cross_encoder()
    reader = BiEncoder(model.backbone, model.tokenizer, model.settings)
    states = tmp_path / ".cache/hidden-states"
    corpus_states(reader, made.corpus(), 2, RUNTIME, states)
    return kept, states, reader


def another_training(states, folder, seed):
    """Token vectors of other weights, as a run with another configuration makes them."""
    encoder = tiny_encoder(folder / f"other-{seed}")
    with torch.no_grad():
        next(encoder.backbone.parameters()).add_(0.01 * (seed + 1))
    corpus_states(encoder, tiny_corpus(), 2, RUNTIME, states)
    return states_file(encoder, tiny_corpus(), 2, RUNTIME, states)


def test_trainings_of_other_configurations_leave_what_a_kept_retriever_needs(project, tmp_path, monkeypatch):
    kept, states, reader = project
    (needed,) = states.glob("*.npy")
    monkeypatch.setattr(state_files.make_room, "__defaults__", (needed.stat().st_size + 10,))
    others = [another_training(states, tmp_path, seed) for seed in range(3)]
    assert names(states) == sorted([needed.name, others[-1].name])
    assert kept_corpus_states(reader, tiny_corpus(), 2, RUNTIME, states) is not None
    shutil.rmtree(kept)  # nobody serves it any more
    last = another_training(states, tmp_path, 4)
    assert names(states) == [last.name]


def test_a_kept_retriever_needs_its_vectors_in_each_precision(project):
    _, states, reader = project
    half = Runtime(torch.device("cpu"), torch.bfloat16, 1)
    expected = {states_file(reader, tiny_corpus(), 2, runtime, states).name for runtime in (RUNTIME, half)}
    assert needed_files(states) == expected


def test_a_kept_retriever_is_looked_into_once(project, monkeypatch):
    _, states, _ = project
    found = needed_files(states)
    monkeypatch.setattr(state_files, "_names_of", lambda *_: pytest.fail("looked into again"))
    assert needed_files(states) == found


def test_a_kept_retriever_that_is_damaged_keeps_nothing_and_breaks_nothing(project, caplog):
    kept, states, _ = project
    (kept / "cross-encoder/model.safetensors").unlink()
    assert needed_files(states) == set()
    assert "cross-encoder" in caplog.text


def test_many_at_once_lose_nothing_that_is_needed_and_read_only_whole_files(project, tmp_path, monkeypatch):
    _, states, _ = project
    (needed,) = states.glob("*.npy")
    monkeypatch.setattr(state_files.make_room, "__defaults__", (2 * needed.stat().st_size,))
    encoders = [tiny_encoder(tmp_path / f"at-once-{seed}") for seed in range(4)]
    for seed, encoder in enumerate(encoders):
        with torch.no_grad():
            next(encoder.backbone.parameters()).add_(0.1 * (seed + 1))

    def make(encoder):
        return [corpus_states(encoder, tiny_corpus(), 2, RUNTIME, states).vectors.copy() for _ in range(3)]

    with ThreadPoolExecutor(4) as pool:
        for runs in pool.map(make, encoders):
            assert all(np.allclose(runs[0], other, atol=1e-2) for other in runs)
    assert needed.name in names(states)
    assert list(states.glob(".*.npy.*")) == []


def test_using_a_file_makes_it_younger(project):
    _, states, reader = project
    (file,) = states.glob("*.npy")
    os.utime(file, (1.0, 1.0))
    assert embedding.kept_corpus_states(reader, tiny_corpus(), 2, RUNTIME, states) is not None
    assert file.stat().st_mtime > 1.0
