"""What the computer offers: device, precision and thread count, chosen once and handed around."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from pathlib import Path

import torch

from retrieval.cores import usable_cores
from retrieval.errors import ConfigError

_BF16_FLAGS = frozenset({"amx_bf16", "avx512_bf16", "bf16"})


@dataclass(frozen=True)
class Runtime:
    """Where and how models compute.

    Attributes:
        device: ``cpu`` or ``cuda``.
        precision: ``torch.float32`` or ``torch.bfloat16``; of the arithmetic, weights in training stay float32.
        threads: Compute threads on the CPU, at least 1.
    """

    device: torch.device
    precision: torch.dtype
    threads: int

    @property
    def autocast(self) -> bool:
        """Whether a plain forward runs under autocast."""
        return self.precision != torch.float32


def choose_runtime(precision: str = "auto", threads: int = 0) -> Runtime:
    """Pick device, precision and threads, and set torch's thread count.

    Args:
        precision: ``auto`` takes bfloat16 where the processor multiplies in it (it is emulated, and several times
            slower than float32, elsewhere); ``float32`` or ``bfloat16`` force one.
        threads: Compute threads; 0 takes one for each core this process may use.

    Raises:
        ConfigError: If ``precision`` or ``threads`` is none of these.

    Example:
        >>> choose_runtime("float32").precision
        torch.float32
    """
    if threads < 0:
        raise ConfigError(f"threads: got {threads}; give the number of compute threads, or 0 for one a core")
    device = _device()
    table = {
        "auto": torch.bfloat16 if computes_fast_in_bfloat16() else torch.float32,
        "float32": torch.float32,
        "bfloat16": torch.bfloat16,
    }
    if precision not in table:
        raise ConfigError(f"precision: got {precision!r}; use one of {', '.join(table)}")
    count = threads or usable_cores()
    torch.set_num_threads(count)
    return Runtime(device, table[precision], count)


def computes_fast_in_bfloat16() -> bool:
    """Whether bfloat16 is the faster arithmetic on the device that models compute on: the GPU if any, else the CPU."""
    return torch.cuda.is_bf16_supported() if _device().type == "cuda" else has_fast_bfloat16()


def _device() -> torch.device:
    return torch.device("cuda" if torch.cuda.is_available() else "cpu")


@cache
def has_fast_bfloat16(cpuinfo: Path = Path("/proc/cpuinfo")) -> bool:
    """Whether the CPU multiplies bfloat16 in hardware (AMX or AVX-512 BF16; BF16 on ARM)."""
    try:
        lines = cpuinfo.read_text(encoding="utf-8", errors="replace").splitlines()
    except OSError:
        return False
    flags = next((line for line in lines if line.lower().startswith(("flags", "features"))), "")
    return bool(_BF16_FLAGS & set(flags.partition(":")[2].split()))
