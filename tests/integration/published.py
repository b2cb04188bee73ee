"""What tests of S3 stacks share: what lies in the bucket, and models published there as people look for them."""

from __future__ import annotations

import re

from retrieval.folders import MANIFEST
from retrieval.s3.objects import get_json, sizes_below
from tests.helpers.s3_server import S3Server


def names_below(server: S3Server, uri: str) -> set[str]:
    return set(sizes_below(server.client(), uri))


def assert_published(server: S3Server, bucket: str, model: str, runs: set[str]) -> str:
    """The pointer names the whole folder of a model that one of these MLflow runs trained; gives that run."""
    pointer = get_json(server.client(), f"s3://{bucket}/{model}/latest.json")
    run = str(pointer["run_id"])
    assert run in runs
    assert pointer["uri"] == f"s3://{bucket}/{model}/{run}"
    manifest = get_json(server.client(), f"{pointer['uri']}/{MANIFEST}")["files"]
    assert all(re.fullmatch(r"[0-9a-f]{64}", digest) for digest in manifest.values())
    assert names_below(server, f"s3://{bucket}/{model}/{run}") == {*manifest, MANIFEST}
    return run
