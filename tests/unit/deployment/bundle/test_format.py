"""Bundles: the same bytes every time, nothing unsigned, no code, whole or absent."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest
import torch

from deployment.bundle import build
from deployment.bundle.build import main, make_bundle, resolve_model
from deployment.bundle.format import FACTS, UNKNOWN, open_bundle
from retrieval.errors import ArtifactError
from retrieval.folders import MANIFEST, write_manifest
from retrieval.model_store import keep, kept_folder, record_stages
from retrieval.runtime import Runtime
from retrieval.search.retriever import load_retriever
from tests.helpers.model_folder import contents
from tests.helpers.tiny_bundle import QUESTION

RUNTIME = Runtime(torch.device("cpu"), torch.float32, 1)


@pytest.fixture
def retriever_folder(bundle) -> Path:
    return bundle.folder.parent / "retriever"


@pytest.fixture
def copied(bundle, tmp_path) -> Path:
    return Path(shutil.copytree(bundle.folder, tmp_path / "copied"))


def test_bundling_twice_gives_the_same_bytes(retriever_folder, bundle, tmp_path):
    again = make_bundle(retriever_folder, tmp_path / "again")
    assert contents(again.folder) == contents(bundle.folder)


def test_a_bundle_of_a_bundle_is_the_same_bundle(bundle, tmp_path):
    assert contents(make_bundle(bundle.folder, tmp_path / "again").folder) == contents(bundle.folder)


def test_a_bundle_answers_as_the_retriever_it_was_made_of(retriever_folder, bundle):
    mine, theirs = bundle.retriever(RUNTIME).search(QUESTION, 5), load_retriever(retriever_folder, RUNTIME)
    assert mine == theirs.search(QUESTION, 5)
    assert bundle.retriever(RUNTIME, rerank=False).cross_encoder is None


def test_facts_are_those_of_the_kept_version_and_of_its_models(retriever_folder, tmp_path):
    given = {"retriever": "7", "bi_encoder": "5", "cross_encoder": "6", "code": "abc123"}
    kept = keep(retriever_folder, "7", tmp_path / "kept", given)
    facts = make_bundle(kept, tmp_path / "bundle").facts
    assert (facts.retriever, facts.bi_encoder, facts.cross_encoder, facts.code) == ("7", "5", "6", "abc123")
    assert (facts.bi_encoder_run, facts.cross_encoder_run, facts.data) == ("run-1", "run-2", "data-1")


@pytest.mark.parametrize(
    ("given", "created"),
    [
        ({"created": "2026-11-20T08:00:00+00:00", "kept": "2026-12-01T00:00:00+00:00"}, "2026-11-20T08:00:00+00:00"),
        ({"kept": "2026-12-01T00:00:00+00:00"}, "2026-12-01T00:00:00+00:00"),
    ],
)
def test_the_index_is_as_old_as_its_retriever_and_not_as_its_bundle(retriever_folder, tmp_path, given, created):
    kept = keep(retriever_folder, "7", tmp_path / "kept", {"retriever": "7", **given})
    assert make_bundle(kept, tmp_path / "bundle").facts.created == created


def test_a_bundle_of_the_version_before_opens_and_does_not_know_its_age(copied):
    facts = json.loads((copied / FACTS).read_text())
    del facts["created"]
    (copied / FACTS).write_text(json.dumps(facts))
    write_manifest(copied)
    assert open_bundle(copied).facts.created == ""


def test_facts_that_nobody_wrote_down_are_unknown_and_change_no_index(retriever_folder, bundle, tmp_path):
    kept = keep(retriever_folder, "7", tmp_path / "kept")
    facts = make_bundle(kept, tmp_path / "bundle").facts
    assert (facts.retriever, facts.bi_encoder, facts.code) == ("7", UNKNOWN, UNKNOWN)
    assert bundle.facts.retriever == UNKNOWN
    assert facts.index == bundle.facts.index
    assert len(facts.index) == 12


def test_a_changed_article_is_another_index(bundle, copied):
    settings = json.loads((copied / "retriever.json").read_text())
    (copied / "retriever.json").write_text(json.dumps(settings | {"bm25_weight": 0.9}))
    write_manifest(copied)
    assert build.index_version(copied) != bundle.facts.index


@pytest.mark.parametrize("name", ["passages.npy", "cross-encoder/model.safetensors", "corpus/articles.parquet", FACTS])
def test_one_flipped_bit_is_refused_and_the_file_named(copied, name):
    path = copied / name
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 1
    path.write_bytes(bytes(content))
    with pytest.raises(ArtifactError, match=path.name.replace(".", r"\.") + r": SHA-256 \w{12} but"):
        open_bundle(copied)


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("extra.npy", r"not listed in manifest\.json"),
        ("weights.bin", "no bundle has files of this kind"),
        ("bi-encoder/pytorch_model.pt", "no bundle has files of this kind"),
        ("hook.py", "no bundle has files of this kind"),
    ],
)
def test_a_file_that_the_manifest_does_not_sign_is_refused(copied, name, message):
    (copied / name).write_bytes(b"x")
    with pytest.raises(ArtifactError, match=message):
        open_bundle(copied)


def test_a_pickle_is_refused_even_when_it_is_signed(copied):
    torch.save({"weights": torch.zeros(2)}, copied / "bi-encoder/pytorch_model.bin")
    write_manifest(copied)
    with pytest.raises(ArtifactError, match=r"pytorch_model\.bin: no bundle has files of this kind"):
        open_bundle(copied)


def test_a_link_is_refused(copied, tmp_path):
    (tmp_path / "outside.npy").write_bytes((copied / "titles.npy").read_bytes())
    (copied / "titles.npy").unlink()
    (copied / "titles.npy").symlink_to(tmp_path / "outside.npy")
    with pytest.raises(ArtifactError, match="is a link"):
        open_bundle(copied)


@pytest.mark.parametrize("change", [{"format": 9}, {"retriever": 3}, {"colour": "red"}, {"created": "yesterday"}])
def test_facts_of_another_shape_are_refused(copied, change):
    facts = json.loads((copied / FACTS).read_text())
    (copied / FACTS).write_text(json.dumps(facts | change))
    write_manifest(copied)
    with pytest.raises(ArtifactError, match=r"bundle\.json: .*make it with python -m deployment\.bundle"):
        open_bundle(copied)


def test_a_retriever_folder_without_facts_is_no_bundle(retriever_folder):
    with pytest.raises(ArtifactError, match="a retriever, not yet a bundle"):
        open_bundle(retriever_folder)


def test_a_full_disk_leaves_nothing_and_what_was_there(retriever_folder, bundle, copied, monkeypatch):
    def full(source, target):
        Path(target).write_bytes(b"half")
        raise OSError(28, "No space left on device")

    before = contents(copied)
    monkeypatch.setattr(shutil, "copyfile", full)
    with pytest.raises(ArtifactError, match=r"No space left on device.*what was there before is unchanged"):
        make_bundle(retriever_folder, copied)
    assert contents(copied) == before
    assert [path.name for path in copied.parent.iterdir()] == ["copied"]


def test_a_folder_that_is_no_bundle_is_not_written_over(retriever_folder, tmp_path):
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine/letter.txt").write_text("dear")
    with pytest.raises(ArtifactError, match="exists and is no bundle"):
        make_bundle(retriever_folder, tmp_path / "mine")
    assert (tmp_path / "mine/letter.txt").read_text() == "dear"


def test_a_bundle_is_not_written_into_the_retriever_it_is_made_of(retriever_folder):
    with pytest.raises(ArtifactError, match=r"lies inside .*; choose a place outside it"):
        make_bundle(retriever_folder, retriever_folder / "bundle")
    assert not (retriever_folder / "bundle").exists()


@pytest.mark.parametrize("target", ["s3:/law/bundle", "S3://law/bundle", "https://s3.vn/law", "file:///bundle"])
def test_what_is_nearly_an_address_makes_no_folder(retriever_folder, tmp_path, monkeypatch, capsys, target):
    monkeypatch.chdir(tmp_path)
    assert main(["--model", str(retriever_folder), "--to", target]) == 2
    assert capsys.readouterr().err == (
        f"error: {target}: not an S3 address; it looks like s3://bucket/folder; correct --to\n"
    )
    assert not list(tmp_path.glob("*:"))


def test_a_damaged_retriever_is_not_bundled(retriever_folder, tmp_path):
    source = Path(shutil.copytree(retriever_folder, tmp_path / "source"))
    (source / "titles.npy").write_bytes(b"")
    with pytest.raises(ArtifactError, match=r"titles\.npy"):
        make_bundle(source, tmp_path / "bundle")
    assert not (tmp_path / "bundle").exists()


def test_stages_name_the_version_that_was_last_recorded(retriever_folder, tmp_path):
    root = tmp_path / "kept"
    for version in ("1", "2"):
        keep(retriever_folder, version, root)
    record_stages({"production": "1", "staging": "2"}, root)
    assert kept_folder("production", root) == root / "1"
    assert resolve_model("staging", root) == root / "2"
    assert resolve_model("latest", root) == root / "2"
    record_stages({"production": "9"}, root)
    with pytest.raises(ArtifactError, match="version 9 is in production but was not kept on this machine"):
        kept_folder("production", root)
    with pytest.raises(ArtifactError, match="no version is known to be in staging"):
        kept_folder("staging", root)


def test_stages_are_recorded_only_where_something_is_kept(tmp_path):
    record_stages({"production": "1"}, tmp_path / "none")
    assert not (tmp_path / "none").exists()


def test_the_command_makes_a_bundle_or_says_why_not(retriever_folder, tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    assert main(["--model", str(retriever_folder), "--to", "out"]) == 0
    assert open_bundle(tmp_path / "out").facts.index in capsys.readouterr().out
    assert main(["--model", "latest", "--to", "other"]) == 1
    assert "no trained retriever here" in capsys.readouterr().err
    assert main(["--model", str(retriever_folder), "--to", "ftp://there"]) == 2
    assert "not an S3 address" in capsys.readouterr().err


def test_the_manifest_lists_everything_but_itself(bundle):
    listed = json.loads((bundle.folder / MANIFEST).read_text())["files"]
    there = {path.relative_to(bundle.folder).as_posix() for path in bundle.folder.rglob("*") if path.is_file()}
    assert there - {MANIFEST} == set(listed)
    assert {FACTS, "corpus/manifest.json"} <= set(listed)
