"""A retriever is the same from its folder, which is whole or absent: damage is refused, a failed save undone."""

import json
import shutil
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from retrieval.errors import ArtifactError
from retrieval.folders import write_folder
from retrieval.models.io.model_settings import settings_file
from retrieval.search.retriever import Retriever, load_retriever, read_retriever
from tests.helpers.tiny_bundle import QUESTION, tiny_retriever


@pytest.fixture(scope="module")
def retriever(tmp_path_factory) -> Retriever:
    return tiny_retriever(tmp_path_factory.mktemp("tiny"))


@pytest.fixture(scope="module")
def kept(retriever, tmp_path_factory) -> Path:
    folder = tmp_path_factory.mktemp("kept") / "retriever"
    retriever.save(folder)
    return folder


@pytest.fixture
def copied(kept, tmp_path) -> Path:
    return Path(shutil.copytree(kept, tmp_path / "copied"))


def test_loaded_retriever_answers_as_the_saved_one(retriever, kept):
    loaded = load_retriever(kept, retriever.runtime)
    assert loaded.settings == retriever.settings
    assert loaded.corpus.cids == retriever.corpus.cids
    assert loaded.search(QUESTION, 12) == retriever.search(QUESTION, 12)


def test_cross_encoder_is_left_out_where_nobody_reranks_or_none_was_saved(retriever, kept, tmp_path):
    assert read_retriever(kept, retriever.runtime, rerank=False).cross_encoder is None
    bare = replace(retriever, cross_encoder=None)
    bare.save(tmp_path / "bare")
    loaded = load_retriever(tmp_path / "bare", retriever.runtime)
    assert loaded.cross_encoder is None
    assert loaded.search(QUESTION) == bare.search(QUESTION)


FORMER = {"lead_passage_weight": "opening_weight", "citation_weight": "named_weight"}


def as_before(folder: Path, target: Path) -> Path:
    """The folder as the version before wrote it: other names of the settings, and of two of them."""
    with write_folder(target) as staging:
        shutil.copytree(folder, staging, dirs_exist_ok=True)
        (staging / "manifest.json").unlink()
        settings = json.loads((staging / "retriever.json").read_text())
        (staging / "retriever.json").unlink()
        former = {FORMER.get(name, name): value for name, value in settings.items()}
        (staging / "settings.json").write_text(json.dumps(former))
        for model in ("bi-encoder", "cross-encoder"):
            with write_folder(staging / f"{model}-former") as inner:
                for path in (staging / model).iterdir():
                    if path.name != "manifest.json":
                        place = inner / {"settings.json": "retriever.json"}.get(path.name, path.name)
                        shutil.copytree(path, place) if path.is_dir() else shutil.copy(path, place)
            shutil.rmtree(staging / model)
            (staging / f"{model}-former").rename(staging / model)
    return target


def test_a_folder_of_the_version_before_answers_the_same(retriever, kept, tmp_path):
    loaded = load_retriever(as_before(kept, tmp_path / "former"), retriever.runtime)
    assert loaded.settings == retriever.settings
    assert loaded.bi_encoder.settings == retriever.bi_encoder.settings
    assert loaded.search(QUESTION, 12) == retriever.search(QUESTION, 12)


def test_settings_of_another_program_in_a_model_folder_are_not_taken_for_ours(tmp_path):
    (tmp_path / "settings.json").write_text(json.dumps({"theme": "dark"}))
    assert settings_file(tmp_path) is None


PARTS = ["passages.npy", "titles.npy", "bi-encoder/model.safetensors", "cross-encoder/model.safetensors"]


@pytest.mark.parametrize("name", PARTS)
def test_one_flipped_bit_is_refused_and_the_file_named(retriever, copied, name):
    content = bytearray((copied / name).read_bytes())
    content[-1] ^= 1
    (copied / name).write_bytes(content)
    with pytest.raises(ArtifactError, match=name):
        load_retriever(copied, retriever.runtime)


@pytest.mark.parametrize("name", PARTS)
def test_lost_file_is_refused_and_named(retriever, copied, name):
    (copied / name).unlink()
    with pytest.raises(ArtifactError, match=name):
        load_retriever(copied, retriever.runtime)


def test_folder_that_is_not_there_or_holds_something_else_is_refused(retriever, tmp_path):
    with pytest.raises(ArtifactError, match="nowhere"):
        load_retriever(tmp_path / "nowhere", retriever.runtime)
    (tmp_path / "other").mkdir()
    with pytest.raises(ArtifactError, match=r"not a retriever .*name one that a training kept"):
        read_retriever(tmp_path / "other", retriever.runtime)


def test_save_that_fails_midway_leaves_no_folder(retriever, tmp_path, monkeypatch):
    full_at(monkeypatch, "titles.npy")
    with pytest.raises((OSError, ArtifactError)):
        retriever.save(tmp_path / "new")
    assert list(tmp_path.iterdir()) == []


def test_save_that_fails_midway_leaves_what_was_there(retriever, copied, monkeypatch):
    before = retriever.search(QUESTION)
    full_at(monkeypatch, "titles.npy")
    with pytest.raises((OSError, ArtifactError)):
        retriever.save(copied)
    assert load_retriever(copied, retriever.runtime).search(QUESTION) == before


def full_at(monkeypatch: pytest.MonkeyPatch, name: str) -> None:
    """A disk that is full when a matrix of this name is written."""
    save = np.save

    def limited(path: Path, matrix: np.ndarray, **options: object) -> None:
        if Path(path).name == name:
            raise OSError(28, "No space left on device", str(path))
        save(path, matrix, **options)

    monkeypatch.setattr(np, "save", limited)
