"""Long work on files says a line a stage, and shows a bar only where a person watches."""

import logging

from deployment.bundle.build import make_bundle
from deployment.bundle.format import open_bundle
from deployment.bundle.local import bundle_of
from deployment.bundle.progress import listed_bytes, stage


def test_making_a_bundle_says_each_stage_and_draws_nothing_where_nobody_watches(bundle, tmp_path, caplog, capfd):
    source = bundle.folder.parent / "retriever"
    with caplog.at_level(logging.INFO):
        made = bundle_of(source, tmp_path / "bundles")
        bundle_of(source, tmp_path / "bundles")
        make_bundle(source, tmp_path / "copy")
    said = [record.getMessage().partition(" (")[0] for record in caplog.records]
    assert said == [
        f"making a bundle of {source}",
        f"checking {source}",
        f"linking its files into {made.folder}",
        f"checking {made.folder}",
        f"checking bundle {made.folder}",
        f"checking {source}",
        f"copying its files into {tmp_path / 'copy'}",
        f"checking {tmp_path / 'copy'}",
    ]
    assert capfd.readouterr() == ("", "")


def test_a_bar_is_as_long_as_the_files_that_are_checked(bundle):
    told = []
    with stage("looking at it", bundle.folder) as advance:
        advance(1)
    open_bundle(bundle.folder, told.append)
    assert sum(told) == listed_bytes(bundle.folder) > 0


def test_a_folder_without_a_manifest_has_no_length(tmp_path):
    assert listed_bytes(tmp_path) == 0
