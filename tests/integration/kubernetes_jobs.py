"""Prints the jobs that ZenML would submit for a training on the stack `kubernetes`; no cluster is asked.

Jobs of steps are put together by ZenML's own functions, the way its pod that starts the steps does it.
"""

from __future__ import annotations

import json
import sys
from typing import Any

from kubernetes.client import ApiClient
from zenml.client import Client
from zenml.entrypoints import StepEntrypointConfiguration
from zenml.integrations.kubernetes.manifest_utils import (
    build_cron_job_manifest,
    build_job_manifest,
    build_pod_manifest,
    job_template_manifest_from_job,
    pod_template_manifest_from_pod,
)

from pipelines.launch import configured
from retrieval.config.schema import Config
from stacks.choice import use_for_this_process
from stacks.declarations import read_stack
from stacks.registration import register_stack

COMMAND = StepEntrypointConfiguration.get_entrypoint_command()


def main() -> None:
    use_for_this_process(register_stack(read_stack("kubernetes")))
    from pipelines.training import training_pipeline

    config = Config.model_validate({"orchestration": {"schedule": "0 2 * * 0", "retries": 3}})
    pipeline = configured(training_pipeline, config, cache=True)
    pipeline.prepare(config)
    steps, schedule = pipeline._run_args["step_configurations"], pipeline._run_args["schedule"]
    snapshot, _, _ = pipeline._compile(steps=steps, schedule=schedule)
    orchestrator = Client().active_stack.orchestrator
    settings = orchestrator.get_settings(snapshot)
    image = snapshot.pipeline_configuration.docker_settings.parent_image
    starting = orchestrator._prepare_job_manifest(
        name="start", command=COMMAND, args=[], image=image, environment={}, labels={}, annotations={},
        settings=settings, pod_settings=settings.orchestrator_pod_settings,
        backoff_limit=settings.orchestrator_job_backoff_limit,
    )  # fmt: skip
    template, policy = job_template_manifest_from_job(starting), settings.concurrency_policy
    cron = build_cron_job_manifest(template, schedule.cron_expression, concurrency_policy=policy)
    jobs = {name: step_job(orchestrator, step, name) for name, step in snapshot.step_configurations.items()}
    written = {name: plain(job, "Job") for name, job in {"orchestrator": starting, **jobs}.items()}
    parameters = {name: sorted(step.config.parameters) for name, step in snapshot.step_configurations.items()}
    json.dump({"jobs": written, "cron": plain(cron, "CronJob"), "parameters": parameters}, sys.stdout)


def step_job(orchestrator: Any, step: Any, name: str) -> Any:
    settings = orchestrator.get_settings(step)
    pod = build_pod_manifest(
        pod_name=None, image_name=step.config.docker_settings.parent_image, command=COMMAND, args=["--step_name", name],
        privileged=settings.privileged, pod_settings=settings.pod_settings,
        service_account_name=settings.step_pod_service_account_name, env={"ZENML_STORE_URL": "https://zenml.example"},
    )  # fmt: skip
    return build_job_manifest(
        job_name=name.replace("_", "-"), pod_template=pod_template_manifest_from_pod(pod),
        backoff_limit=step.config.retry.max_retries, ttl_seconds_after_finished=settings.ttl_seconds_after_finished,
    )  # fmt: skip


def plain(manifest: Any, kind: str) -> Any:
    """As it is sent, less what is null, which the API server takes for absent."""
    return {"apiVersion": "batch/v1", "kind": kind, **without_nulls(ApiClient().sanitize_for_serialization(manifest))}


def without_nulls(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: without_nulls(one) for key, one in value.items() if one is not None}
    return [without_nulls(one) for one in value] if isinstance(value, list) else value


if __name__ == "__main__":
    main()
