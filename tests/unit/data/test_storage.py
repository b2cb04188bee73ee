"""A saved dataset comes back whole or not at all."""

import errno
import os
import signal
import subprocess
import sys
import textwrap
from dataclasses import replace
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from retrieval.data.storage import fingerprint, load_dataset, save_dataset
from retrieval.errors import ArtifactError
from retrieval.folders import write_manifest
from retrieval.records import Article, Corpus, Dataset, Passage, Query

DATASET = Dataset(
    Corpus(
        (Article("1", "Một", "1. a\n2. b", "Luật", ("Chương I",), (0, 5)), Article("2", "", "c")),
        (Passage("1", 0, "1. a\n2. b", "1 . a 2 . b"), Passage("2", 0, "c", "c")),
        ("Một", ""),
    ),
    (Query("q", "Hỏi gì?", ("1", "2"), "Hỏi gì ?", "natural", "test"),),
)
TEXT = st.text(st.characters(exclude_categories=("Cs",)), max_size=12)


def test_a_dataset_comes_back_as_it_was_saved(tmp_path):
    save_dataset(DATASET, tmp_path / "dataset")

    assert load_dataset(tmp_path / "dataset") == DATASET


def test_a_dataset_without_passages_comes_back_too(tmp_path):
    bare = Dataset(Corpus(DATASET.corpus.articles, ()), ())
    save_dataset(bare, tmp_path / "dataset")

    assert load_dataset(tmp_path / "dataset") == bare


@settings(max_examples=25)
@given(TEXT, TEXT, st.lists(TEXT, max_size=3), st.lists(st.integers(0, 2**31 - 1), max_size=3))
def test_any_text_comes_back(tmp_path_factory, title, body, path, clauses):
    folder = tmp_path_factory.mktemp("any") / "dataset"
    dataset = Dataset(Corpus((Article("1", title, body, "", tuple(path), tuple(clauses)),), ()), ())
    save_dataset(dataset, folder)

    assert load_dataset(folder) == dataset


def test_equal_content_has_one_fingerprint_and_any_change_another(tmp_path):
    save_dataset(DATASET, tmp_path / "dataset")
    first = DATASET.queries[0]
    changed = [
        replace(DATASET, queries=()),
        *(
            replace(DATASET, queries=(replace(first, **{name: value}),))
            for name, value in [("qid", "x"), ("text", "x"), ("cids", ("1",)), ("segmented", "x"), ("split", "train")]
        ),
        replace(DATASET, corpus=replace(DATASET.corpus, segmented_titles=("Một", "x"))),
        replace(DATASET, corpus=replace(DATASET.corpus, passages=())),
        replace(DATASET, corpus=replace(DATASET.corpus, articles=DATASET.corpus.articles[::-1])),
    ]

    assert fingerprint(load_dataset(tmp_path / "dataset")) == fingerprint(DATASET)
    assert len({fingerprint(dataset) for dataset in [DATASET, *changed]}) == len(changed) + 1


def test_a_folder_that_is_not_there_is_named(tmp_path):
    with pytest.raises(
        ArtifactError, match=r"nothing: no manifest\.json; the folder is missing or its writing was cut short"
    ):
        load_dataset(tmp_path / "nothing")


@pytest.mark.parametrize("name", ["articles", "titles", "passages", "queries"])
def test_a_truncated_file_is_named(tmp_path, name):
    save_dataset(DATASET, tmp_path / "dataset")
    path = tmp_path / "dataset" / f"{name}.parquet"
    path.write_bytes(path.read_bytes()[:-10])

    with pytest.raises(ArtifactError, match=rf"{name}\.parquet: SHA-256 \w+ but manifest\.json says"):
        load_dataset(tmp_path / "dataset")


@pytest.mark.parametrize(
    ("columns", "held"),
    [
        ({"cid": ["1"], "number": [1]}, "cid: string, number: int64"),
        ({"segmented_title": [1]}, "segmented_title: int64"),
    ],
)
def test_a_file_of_another_version_is_refused(tmp_path, columns, held):
    save_dataset(DATASET, tmp_path / "dataset")
    pq.write_table(pa.table(columns), tmp_path / "dataset" / "titles.parquet")
    write_manifest(tmp_path / "dataset")

    want = "segmented_title: large_string"
    expected = rf"titles\.parquet: not a dataset of this version \(holds {held}, expected {want}\); write"
    with pytest.raises(ArtifactError, match=expected):
        load_dataset(tmp_path / "dataset")


def test_a_full_disk_leaves_what_was_there(tmp_path, monkeypatch):
    save_dataset(DATASET, tmp_path / "dataset")

    def full(*_args, **_kwargs):
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(pq, "write_table", full)
    with pytest.raises(ArtifactError, match=r"the dataset was not saved \(No space left on device\); free some space"):
        save_dataset(replace(DATASET, queries=()), tmp_path / "dataset")

    assert load_dataset(tmp_path / "dataset") == DATASET
    assert [path.name for path in tmp_path.iterdir()] == ["dataset"]


_SAVE = textwrap.dedent(
    """
    import os, resource, signal, sys
    from pathlib import Path
    import pyarrow.parquet as pq
    from retrieval.data.storage import save_dataset
    from retrieval.errors import ArtifactError
    from retrieval.records import Article, Corpus, Dataset

    how, folder = sys.argv[1], Path(sys.argv[2])
    if how == "kill":
        write_table = pq.write_table
        def write_half(table, path, **options):
            if path.name == "passages.parquet":
                path.write_bytes(b"PAR1 half")
                os.kill(os.getpid(), signal.SIGKILL)
            write_table(table, path, **options)
        pq.write_table = write_half
    else:
        resource.setrlimit(resource.RLIMIT_FSIZE, (2_000, 2_000))
    articles = tuple(Article(str(n), os.urandom(8).hex(), os.urandom(64).hex()) for n in range(200))
    try:
        save_dataset(Dataset(Corpus(articles, ()), ()), folder)
    except ArtifactError as error:
        sys.exit(str(error))
    """
)


def _save_in_another_process(how: str, folder: Path) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-c", _SAVE, how, str(folder)]
    return subprocess.run(command, cwd=Path(__file__).parents[3], capture_output=True, text=True, check=False)


@pytest.mark.parametrize("is_there", [False, True])
def test_a_kill_in_the_middle_of_a_save_leaves_what_was_there_and_the_next_save_works(tmp_path, is_there):
    folder = tmp_path / "dataset"
    if is_there:
        save_dataset(DATASET, folder)

    assert _save_in_another_process("kill", folder).returncode == -signal.SIGKILL

    if is_there:
        assert load_dataset(folder) == DATASET
    else:
        with pytest.raises(ArtifactError, match=r"no manifest\.json"):
            load_dataset(folder)
    save_dataset(replace(DATASET, queries=()), folder)
    assert load_dataset(folder).queries == ()


def test_a_file_that_outgrows_the_disk_is_a_clear_error_and_leaves_nothing(tmp_path):
    done = _save_in_another_process("limit", tmp_path / "dataset")

    assert "the dataset was not saved (" in done.stderr
    assert "File too large" in done.stderr
    assert list(tmp_path.iterdir()) == []
