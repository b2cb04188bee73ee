from __future__ import annotations

import pytest
import torch

from retrieval.cores import usable_cores
from retrieval.errors import ConfigError
from retrieval.runtime import choose_runtime, computes_fast_in_bfloat16, has_fast_bfloat16


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
    ("gpu", "gpu_can", "processor_can", "expected"),
    [(True, True, False, True), (True, False, True, False), (False, True, True, True), (False, True, False, False)],
)
def test_auto_takes_bfloat16_where_the_device_that_computes_has_it(monkeypatch, gpu, gpu_can, processor_can, expected):
    monkeypatch.setattr(torch.cuda, "is_available", lambda: gpu)
    monkeypatch.setattr(torch.cuda, "is_bf16_supported", lambda: gpu_can)
    monkeypatch.setattr("retrieval.runtime.has_fast_bfloat16", lambda: processor_can)

    assert computes_fast_in_bfloat16() is expected
    assert choose_runtime(threads=1).precision == (torch.bfloat16 if expected else torch.float32)
