"""YAML, overrides and the one-line errors."""

from __future__ import annotations

from pathlib import Path

import pytest

from retrieval.config import Config
from retrieval.config_file import leaves, load_config, parse_override
from retrieval.errors import ConfigError

CONFIGS = Path(__file__).resolve().parents[2] / "configs"


@pytest.fixture
def empty(tmp_path: Path) -> Path:
    path = tmp_path / "empty.yaml"
    path.write_text("", encoding="utf-8")
    return path


def test_an_empty_file_means_every_default(empty: Path) -> None:
    assert load_config(empty) == Config()


@pytest.mark.parametrize("path", sorted(CONFIGS.glob("*.yaml")), ids=lambda path: path.name)
def test_every_shipped_file_loads_and_is_named_after_itself(path: Path) -> None:
    assert load_config(path).name == path.stem


def test_an_override_beats_the_file_and_the_last_one_of_a_key_wins(tmp_path: Path) -> None:
    path = tmp_path / "c.yaml"
    path.write_text("seed: 1\nbi_encoder: {training: {epochs: 9, learning_rate: 0.1}}\n", encoding="utf-8")
    config = load_config(path, ["bi_encoder.training.epochs=2", "bi_encoder.training.epochs=3"])
    assert (config.seed, config.bi_encoder.training.epochs, config.bi_encoder.training.learning_rate) == (1, 3, 0.1)


@pytest.mark.parametrize(
    ("item", "key", "value"),
    [
        ("data.laws=45/2019/QH14,91/2015/QH13", "laws", ("45/2019/QH14", "91/2015/QH13")),
        ("data.laws=[]", "laws", ()),
        ("data.path_queries=false", "path_queries", False),
        ("data.train_share=0.5", "train_share", 0.5),
        ("data.natural_questions=null", "natural_questions", None),
        ("data.workers = 3", "workers", 3),
    ],
)
def test_text_becomes_what_its_field_holds(empty: Path, item: str, key: str, value: object) -> None:
    assert getattr(load_config(empty, [item]).data, key) == value


def test_a_version_that_looks_like_a_number_stays_text(empty: Path) -> None:
    assert load_config(empty, ["evaluation.model=3"]).evaluation.model == "3"


def test_a_rate_in_exponent_form_is_a_number(empty: Path) -> None:
    assert load_config(empty, ["bi_encoder.training.learning_rate=5e-5"]).bi_encoder.training.learning_rate == 5e-5


def test_a_typed_path_starts_from_the_folder_it_was_typed_in() -> None:
    assert parse_override("evaluation.questions=../q.csv", Path("/a/b")) == ("evaluation.questions", Path("/a/q.csv"))
    assert parse_override("evaluation.questions=/x/q.csv", Path("/a/b"))[1] == Path("/x/q.csv")
    assert parse_override("evaluation.questions=q.csv")[1] == Path("q.csv")
    assert parse_override("evaluation.questions=~/q.csv")[1] == Path.home() / "q.csv"


def test_a_typed_model_folder_starts_from_the_folder_it_was_typed_in_too(tmp_path: Path) -> None:
    (tmp_path / "mine").mkdir()
    for key in ("bi_encoder.base", "cross_encoder.base"):
        assert parse_override(f"{key}=../plain", Path("/a/b"))[1] == "/a/plain"
        assert parse_override(f"{key}=mine", tmp_path)[1] == str(tmp_path / "mine")
        assert parse_override(f"{key}=~/m")[1] == str(Path.home() / "m")
        for name in ("BAAI/bge-m3", "bundled:multilingual-e5-small", "bi-encoder", "/x/m", ""):
            assert parse_override(f"{key}={name}", tmp_path)[1] == name


@pytest.mark.parametrize(
    ("item", "expected"),
    [
        ("data.laws=null", "data.laws: got None"),
        ("seed", "no '='"),
        ("sead=1", "unknown key sead; did you mean seed?"),
        ("bi_encoder.trainig.epochs=1", "did you mean bi_encoder.training.epochs?"),
        ("epochs=1", "did you mean bi_encoder.training.epochs?"),
        ("data=1", "data is a section"),
        ("seed=one", "--set seed: got 'one'"),
        ("data.train_share=3", "less than or equal to 1"),
        ("data.source=bundle", "did you mean bundled?"),
        ("data.source=csv", "needs data.corpus and data.questions"),
        ("search.rerank_depths=[5, 0]", "search.rerank_depths: got 0"),
        ("search.rerank_depths=", "search.rerank_depths: got []"),
        ("search.bm25_weights=[]", "search.bm25_weights: got []"),
        ("bi_encoder.temperature=.inf", "bi_encoder.temperature: got inf; input should be a finite number"),
        ("gates.min_gain_over_bm25=.nan", "gates.min_gain_over_bm25: got nan"),
        ("mining.negatives=0", "mining.negatives: got 0; input should be greater than 0"),
        ("data.laws=[a", "is not YAML"),
    ],
)
def test_a_wrong_override_is_one_line_with_the_nearest_right_key(empty: Path, item: str, expected: str) -> None:
    with pytest.raises(ConfigError) as caught:
        load_config(empty, [item])
    assert expected in str(caught.value)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("sede: 1", "unknown key sede; did you mean seed?"),
        ("data: {train_shares: 1}", "unknown key data.train_shares; did you mean data.train_share?"),
        ("- 1", "holds a list"),
        ("a: b: c", "line 1: not YAML"),
        ("data: 3", "data: got 3"),
    ],
)
def test_a_wrong_file_is_one_line_that_names_it(tmp_path: Path, text: str, expected: str) -> None:
    path = tmp_path / "bad.yaml"
    path.write_text(text, encoding="utf-8")
    with pytest.raises(ConfigError) as caught:
        load_config(path)
    assert str(caught.value).startswith(str(path))
    assert expected in str(caught.value)
    assert "\n" not in str(caught.value)


def test_a_missing_file_names_the_nearest_one(empty: Path) -> None:
    with pytest.raises(ConfigError, match=r"emty\.yaml: no such configuration file; did you mean .*empty\.yaml\?"):
        load_config(empty.with_name("emty.yaml"))


def test_a_file_that_is_not_utf8_says_so(tmp_path: Path) -> None:
    path = tmp_path / "latin.yaml"
    path.write_bytes("name: é".encode("latin-1"))
    with pytest.raises(ConfigError, match="not UTF-8"):
        load_config(path)


def test_leaves_are_all_plain_keys() -> None:
    keys = [key for key, _ in leaves(Config)]
    assert "bi_encoder.training.epochs" in keys
    assert len(keys) == len(set(keys))
