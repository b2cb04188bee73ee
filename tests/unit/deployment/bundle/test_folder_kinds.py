"""What is said of a folder that is named as a bundle and is none: what it is, and the command that makes a bundle."""

from __future__ import annotations

import json
import shutil
import tarfile
import zipfile
from pathlib import Path

import pytest

from deployment.bundle.build import make_bundle, resolve_model
from deployment.bundle.fetch import local_folder
from deployment.bundle.folder_kinds import COMMAND, no_folder
from deployment.bundle.format import open_bundle
from retrieval.errors import ArtifactError
from retrieval.folders import MANIFEST, write_manifest


def told(folder: Path) -> str:
    """The one line of a folder that is no bundle."""
    with pytest.raises(ArtifactError) as caught:
        open_bundle(local_folder(str(folder)))
    assert "\n" not in str(caught.value)
    assert "download" not in str(caught.value)
    return str(caught.value)


@pytest.mark.parametrize(
    ("files", "kind"),
    [
        (["config.json", "model.safetensors", "tokenizer.json"], "a model of transformers"),
        (["config.json", "pytorch_model.bin"], "a model of transformers"),
        (["modules.json", "config.json", "1_Pooling/config.json"], "a model of sentence-transformers"),
        (["modules.json", "0_Transformer/config.json"], "a model of sentence-transformers"),
        (["adapter_config.json", "adapter_model.safetensors"], "an adapter of another model"),
    ],
)
def test_a_model_of_another_library_is_called_what_it_is_with_the_way_to_a_bundle(tmp_path, files, kind):
    for name in files:
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_text("{}")
    line = told(tmp_path)
    assert line.startswith(f"{tmp_path}: {kind}, neither a bundle nor a model of this project; ")
    assert f"`{COMMAND} --to DIR` makes a bundle" in line
    assert (f"--set bi_encoder.base={tmp_path}" in line) == ("adapter" not in kind)


def test_a_reranker_of_transformers_is_a_base_of_the_cross_encoder_and_paths_are_quoted(tmp_path):
    folder = tmp_path / "my models"
    folder.mkdir()
    (folder / "config.json").write_text('{"architectures": ["XLMRobertaForSequenceClassification"]}')
    assert f"training --set 'cross_encoder.base={folder}'`" in told(folder)


@pytest.mark.parametrize("name", ["production", "latest", "12"])
def test_a_retrievers_name_is_the_model_of_a_bundle_and_no_folder(name):
    assert no_folder(Path(name)).endswith(f"`{COMMAND} --model {name} --to DIR` makes a bundle, then name DIR")


def test_a_name_of_the_hub_is_the_base_of_a_training():
    assert "--set bi_encoder.base=BAAI/bge-m3` trains a retriever from it" in no_folder(Path("BAAI/bge-m3"))


def test_a_retriever_that_was_copied_in_part_says_what_it_lacks(tmp_path):
    (tmp_path / "bi-encoder").mkdir()
    (tmp_path / "retriever.json").write_text("{}")
    assert "a part of a retriever, it lacks corpus; copy it whole" in told(tmp_path)


@pytest.mark.parametrize("inner", [".", "models--a--b-c", "models--a--b-c/snapshots"])
def test_the_hubs_cache_names_the_model_in_it(tmp_path, inner):
    (tmp_path / "models--a--b-c/snapshots/1").mkdir(parents=True)
    assert "the hub's cache of a/b-c, neither" in told(tmp_path / inner)
    assert "--set bi_encoder.base=a/b-c` trains" in told(tmp_path / inner)


def test_a_kept_retriever_names_the_command_that_makes_a_bundle_of_it(bundle, tmp_path):
    kept = Path(shutil.copytree(bundle.folder.parent / "retriever", tmp_path / "legal-retriever/1"))
    assert f"a retriever, not yet a bundle; `{COMMAND} --model {kept} --to DIR` makes one" in told(kept)
    assert f"a part of the retriever {kept}; `{COMMAND} --model {kept} --to DIR` makes a bundle" in told(
        kept / "corpus"
    )
    assert f"a folder of retrievers (1); `{COMMAND} --model {kept} --to DIR`" in told(kept.parent)


