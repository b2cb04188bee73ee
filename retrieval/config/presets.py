"""Which of the shipped configurations is taken where none is named: the one sized for this machine's arithmetic."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from retrieval.config.file import load_config
from retrieval.config.schema import Config

FLOAT32 = Path("configs/quickstart.yaml")
BFLOAT16 = Path("configs/quickstart-bf16.yaml")


@dataclass(frozen=True)
class Preset:
    """A shipped configuration.

    Attributes:
        path: From the project's folder.
        reason: Why it was taken, one clause.
    """

    path: Path
    reason: str

    def __str__(self) -> str:
        return f"{self.path}, as {self.reason}; --config FILE takes another"


def load_preset(overrides: Sequence[str] = (), base: Path | None = None) -> tuple[Config, Preset]:
    """The configuration where none is named; relative paths start from the project's folder.

    Args:
        overrides: ``key.path=value`` items, as `load_config` takes them; ``precision=`` decides in place of the probe.
        base: The same.

    Raises:
        ConfigError: If an override is wrong.
    """
    usual = load_config(FLOAT32, overrides, base)
    preset = choose_preset(usual.precision)
    return (usual if preset.path == FLOAT32 else load_config(preset.path, overrides, base)), preset


def choose_preset(precision: str) -> Preset:
    """The preset for an arithmetic.

    Args:
        precision: ``float32`` or ``bfloat16``; ``auto`` asks the machine.
    """
    if precision != "auto":
        return Preset(BFLOAT16 if precision == "bfloat16" else FLOAT32, f"precision is set to {precision}")
    from retrieval.runtime import computes_fast_in_bfloat16  # torch, whose import takes seconds

    if computes_fast_in_bfloat16():
        return Preset(BFLOAT16, "this machine multiplies in bfloat16")
    return Preset(FLOAT32, "this machine has no bfloat16 arithmetic of its own")
