"""Published models: ``s3://bucket/MODEL/RUN_ID/`` for every trained one and ``s3://bucket/MODEL/latest.json``."""

from __future__ import annotations

import hashlib
from dataclasses import asdict, dataclass

from retrieval.errors import ArtifactError
from retrieval.names import FORMER_MODEL_SETTINGS, MODEL_SETTINGS
from retrieval.s3.client import S3
from retrieval.s3.folders import copy_folder, read_manifest
from retrieval.s3.objects import get_json, missing_means, put_json

POINTER = "latest.json"


@dataclass(frozen=True)
class Pointer:
    """What ``latest.json`` says.

    Attributes:
        run_id: Training run of the newest model.
        version: Its version in the Model Control Plane.
        uri: Its folder.
        manifest_sha256: Of its manifest.
    """

    run_id: str
    version: str
    uri: str
    manifest_sha256: str


def publish(s3: S3, source: str, root: str, version: str) -> str:
    """Copy a model folder to where it is looked for and point ``latest.json`` to it.

    Args:
        s3: The store; both folders are in it.
        source: Model folder with a manifest.
        root: ``s3://bucket/MODEL``.
        version: Version in the Model Control Plane.

    Returns:
        Address of the published folder.

    Raises:
        ArtifactError: If the model does not say which run trained it.
    """
    _, listed = read_manifest(s3, source)
    name = MODEL_SETTINGS if MODEL_SETTINGS in listed else FORMER_MODEL_SETTINGS
    run_id = str(get_json(s3, f"{source}/{name}").get("training_run_id") or "")
    if not run_id:
        raise ArtifactError(f"{source}/{name}: has no training_run_id; only trained models are published")
    target = f"{root}/{run_id}"
    copy_folder(s3, source, target)
    manifest, _ = read_manifest(s3, target)
    pointer = Pointer(run_id, version, target, hashlib.sha256(manifest).hexdigest())
    put_json(s3, asdict(pointer), f"{root}/{POINTER}")
    return target


def latest(s3: S3, root: str) -> Pointer:
    """What was published last.

    Raises:
        ArtifactError: If nothing was.
    """
    with missing_means(f"{root}: nothing published yet; run `python run.py --pipeline training --stack s3` first"):
        values = get_json(s3, f"{root}/{POINTER}")
    try:
        return Pointer(**values)
    except TypeError as error:
        raise ArtifactError(f"{root}/{POINTER}: not a pointer ({error}); train again to replace it") from error
