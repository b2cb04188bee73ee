"""What an Airflow task runs: one step of a pipeline, in the folder its code was frozen into."""

from __future__ import annotations

from pathlib import Path

from zenml.client import Client
from zenml.config.step_configurations import Step
from zenml.entrypoints import StepEntrypointConfiguration
from zenml.execution.step.utils import launch_step
from zenml.models import PipelineSnapshotResponse
from zenml.utils import source_utils

from retrieval.errors import ConfigError
from stacks.choice import use_for_this_process


class AirflowStep(StepEntrypointConfiguration):
    """ZenML's entry to a step, for a task that has a working directory of its own and whose retries Airflow counts."""

    def prepare_code_environment(self) -> None:
        """Take code from the working directory, and the stack that the pipeline was exported on.

        ZenML would unpack code into /app, where parallel tasks collide.

        Raises:
            ConfigError: If that stack was deleted.
        """
        source_utils.set_custom_source_root(str(Path.cwd()))
        stack = self.snapshot.stack
        if stack is None:
            raise ConfigError("the stack this pipeline was exported on is gone; export the pipeline again")
        use_for_this_process(stack)

    def _run_step(self, step: Step, snapshot: PipelineSnapshotResponse) -> None:
        """Try once: Airflow tries again, also after a process was killed."""
        orchestrator = Client().active_stack.orchestrator
        orchestrator._prepare_run(snapshot=snapshot)  # as ZenML's own entry does
        launch_step(snapshot, step, orchestrator.get_orchestrator_run_id(), retry=False)
