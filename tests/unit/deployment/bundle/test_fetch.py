"""Where bundles come from, without a store: folders, names of the cache, and refusals."""

from __future__ import annotations

from pathlib import Path

import pytest

from deployment.bundle.fetch import cached_folder, local_folder, main
from retrieval.errors import ArtifactError, ConfigError
from tests.helpers.model_folder import made


def test_a_folder_is_taken_as_it_is(tmp_path: Path) -> None:
    assert local_folder(str(made(tmp_path / "bundle", 0.01)), tmp_path / "cache") == tmp_path / "bundle"
    assert not (tmp_path / "cache").exists()


def test_each_address_has_one_place_that_a_slash_does_not_change(tmp_path: Path) -> None:
    one = cached_folder("s3://law/bi-encoder/run-1", tmp_path)
    assert one == cached_folder("s3://law/bi-encoder/run-1/", tmp_path)
    assert one != cached_folder("s3://law/cross-encoder/run-1", tmp_path)
    assert one.name.startswith("run-1-")


@pytest.mark.parametrize(
    ("source", "kind", "message"),
    [
        ("", ConfigError, "no bundle is named; set RETRIEVER_BUNDLE"),
        ("ftp://law/bundle", ConfigError, "ftp://law/bundle: not an S3 address"),
        ("s3://", ConfigError, "s3://: not an S3 address"),
        ("nowhere", ArtifactError, "nowhere: no such folder; write it with"),
    ],
)
def test_what_is_no_source_is_refused_with_the_next_step(
    source: str, kind: type[Exception], message: str, tmp_path: Path
) -> None:
    with pytest.raises(kind, match=message):
        local_folder(source, tmp_path)


def test_the_command_says_in_one_line_what_is_wrong(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["law/bundle", "--to", str(tmp_path / "there")]) == 2
    assert capsys.readouterr().err.startswith("error: law/bundle: not an S3 address")
