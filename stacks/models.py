"""``python -m stacks.models pull``: fetches a published model from the bucket, verified and resumable."""

from __future__ import annotations

import argparse
import re
import sys
from collections.abc import Sequence
from pathlib import Path

from retrieval.errors import ConfigError
from retrieval.names import BI_ENCODER, CROSS_ENCODER, LEGAL_BI_ENCODER, LEGAL_CROSS_ENCODER
from retrieval.s3.client import S3
from retrieval.s3.folders import pull_folder
from retrieval.s3.published import latest
from stacks.command import run_command, say

MODELS = {BI_ENCODER: LEGAL_BI_ENCODER, CROSS_ENCODER: LEGAL_CROSS_ENCODER}
"""Folder in the bucket and model in ZenML's Model Control Plane."""
PUBLISHED = "published"
"""Key of a version's metadata: address of its folder in the bucket."""
_RUN_ID = re.compile(r"[0-9a-f]{32}|[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}")


def main(arguments: Sequence[str] | None = None) -> int:
    """Pull; 0 if the folder is there, 1 if it could not be fetched, 2 on bad input."""
    parser = argparse.ArgumentParser(prog="python -m stacks.models", description=__doc__)
    pull = parser.add_subparsers(dest="command", required=True).add_parser("pull", help="fetch a model folder")
    pull.add_argument("--model", choices=sorted(MODELS), required=True)
    pull.add_argument(
        "--version", default="production", help="production, staging, a number, latest or a training run's id"
    )
    pull.add_argument("--to", type=Path, required=True, metavar="DIR", help="becomes the model folder")
    given = parser.parse_args(arguments)
    return run_command(lambda: _pull(given.model, given.version, given.to))


def _pull(model: str, version: str, target: Path) -> int:
    from stacks.connection import registered_store

    s3, bucket = registered_store()
    uri = published_uri(s3, bucket, model, version)
    fetched = pull_folder(s3, uri, target.absolute())
    say(f"{target}: {'fetched from' if fetched else 'is already a verified copy of'} {uri}")
    return 0


def published_uri(s3: S3, bucket: str, model: str, version: str) -> str:
    """Address of a published model.

    Args:
        s3: The store.
        bucket: ``s3://bucket``.
        model: Key of `MODELS`.
        version: A stage or number, which ZenML knows; ``latest`` or a training run's id, which the bucket knows.

    Raises:
        ConfigError: If there is no such version or it was never published.
    """
    if version == "latest":
        return latest(s3, f"{bucket}/{model}").uri
    if _RUN_ID.fullmatch(version):
        return f"{bucket}/{model}/{version}"
    return _uri_of_version(MODELS[model], version)


def _uri_of_version(model: str, version: str) -> str:
    from zenml.client import Client

    try:
        found = Client().get_model_version(model, version)
    except KeyError as error:
        raise ConfigError(
            f"{model}: no version {version} in this ZenML; see `python run.py --pipeline promotion --set"
            " promotion.show=true`, connect with `zenml login URL`, or take --version latest, which the bucket knows"
        ) from error
    uri = found.run_metadata.get(PUBLISHED)
    if not uri:
        raise ConfigError(f"{model} {found.name}: never published; train on a stack with S3 (--stack s3)")
    return str(uri)


if __name__ == "__main__":
    sys.exit(main())
