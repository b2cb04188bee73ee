"""No credentials or settings of this machine reach the tests of S3."""

from __future__ import annotations

import os
from collections.abc import Iterator

import boto3
import pytest

from retrieval.folders import write_folder
from retrieval.s3 import client


@pytest.fixture(autouse=True)
def nothing_chosen(monkeypatch, tmp_path) -> Iterator[None]:
    for name in (*os.environ,):
        if name.startswith("AWS_"):
            monkeypatch.delenv(name)
    monkeypatch.setenv("AWS_CONFIG_FILE", str(tmp_path / "aws-config"))
    monkeypatch.setenv("AWS_SHARED_CREDENTIALS_FILE", str(tmp_path / "aws-credentials"))
    monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")
    monkeypatch.setattr(boto3, "DEFAULT_SESSION", None)  # it has read another profile
    client._client.cache_clear()
    yield
    client._client.cache_clear()


@pytest.fixture
def folder(tmp_path):
    with write_folder(tmp_path / "folder") as staging:
        (staging / "a.json").write_text("{}\n")
        (staging / "weights.bin").write_bytes(os.urandom(10 << 20))
    return tmp_path / "folder"
