"""Which retriever is served, and when its bundle is made."""

import logging
import shutil

import numpy as np
import pytest

from deployment.bundle import build, local
from deployment.bundle.local import BUNDLES, bundle_of, trained_folder
from retrieval.errors import ArtifactError
from retrieval.folders import write_folder
from retrieval.model_store import KEPT, keep, record_stages


@pytest.fixture
def kept(bundle, tmp_path):
    """Three kept versions, and the folder they are in."""
    root, retriever = tmp_path / "kept", bundle.folder.parent / "retriever"
    for version in ("1", "2", "3"):
        keep(retriever, version, root)
    return root


@pytest.mark.parametrize(
    ("stages", "version"),
    [
        ({"production": "1", "staging": "2"}, "1"),
        ({"staging": "2"}, "2"),
        ({}, "3"),
        ({"production": "9", "staging": "2"}, "2"),  # promoted elsewhere, and not kept here
    ],
)
def test_production_comes_before_staging_before_the_newest(kept, stages, version):
    record_stages(stages, kept)
    assert trained_folder(root=kept) == kept / version


def test_a_version_can_be_named(kept):
    assert trained_folder("2", kept) == kept / "2"
    with pytest.raises(ArtifactError, match="kept here: 1, 2, 3"):
        trained_folder("4", kept)


def test_nothing_kept_says_how_to_train(tmp_path):
    with pytest.raises(ArtifactError, match="no trained retriever here"):
        trained_folder(root=tmp_path)


def test_a_bundle_is_made_once_and_again_only_when_it_is_damaged_or_the_retriever_is_another(kept, tmp_path, caplog):
    made = bundle_of(kept / "1", tmp_path / "bundles")
    born = made.folder.stat().st_ino
    assert bundle_of(kept / "1", tmp_path / "bundles").folder.stat().st_ino == born
    assert bundle_of(kept / "2", tmp_path / "bundles").folder != made.folder
    path = made.folder / "passages.npy"
    content = bytearray(path.read_bytes())
    content[-1] ^= 1
    path.unlink()  # it is the retriever's own
    path.write_bytes(content)
    with caplog.at_level(logging.WARNING):
        again = bundle_of(kept / "1", tmp_path / "bundles")
    assert "passages.npy" in caplog.text
    assert again.folder == made.folder
    assert again.folder.stat().st_ino != born


def test_a_bundle_shares_the_files_of_its_retriever_and_goes_with_it(kept, tmp_path):
    made = bundle_of(kept / "1", tmp_path / "bundles")
    assert (made.folder / "passages.npy").samefile(kept / "1" / "passages.npy")
    other = bundle_of(kept / "2", tmp_path / "bundles")
    with write_folder(kept / "1") as staging:
        shutil.copytree(kept / "2", staging, dirs_exist_ok=True)
        np.save(staging / "titles.npy", np.load(kept / "2" / "titles.npy") * 2)
    again = bundle_of(kept / "1", tmp_path / "bundles")
    assert sorted((tmp_path / "bundles").iterdir()) == sorted([again.folder, other.folder])


def test_a_folder_that_is_a_bundle_is_served_as_it_is(bundle, tmp_path):
    assert bundle_of(bundle.folder, tmp_path / "bundles").folder == bundle.folder
    assert not (tmp_path / "bundles").exists()


def test_a_damaged_retriever_is_not_bundled(kept, tmp_path):
    shutil.rmtree(kept / "1" / "corpus")
    with pytest.raises(ArtifactError, match="corpus"):
        bundle_of(kept / "1", tmp_path / "bundles")
    (kept / "2/manifest.json").unlink()
    with pytest.raises(ArtifactError, match=r"2: no manifest\.json"):
        bundle_of(kept / "2", tmp_path / "bundles")


@pytest.fixture
def two_stores(bundle, tmp_path, monkeypatch):
    """Version 1 of the stores A and B kept in the folder that commands are typed in; the store in use is ``[0]``."""
    monkeypatch.chdir(tmp_path)
    in_use = [""]
    for module in (build, local):
        monkeypatch.setattr(module, "refresh_stages", lambda: in_use[0])
    for store in "AB":
        keep(bundle.folder.parent / "retriever", "1", KEPT, {"retriever": "1", "store": store})
    return in_use


def test_what_is_served_is_said_with_version_store_and_law(two_stores, caplog):
    record_stages({"production": "1"}, KEPT, "A")
    record_stages({"staging": "1"}, KEPT, "B")
    with caplog.at_level(logging.INFO):
        two_stores[0] = "A"
        assert trained_folder() == KEPT / "1"
        two_stores[0] = "B"
        assert trained_folder() == KEPT / "1"
    first, second = caplog.messages
    assert first == f"version 1 of store A, in production there, 24 articles of Bộ luật thử: {KEPT}/1"
    assert second == f"{first} (the store in use has nothing in production)"


def test_of_two_versions_in_production_the_one_of_the_store_in_use_is_served(two_stores):
    for store in "AB":
        record_stages({"production": "1"}, KEPT, store)
    for model in ("newest", "production", "1"):
        two_stores[0] = "A"
        assert trained_folder(model) == KEPT / "1"
        two_stores[0] = "B"
        other = trained_folder(model)
        assert other.name.startswith("1-")
        two_stores[0] = ""
        with pytest.raises(ArtifactError, match="from 2 stores") as raised:
            trained_folder(model)
        assert f"{KEPT}/1 of store A" in str(raised.value) and f"{other} of store B" in str(raised.value)


def test_bundles_of_folders_of_one_name_stay_beside_each_other(two_stores, bundle, tmp_path):
    elsewhere = shutil.copytree(KEPT / "1", tmp_path / "elsewhere/1")
    np.save(elsewhere / "titles.npy", np.load(elsewhere / "titles.npy") * 2)
    with write_folder(tmp_path / "elsewhere/1") as staging:
        shutil.copytree(elsewhere, staging, dirs_exist_ok=True)
    (other,) = KEPT.glob("1-*")
    sources = (KEPT / "1", other, tmp_path / "elsewhere/1")
    made = [bundle_of(source).folder for source in (*sources, *sources)]
    assert len(set(made)) == 3 == len(list(BUNDLES.iterdir()))
    assert made[0].name.startswith("1-") and made[1].name.startswith(f"{other.name}-")
    assert bundle_of((KEPT / "1").absolute()).folder == made[0]
