"""Each source becomes a dataset; a wrong file is named by its path and row."""

from collections import Counter
from pathlib import Path

import pytest

from retrieval.config.schema import DataConfig
from retrieval.data.sources.ingest import ingest
from retrieval.errors import ConfigError, SourceError, ValidationError

ROOT = Path(__file__).parents[4]


@pytest.fixture
def files(tmp_path):
    (tmp_path / "corpus.csv").write_text("cid,text\n1,một\n2,hai\n")
    (tmp_path / "questions.csv").write_text("qid,question,cid\na,hỏi một,[1]\nb,hỏi hai,[2]\n")
    (tmp_path / "test.csv").write_text("qid,question,cid\nc,hỏi ba,[1]\n")
    return tmp_path


WRITTEN = {"natural_questions": ROOT / "questions.csv", "training_questions": ROOT / "training_questions.csv"}


def csv_config(files: Path, **options) -> DataConfig:
    return DataConfig(source="csv", corpus=files / "corpus.csv", questions=files / "questions.csv", **options)


def test_the_bundled_source_has_titles_weak_queries_and_the_natural_questions():
    dataset = ingest(DataConfig(**WRITTEN), 42)

    counts = Counter(query.source for query in dataset.queries)
    assert len(dataset.corpus.articles) == 2703
    assert set(counts) == {"natural", "title", "question", "clause", "path", "template"}
    assert counts["natural"] >= 150
    assert {cid for query in dataset.queries if query.source == "title" for cid in query.cids} == set(
        dataset.corpus.cids
    )
    assert len({query.qid for query in dataset.queries}) == len(dataset.queries)


def test_natural_questions_are_about_all_six_codes():
    dataset = ingest(DataConfig(**WRITTEN), 42)

    laws = {cid.split(":")[0] for query in dataset.queries if query.source == "natural" for cid in query.cids}
    assert laws == {cid.split(":")[0] for cid in dataset.corpus.cids}


def test_no_training_question_shares_an_article_or_a_text_with_a_natural_one():
    queries = ingest(DataConfig(**WRITTEN), 42).queries

    natural = {cid for query in queries if query.source == "natural" for cid in query.cids}
    training = [query for query in queries if query.source == "question"]
    assert len(training) > 1500
    assert natural.isdisjoint(cid for query in training for cid in query.cids)


def test_with_fewer_laws_only_their_questions_stay():
    dataset = ingest(DataConfig(laws=("45/2019/QH14",), **WRITTEN), 42)

    assert {cid.split(":")[0] for query in dataset.queries for cid in query.cids} == {"45/2019/QH14"}
    assert any(query.source == "natural" for query in dataset.queries)


def test_weak_supervision_can_be_switched_off():
    config = DataConfig(
        natural_questions=None, training_questions=None, clause_queries=0, path_queries=False, template_queries=0
    )

    assert {query.source for query in ingest(config, 42).queries} == {"title"}


def test_a_natural_question_about_an_article_that_is_not_there_is_named(tmp_path):
    path = tmp_path / "natural.csv"
    path.write_text('qid,question,cid\nn,hỏi,"[""45/2019/QH14:999""]"\n')

    with pytest.raises(
        ValidationError, match=r"natural\.csv: row 2 \(qid n\): gold cid 45/2019/QH14:999 is not in the corpus"
    ):
        ingest(DataConfig(natural_questions=path, training_questions=None), 42)


def test_a_missing_file_of_natural_questions_is_named(tmp_path):
    with pytest.raises(SourceError, match=r"gone\.csv: no such file"):
        ingest(DataConfig(natural_questions=tmp_path / "gone.csv", training_questions=None), 42)


def test_an_unknown_law_is_a_configuration_error():
    with pytest.raises(ConfigError, match=r"data\.laws: no bundled law 'x'"):
        ingest(DataConfig(laws=("x",)), 42)


def test_a_test_file_of_its_own_is_marked_as_the_test_split(files):
    dataset = ingest(csv_config(files, test_questions=files / "test.csv"), 42)

    assert [(query.qid, query.source, query.split) for query in dataset.queries] == [
        ("a", "csv", ""),
        ("b", "csv", ""),
        ("c", "csv", "test"),
    ]


def test_a_gold_that_is_not_in_the_corpus_names_file_and_row(files):
    (files / "questions.csv").write_text("qid,question,cid\na,hỏi,[1]\nb,hỏi,[3]\n")

    with pytest.raises(ValidationError, match=r"questions\.csv: row 3 \(qid b\): gold cid 3 is not in the corpus"):
        ingest(csv_config(files), 42)


def test_test_questions_with_the_ids_of_training_ones_are_refused(files):
    with pytest.raises(ValidationError, match=r"s\.csv: qid a is also in .*questions\.csv \(2 such\); name a file"):
        ingest(csv_config(files, test_questions=files / "questions.csv"), 42)
