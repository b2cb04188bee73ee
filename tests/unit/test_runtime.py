from __future__ import annotations

import pytest
import torch

from retrieval.config import CrossEncoderConfig, TrainingConfig
from retrieval.cores import usable_cores
from retrieval.errors import ConfigError
from retrieval.runtime import Runtime, choose_runtime, has_fast_bfloat16


@pytest.fixture(autouse=True)
def _threads_as_before():
    before = torch.get_num_threads()
    yield
    torch.set_num_threads(before)


@pytest.mark.parametrize(
    ("line", "expected"),
    [
        ("flags\t\t: fpu avx2 fma", False),
        ("flags\t\t: fpu avx512f avx512_bf16", True),
        ("flags\t\t: avx2 amx_bf16 amx_tile", True),
        ("Features\t: fp asimd bf16 i8mm", True),
        ("model name\t: amx_bf16", False),
    ],
)
def test_bfloat16_is_fast_only_where_the_flags_say_so(tmp_path, line, expected):
    path = tmp_path / "cpuinfo"
    path.write_text(f"processor\t: 0\n{line}\n")
    assert has_fast_bfloat16(path) is expected


def test_a_system_without_cpuinfo_takes_float32(tmp_path):
    assert has_fast_bfloat16(tmp_path / "none") is False


def test_forced_precision_and_threads_are_taken():
    runtime = choose_runtime("bfloat16", threads=1)
    assert (runtime.precision, runtime.threads, torch.get_num_threads()) == (torch.bfloat16, 1, 1)
    assert runtime.autocast
    assert not choose_runtime("float32", threads=1).autocast


def test_no_thread_count_means_one_a_usable_core():
    assert choose_runtime().threads == usable_cores()


def test_wrong_precision_and_threads_are_named():
    with pytest.raises(ConfigError, match="got 'float16'; use one of auto, float32, bfloat16"):
        choose_runtime("float16")
    with pytest.raises(ConfigError, match="threads: got -1"):
        choose_runtime(threads=-1)


@pytest.mark.parametrize(
    ("precision", "usual", "fast", "expected"),
    [("bfloat16", 2, 5, 5), ("float32", 2, 5, 2), ("bfloat16", 2, 0, 2), ("bfloat16", 0, 5, 5)],
)
def test_more_work_is_done_where_the_arithmetic_is_bfloat16(precision, usual, fast, expected):
    runtime = Runtime(torch.device("cpu"), getattr(torch, precision), 1)
    assert runtime.sized(usual, fast) == expected


def test_fast_keys_take_the_place_of_the_usual_ones_where_the_arithmetic_is_bfloat16():
    training = TrainingConfig(epochs=1, fast_epochs=3, freeze_layers=4, fast_freeze_layers=2)
    config = CrossEncoderConfig(training_queries=5, fast_training_queries=9, training=training)
    slow, fast = (Runtime(torch.device("cpu"), kind, 1).fitted(config) for kind in (torch.float32, torch.bfloat16))
    assert (slow.training_queries, slow.training.epochs, slow.training.freeze_layers) == (5, 1, 4)
    assert (fast.training_queries, fast.training.epochs, fast.training.freeze_layers) == (9, 3, 2)
    assert Runtime(torch.device("cpu"), torch.bfloat16, 1).fitted(fast) == fast  # twice is once
