"""Hooks that tell the active stack's alerter how a run began and what became of it.

The alerter of any flavor takes plain text whose first line is the heading; where the stack has none, nothing is said.
"""

from __future__ import annotations

from uuid import UUID

from zenml import get_step_context
from zenml.client import Client
from zenml.enums import ExecutionStatus, HookType
from zenml.exceptions import RunInterruptedException
from zenml.models import PipelineRunResponse
from zenml.steps.step_context import StepContext
from zenml.utils.time_utils import utc_now

from registry.reconcile import production_name
from registry.version_report import linked_artifacts, outcome
from registry.versions import RETRIEVER, find_version

_LONGEST_ERROR = 1500
"""Characters of an error that are posted."""


def announce_start() -> None:
    """On the start of a step: say that the run has begun, if this is the first step of it that is not cached."""
    context = get_step_context()
    steps = Client().list_run_steps(pipeline_run_id=context.pipeline_run.id, sort_by="asc:created", size=1000).items
    executed = [step.id for step in steps if step.status != ExecutionStatus.CACHED]
    if executed[:1] == [context.step_run.id]:
        _post([f"{context.pipeline.name} started", *_identity(context.pipeline_run)])


def announce_training() -> None:
    """On the success of the last step of a training: say how long it took, and all about the version it made."""
    context = get_step_context()
    _announce_version(context, "finished", str(context.inputs["versions"][0].load()[RETRIEVER]))


def announce_promotion() -> None:
    """On the success of a promotion: say what was decided."""
    context = get_step_context()
    passed = context.inputs["decision"][0].load().passed
    _announce_version(context, "passed" if passed else "refused", _parameter(context, "version"))


def announce_rollback() -> None:
    """On the success of a rollback's step: say what is in production again, or that it stayed as it was."""
    context = get_step_context()
    production, previous = _parameter(context, "production"), _parameter(context, "previous")
    # The hook runs before the step's decision is stored; what it did is seen by what is in production now.
    became = f"from version {production}" if production_name() == previous else f"refused, {production} stays"
    _announce_version(context, became, previous)


def announce_failure(exception: BaseException) -> None:
    """On the failure of a step: say which, and why.

    Args:
        exception: What the step raised.
    """
    context = get_step_context()
    _post(_failure(context.pipeline.name, context.pipeline_run, exception, f" in step {context.step_run.name}"))


def announce_unseen_failure(run_id: UUID, exception: BaseException) -> None:
    """Say that a run failed where no step's hook could: while an artifact was saved or loaded.

    Args:
        run_id: Of the run.
        exception: What ended it.
    """
    run = Client().get_pipeline_run(run_id)
    seen = Client().list_hook_invocations(pipeline_run_id=run.id, hook_type=HookType.STEP_FAILURE.value, size=1)
    if not seen.items:
        _post(_failure(run.pipeline.name if run.pipeline else "pipeline", run, exception, ""))


def duration_text(seconds: float) -> str:
    """A duration for people: ``1 h 2 min``, ``25 min 12 s`` or ``8 s``."""
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    if hours:
        return f"{hours} h {minutes} min"
    return f"{minutes} min {rest} s" if minutes else f"{rest} s"


def _announce_version(context: StepContext, became: str, name: str) -> None:
    version = find_version(name)
    heading = f"{context.pipeline.name} {became}: {RETRIEVER} {name} ({version.stage or 'not staged'})"
    took = f"took {_duration(context.pipeline_run)}"
    _post([heading, took, *_identity(context.pipeline_run), "", *outcome(version, linked_artifacts(version))])


def _failure(pipeline: str, run: PipelineRunResponse, exception: BaseException, where: str) -> list[str]:
    interrupted = isinstance(exception, KeyboardInterrupt | RunInterruptedException)
    became = "was interrupted" if interrupted else "failed"
    text = f"{type(exception).__name__}: {exception}"
    shown = text if len(text) <= _LONGEST_ERROR else text[:_LONGEST_ERROR] + " …"
    heading = f"{pipeline} {became}{where} after {_duration(run)}"
    return [heading, *([] if interrupted else [shown]), *_identity(run)]


def _identity(run: PipelineRunResponse) -> list[str]:
    stack = f"stack {run.stack.name}" if run.stack else ""
    return [line for line in (f"run {run.name}", f"id {run.id}", stack) if line]


def _duration(run: PipelineRunResponse) -> str:
    return duration_text((utc_now() - run.start_time).total_seconds() if run.start_time else 0.0)


def _parameter(context: StepContext, name: str) -> str:
    return str(context.step_run.config.parameters[name])


def _post(lines: list[str]) -> None:
    alerter = Client().active_stack.alerter
    if alerter is not None:
        alerter.post("\n".join(lines))
