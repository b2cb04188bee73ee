"""YAML, overrides and the one-line errors."""

from __future__ import annotations

from pathlib import Path

import pytest

from retrieval.config.file import REMOVED_KEYS, RENAMED_KEYS, leaves, load_config, parse_override
from retrieval.config.schema import Config
from retrieval.errors import ConfigError

CONFIGS = Path(__file__).resolve().parents[3] / "configs"


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


def written(folder: Path, **texts: str) -> Path:
    """Files of these names and texts; the first one's path."""
    for name, text in texts.items():
        (folder / f"{name}.yaml").write_text(text, encoding="utf-8")
    return folder / f"{next(iter(texts))}.yaml"


def test_a_file_takes_what_it_does_not_set_from_the_one_it_extends(tmp_path: Path) -> None:
    path = written(
        tmp_path,
        own="extends: middle.yaml\nbi_encoder: {training: {epochs: 3}}\nsearch: {rerank_depths: [7]}\n",
        middle="extends: root.yaml\nbi_encoder: {training: {epochs: 5, max_steps: 6}}\n",
        root="seed: 1\nbi_encoder: {layers: 2, training: {max_steps: 9}}\nsearch: {rerank_depths: [5, 10]}\n",
    )
    config = load_config(path, ["bi_encoder.layers=4"])
    training = config.bi_encoder.training
    assert (config.seed, config.bi_encoder.layers, training.epochs, training.max_steps) == (1, 4, 3, 6)
    assert config.search.rerank_depths == (7,)  # a list is taken whole


@pytest.mark.parametrize(
    ("own", "root", "expected"),
    [
        (
            "extends: rot.yaml",
            "seed: 1",
            "own.yaml: extends: {0}/rot.yaml: no such configuration file; did you",
        ),
        ("extends: own.yaml", "", "own.yaml: extends leads back to {0}/own.yaml; remove it from one of the files"),
        ("extends: root.yaml", "extends: own.yaml", "own.yaml: extends leads back to {0}/own.yaml"),
        ("extends: [root.yaml]", "", "own.yaml: extends: got ['root.yaml']; name one file, such as quickstart.yaml"),
        ("extends: root.yaml", "sede: 1", "root.yaml: unknown key sede; did you mean seed?"),
        ("extends: root.yaml\nname: x", "seed: -1", "root.yaml: seed: got -1"),
        ("extends: root.yaml\nseed: -2", "seed: 1", "own.yaml: seed: got -2"),
        ("extend: root.yaml", "", "own.yaml: unknown key extend; did you mean extends?"),
        ("data: {extends: root.yaml}", "", "own.yaml: unknown key data.extends"),
    ],
)
def test_a_wrong_extension_is_one_line_that_names_the_file_at_fault(
    tmp_path: Path, own: str, root: str, expected: str
) -> None:
    path = written(tmp_path, own=own, root=root)
    with pytest.raises(ConfigError) as caught:
        load_config(path)
    assert str(caught.value).startswith(f"{tmp_path}/{expected.format(tmp_path)}")
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("key", "new"),
    [
        ("bi_encoder.training.fast_epochs", "bi_encoder.training.epochs"),
        ("bi_encoder.training.fast_freeze_layers", "bi_encoder.training.freeze_layers"),
        ("cross_encoder.training.fast_epochs", "cross_encoder.training.epochs"),
        ("cross_encoder.training.fast_freeze_layers", "cross_encoder.training.freeze_layers"),
        ("cross_encoder.fast_training_queries", "cross_encoder.training_queries"),
    ],
)
def test_a_fast_key_names_the_key_and_the_file_that_replace_it(empty: Path, key: str, new: str) -> None:
    nested = "2"
    for part in reversed(key.split(".")):
        nested = f"{{{part}: {nested}}}"
    path = written(empty.parent, old=nested)
    file = "a file for machines with bfloat16, as configs/quickstart-bf16.yaml does"
    for given, overrides, start in ((path, [], str(path)), (empty, [f"{key}=2"], f"--set {key}=2")):
        with pytest.raises(ConfigError) as caught:
            load_config(given, overrides)
        assert str(caught.value) == f"{start}: there is no {key} any more; set {new} in {file}"


def test_a_renamed_key_or_section_names_the_new_one(empty: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(RENAMED_KEYS, "data.words", "data.passage_tokens")
    monkeypatch.setitem(RENAMED_KEYS, "finding", "search")
    path = written(empty.parent, old="data: {words: 3}", older="finding: {bm25_b: 0.5}")
    with pytest.raises(ConfigError, match=r"old\.yaml: data\.words is now called data\.passage_tokens; rename it$"):
        load_config(path)
    with pytest.raises(ConfigError, match=r"older\.yaml: finding is now called search; rename it$"):
        load_config(path.with_name("older.yaml"))
    with pytest.raises(ConfigError, match=r"^--set finding\.bm25_b=1: finding\.bm25_b is now called search\.bm25_b"):
        load_config(empty, ["finding.bm25_b=1"])


def test_old_keys_are_none_of_the_schema_and_what_they_are_called_now_is() -> None:
    keys = {key for key, _ in leaves(Config)}
    known = keys | {key.rpartition(".")[0] for key in keys}
    assert not known & {*RENAMED_KEYS, *REMOVED_KEYS}
    assert {*RENAMED_KEYS.values()} <= known
