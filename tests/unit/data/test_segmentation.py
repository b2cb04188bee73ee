"""Segmentation gives PyVi's words, in order, however many processes share the work."""

import pytest

from retrieval.data import segmentation
from retrieval.data.segmentation import segment_dataset, segment_texts
from retrieval.errors import DataError
from retrieval.records import Article, Corpus, Dataset, Passage, Query


def test_words_are_joined_and_lines_too():
    assert segment_texts(["Người lao động\nnghỉ phép năm.", ""], 1, "") == ["Người lao_động nghỉ_phép năm .", ""]


def test_repeated_texts_keep_their_places():
    texts = ["quyền dân sự", "nghĩa vụ", "quyền dân sự"]

    assert segment_texts(texts, 1, "") == ["quyền dân_sự", "nghĩa_vụ", "quyền dân_sự"]


def test_several_processes_give_what_one_gives(monkeypatch):
    texts = [f"Điều kiện {number} của giao dịch dân sự có hiệu lực" for number in range(40)]
    expected = segment_texts(texts, 1, "")
    monkeypatch.setattr(segmentation, "_POOL_SYLLABLES", 0)
    monkeypatch.setattr(segmentation, "_CHUNK_SYLLABLES", 50)

    assert segment_texts(texts, 2, "") == expected


def test_a_worker_that_dies_is_an_error_with_a_way_out(monkeypatch):
    def broken(*_args):
        raise segmentation.BrokenProcessPool("a child was killed")

    monkeypatch.setattr(segmentation, "_POOL_SYLLABLES", 0)
    monkeypatch.setattr(segmentation.ProcessPoolExecutor, "map", broken)

    with pytest.raises(DataError, match=r"a worker process died.*set data\.workers: 1"):
        segment_texts(["một", "hai"], 2, "")


def test_the_progress_bar_shows_its_label_and_reaches_the_end(capsys):
    segment_texts(["một", "hai"], 1, "segment")

    shown = capsys.readouterr().err
    assert "segment" in shown
    assert "2/2" in shown


def test_passages_titles_and_queries_are_filled_in():
    dataset = Dataset(
        Corpus((Article("1", "Quyền dân sự", "Nghĩa vụ."),), (Passage("1", 0, "Nghĩa vụ."),)),
        (Query("q", "Quyền dân sự?", ("1",)),),
    )

    filled = segment_dataset(dataset, 1)

    assert filled.corpus.passages == (Passage("1", 0, "Nghĩa vụ.", "Nghĩa_vụ ."),)
    assert filled.corpus.segmented_titles == ("Quyền dân_sự",)
    assert filled.queries == (Query("q", "Quyền dân sự?", ("1",), "Quyền dân_sự ?"),)
