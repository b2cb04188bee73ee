"""What the stack `kubernetes` would send to a cluster, against the schemas of a current Kubernetes; nothing is run."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator
from copy import deepcopy
from pathlib import Path
from typing import Any

import kubernetes_validate
import pytest
import yaml

from tests.integration.conftest import LEAVING, ROOT
from tests.integration.conftest import STEPS as ALL_STEPS

STEPS = tuple(name for name in ALL_STEPS if name not in LEAVING)
"""On this stack: what a pod leaves on its disk goes with it."""
FOLDER = ROOT / "stacks/kubernetes"
CURRENT = kubernetes_validate.latest_version()
IMAGE = "registry.example/legal-retrieval-steps:1"
SIZES = {"": 1, "m": 1e-3, "Mi": 2**20, "Gi": 2**30}


def manifests() -> dict[tuple[str, str], dict[str, Any]]:
    """Those of stacks/kubernetes, by kind and name."""
    texts = [path.read_text(encoding="utf-8") for path in sorted(FOLDER.glob("*.yaml"))]
    found = [one for text in texts for one in yaml.safe_load_all(text)]
    return {(one["kind"], one["metadata"]["name"]): one for one in found}


@pytest.fixture(scope="module")
def submitted(tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[str, Any]]:
    folder = tmp_path_factory.mktemp("kubernetes")
    kept = {name: value for name, value in os.environ.items() if not name.startswith(("ZENML_", "MLFLOW_", "AWS_"))}
    environment = {
        "ZENML_CONFIG_PATH": str(folder / "zenml"),
        "ZENML_ANALYTICS_OPT_IN": "false",
        "ZENML_LOGGING_VERBOSITY": "ERROR",
        "PYTHONPATH": str(ROOT),
        "S3_BUCKET": "bucket",
        "AWS_ACCESS_KEY_ID": "key",
        "AWS_SECRET_ACCESS_KEY": "hush-hush",
        "MLFLOW_TRACKING_URI": "http://mlflow.example:5000",
        "KUBERNETES_CONTEXT": "cluster",
        "CONTAINER_REGISTRY": "registry.example",
        "PIPELINE_IMAGE": IMAGE,
    }
    done = subprocess.run(
        [sys.executable, str(Path(__file__).with_name("kubernetes_jobs.py"))],
        cwd=ROOT,
        env={**kept, **environment},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr[-6000:]
    assert "hush-hush" not in done.stdout
    yield json.loads(done.stdout.splitlines()[-1])
    shutil.rmtree(folder, ignore_errors=True)


def pod(job: dict[str, Any]) -> dict[str, Any]:
    return job["spec"]["template"]["spec"]


def container(job: dict[str, Any]) -> dict[str, Any]:
    (only,) = pod(job)["containers"]
    return only


def size(text: str) -> float:
    number, unit = re.fullmatch(r"([\d.]+)(\D*)", text).groups()  # type: ignore[union-attr]
    return float(number) * SIZES[unit]


def test_the_schemas_are_of_a_current_kubernetes() -> None:
    assert tuple(int(part) for part in CURRENT.split(".")[:2]) >= (1, 36)


def test_every_manifest_satisfies_its_schema() -> None:
    for manifest in manifests().values():
        kubernetes_validate.validate(manifest, CURRENT, strict=True)


def test_every_job_that_would_be_submitted_satisfies_its_schema(submitted: dict[str, Any]) -> None:
    assert set(submitted["jobs"]) == {"orchestrator", *STEPS}
    for job in [*submitted["jobs"].values(), submitted["cron"]]:
        kubernetes_validate.validate(job, CURRENT, strict=True)


def test_a_misspelt_setting_would_be_found(submitted: dict[str, Any]) -> None:
    job = deepcopy(submitted["jobs"]["train_bi_encoder"])
    pod(job)["tolerations"][0]["efect"] = pod(job)["tolerations"][0].pop("effect")
    with pytest.raises(kubernetes_validate.ValidationError, match="efect"):
        kubernetes_validate.validate(job, CURRENT, strict=True)


def test_the_steps_that_compute_and_no_others_ask_for_a_gpu_node(submitted: dict[str, Any]) -> None:
    computing = {name for name, parameters in submitted["parameters"].items() if "precision" in parameters}
    assert len(computing) == 7
    for name, job in submitted["jobs"].items():
        gpus = container(job)["resources"]["limits"].get("nvidia.com/gpu")
        tolerated = [one["key"] for one in pod(job).get("tolerations", [])]
        expected = ("1", ["nvidia.com/gpu"], {"nvidia.com/gpu.present": "true"})
        assert (gpus, tolerated, pod(job).get("nodeSelector")) == (expected if name in computing else (None, [], None))


def test_no_container_asks_for_more_than_its_limit(submitted: dict[str, Any]) -> None:
    for job in submitted["jobs"].values():
        resources = container(job)["resources"]
        for name, limit in resources["limits"].items():
            assert size(resources["requests"].get(name, "0")) <= size(limit)
        assert size(resources["requests"]["memory"]) >= 2**30


def test_every_step_shares_memory_and_keeps_checkpoints_on_a_volume(submitted: dict[str, Any]) -> None:
    for name in STEPS:
        job = submitted["jobs"][name]
        mounts = {one["name"]: one["mountPath"] for one in container(job)["volumeMounts"]}
        volumes = {one["name"]: one for one in pod(job)["volumes"]}
        assert mounts == {"shared-memory": "/dev/shm", "checkpoints": "/checkpoints"}
        assert volumes["shared-memory"]["emptyDir"] == {"medium": "Memory", "sizeLimit": "2Gi"}
        assert {"name": "LEGAL_RETRIEVAL_CHECKPOINTS", "value": "/checkpoints"} in container(job)["env"]


def test_pods_satisfy_the_restricted_pod_security_standard_that_their_namespace_enforces(
    submitted: dict[str, Any],
) -> None:
    assert manifests()["Namespace", "zenml"]["metadata"]["labels"] == {
        "pod-security.kubernetes.io/enforce": "restricted"
    }
    for job in submitted["jobs"].values():
        of_pod, of_container = pod(job)["securityContext"], container(job)["securityContext"]
        assert of_pod["runAsNonRoot"] is True
        assert of_pod["seccompProfile"] == {"type": "RuntimeDefault"}
        assert of_container["allowPrivilegeEscalation"] is False
        assert of_container["privileged"] is False
        assert of_container["capabilities"] == {"drop": ["ALL"]}
        assert "hostPath" not in str(pod(job).get("volumes"))


def test_what_pods_name_is_among_the_manifests(submitted: dict[str, Any]) -> None:
    there = set(manifests())
    for name, job in submitted["jobs"].items():
        named = {("ServiceAccount", pod(job)["serviceAccountName"])}
        named |= {("Secret", one["name"]) for one in pod(job)["imagePullSecrets"]}
        named |= {("Secret", one["secretRef"]["name"]) for one in container(job).get("envFrom", [])}
        named |= {
            ("PersistentVolumeClaim", one["persistentVolumeClaim"]["claimName"])
            for one in pod(job).get("volumes", [])
            if "persistentVolumeClaim" in one
        }
        assert named <= there, name
        assert container(job)["image"] == IMAGE


def test_schedule_and_retries_come_from_the_configuration(submitted: dict[str, Any]) -> None:
    assert submitted["cron"]["spec"]["schedule"] == "0 2 * * 0"
    assert submitted["cron"]["spec"]["concurrencyPolicy"] == "Forbid"
    assert {submitted["jobs"][name]["spec"]["backoffLimit"] for name in STEPS} == {3}


def test_the_dockerfile_is_clean_pinned_and_runs_as_the_pods_user(submitted: dict[str, Any]) -> None:
    hadolint = shutil.which("hadolint", path=Path(sys.executable).parent) or "hadolint"
    done = subprocess.run([hadolint, str(FOLDER / "Dockerfile")], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout
    text = (FOLDER / "Dockerfile").read_text(encoding="utf-8")
    assert set(re.findall(r"^FROM (\S+)", text, re.MULTILINE)) == {"python:3.11.14-slim-bookworm"}
    context = pod(submitted["jobs"]["train_bi_encoder"])["securityContext"]
    assert re.findall(r"^USER (\S+)", text, re.MULTILINE) == [f"{context['runAsUser']}:{context['runAsGroup']}"]
    for name in re.search(r"^COPY (pyproject.*) \./$", text, re.MULTILINE)[1].split():  # type: ignore[index]
        assert (ROOT / name).is_file()
        assert f"!{name}\n" in (FOLDER / "Dockerfile.dockerignore").read_text(encoding="utf-8")
