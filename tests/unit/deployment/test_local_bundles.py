"""Which retriever is served, and when its bundle is made."""

import logging
import shutil

import numpy as np
import pytest

from deployment.local_bundles import bundle_of, trained_folder
from retrieval.errors import ArtifactError
from retrieval.folders import write_folder
from retrieval.search.kept import keep, record_stages


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
