"""Bundles written to a real S3 server."""

from __future__ import annotations

from pathlib import Path

import pytest

from deployment.bundle.build import main
from deployment.bundle.format import open_bundle
from retrieval.folders import MANIFEST
from retrieval.s3.folders import pull_folder
from retrieval.s3.objects import get_bytes
from tests.helpers.model_folder import contents
from tests.helpers.s3_server import S3Server
from tests.helpers.tiny_bundle import tiny_bundle, tiny_retriever

ADDRESS = "s3://folders/bundles/one"


def test_a_bundle_is_sent_once_comes_back_the_same_and_is_never_written_over(
    s3_server: S3Server, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    for name, value in s3_server.environment.items():
        monkeypatch.setenv(name, value)
    bundle = tiny_bundle(tmp_path)
    for _ in range(2):
        assert main(["--model", str(tmp_path / "retriever"), "--to", ADDRESS]) == 0
    pull_folder(s3_server.client(), ADDRESS, tmp_path / "back")
    assert contents(open_bundle(tmp_path / "back").folder) == contents(bundle.folder)
    tiny_retriever(tmp_path / "other-encoder", rerank=False).save(tmp_path / "other")
    capsys.readouterr()
    assert main(["--model", str(tmp_path / "other"), "--to", ADDRESS]) == 2
    assert "another bundle is there" in capsys.readouterr().err
    assert get_bytes(s3_server.client(), f"{ADDRESS}/{MANIFEST}") == (bundle.folder / MANIFEST).read_bytes()