def test_a_folder_above_or_below_a_bundle_names_the_bundle(bundle, tmp_path):
    folder = Path(shutil.copytree(bundle.folder, tmp_path / "bundles/1-abc"))
    assert f"a folder of bundles (1-abc); name one of them, such as {folder}" in told(folder.parent)
    assert f"a part of the bundle {folder}; name that" in told(folder / "corpus")


def test_one_model_of_ours_is_no_law_to_search(bundle, tmp_path):
    model = Path(shutil.copytree(bundle.folder / "bi-encoder", tmp_path / "model"))
    assert "one model of this project, no bundle with law to search" in told(model)


def test_an_empty_and_a_strange_folder_are_told_by_what_they_hold(tmp_path):
    assert "an empty folder; " in told(tmp_path)
    (tmp_path / MANIFEST).write_text('{"name": "page"}')
    assert "although it has a manifest.json" in told(tmp_path)
    (tmp_path / MANIFEST).rename(tmp_path / "readme.md")
    assert "(it holds readme.md)" in told(tmp_path)


def test_a_file_and_an_archive_are_no_folders(bundle, tmp_path):
    assert f"a file, no folder; name the bundle's folder, such as {bundle.folder}" in told(
        bundle.folder / "bundle.json"
    )
    with zipfile.ZipFile(tmp_path / "b.zip", "w") as archive:
        archive.writestr("x", "y")
    with tarfile.open(tmp_path / "b.tar.gz", "w:gz") as archive:
        archive.add(tmp_path / "b.zip", "x")
    for name in ("b.zip", "b.tar.gz"):
        assert "an archive, no folder; unpack it and name the folder" in told(tmp_path / name)


def test_a_folder_that_is_not_there_names_the_nearest_one(tmp_path):
    (tmp_path / "bundle-7").mkdir()
    assert told(tmp_path / "bundel-7").endswith(f"or did you mean {tmp_path / 'bundle-7'}?")
    assert f"write it with `{COMMAND} --model MODEL --to" in told(tmp_path / "deep/er")


def test_a_home_folder_may_be_written_with_its_sign(tmp_path, monkeypatch):
    monkeypatch.setenv("HOME", str(tmp_path))
    (tmp_path / "here").mkdir()
    assert local_folder("~/here") == tmp_path / "here"


def test_a_damaged_bundle_is_to_be_made_anew_and_not_called_a_stranger(bundle, tmp_path):
    folder = Path(shutil.copytree(bundle.folder, tmp_path / "bundle"))
    (folder / "passages.npy").write_bytes(b"x")
    assert f"altered; make the bundle anew with `{COMMAND} --to DIR`, or copy it whole" in told(folder)
    (folder / "bundle.json").unlink()
    assert "bundle.json: listed in manifest.json but missing; make the bundle anew" in told(folder)
    (folder / MANIFEST).write_text(json.dumps({"files": {"bundle.json": 7}}))
    assert "lists no hashes); make the bundle anew" in told(folder)


def test_bundling_what_is_no_retriever_says_so(bundle, tmp_path):
    (tmp_path / "hub").mkdir()
    with pytest.raises(ArtifactError, match=r"hub: not a retriever; name one that a training kept, such as .*/1"):
        resolve_model(str(tmp_path / "hub"), tmp_path / "kept")
    retriever = Path(shutil.copytree(bundle.folder.parent / "retriever", tmp_path / "retriever"))
    (retriever / "titles.npy").unlink()
    with pytest.raises(ArtifactError, match=r"titles\.npy: listed in manifest\.json but missing; train again"):
        make_bundle(retriever, tmp_path / "out")
    write_manifest(retriever)
