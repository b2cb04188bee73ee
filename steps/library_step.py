"""Decorators of steps: cached ones, whose cache also covers the code they reach, and ones that always run."""

from __future__ import annotations

from collections.abc import Callable

from zenml import step
from zenml.steps import BaseStep

from materializers.registration import register_materializers
from retrieval.fingerprints import code_fingerprint
from steps.log_summary import log_summary

CODE_VARIABLE = "LEGAL_RETRIEVAL_CODE"


def library_step(function: Callable[..., object]) -> BaseStep:
    """Make a ZenML step that runs anew when any project function it can reach has changed.

    ZenML's cache key covers a step's own source, its parameters, inputs and environment variables. The fingerprint of
    the code below the step is handed over as one of those variables. What the step did is told in its log.
    Materializers are registered here, because ZenML chooses those of a step's outputs when it compiles the step.
    """
    register_materializers()
    return step(environment={CODE_VARIABLE: code_fingerprint(function)})(log_summary(function))


def fresh_step(function: Callable[..., object]) -> BaseStep:
    """Make a ZenML step that runs every time: for what reads or leaves something that no artifact shows.

    What is in production changes between two runs, and a folder on this disk may have been deleted.
    """
    register_materializers()
    return step(enable_cache=False)(log_summary(function))
