"""The decorator of every cached step: a step whose cache also covers the project code it reaches."""

from __future__ import annotations

from collections.abc import Callable

from zenml import step
from zenml.steps import BaseStep

from materializers.registration import register_materializers
from retrieval.fingerprints import code_fingerprint
from steps.log_summary import told

CODE_VARIABLE = "LEGAL_RETRIEVAL_CODE"


def library_step(function: Callable[..., object]) -> BaseStep:
    """Make a ZenML step that runs anew when any project function it can reach has changed.

    ZenML's cache key covers a step's own source, its parameters, inputs and environment variables. The fingerprint of
    the code below the step is handed over as one of those variables. What the step did is told in its log.
    Materializers are registered here, because ZenML chooses those of a step's outputs when it compiles the step.
    """
    register_materializers()
    return step(environment={CODE_VARIABLE: code_fingerprint(function)})(told(function))
