from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tokenizers import Tokenizer

from retrieval.models.tokenizer.folder import load_tokenizer
from retrieval.models.tokenizer.text_tokenizer import TOKENIZER_FILE, TextTokenizer
from retrieval.models.tokenizer.unigram import Unigram, unigram_of
from tests.helpers.tiny_models import unigram_tokenizer

UNKNOWN = 3
PIECES = [("<s>", 0.0), ("<pad>", 0.0), ("</s>", 0.0), ("<unk>", 0.0)]
LETTERS = "quyđịnhx1½́漢🙂 ▁\n\u3000\u200b<s>/"


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    folder = tmp_path_factory.mktemp("tokenizer")
    unigram_tokenizer().save(folder)
    return folder


@pytest.fixture(scope="module")
def both(folder):
    return load_tokenizer(folder), Tokenizer.from_file(str(folder / TOKENIZER_FILE))


@pytest.fixture(scope="module")
def untidy(folder, tmp_path_factory):
    file = json.loads((folder / TOKENIZER_FILE).read_text(encoding="utf-8"))
    path = tmp_path_factory.mktemp("untidy") / TOKENIZER_FILE
    path.write_text(json.dumps(file | {"normalizer": {"type": "NFKC"}}), encoding="utf-8")
    return load_tokenizer(path.parent), Tokenizer.from_file(str(path))


def test_the_likelier_of_two_ways_to_cut_a_word_is_taken():
    likely_pair = Unigram([*PIECES, ("▁a", -1.0), ("b", -1.0), ("▁ab", -2.5)], UNKNOWN)
    likely_whole = Unigram([*PIECES, ("▁a", -1.0), ("b", -1.0), ("▁ab", -1.5)], UNKNOWN)
    assert likely_pair.encode("ab") == [4, 5]
    assert likely_whole.encode("ab") == [6]


def test_neighbouring_characters_outside_the_vocabulary_are_one_unknown():
    model = Unigram([*PIECES, ("▁", -1.0), ("a", -1.0)], UNKNOWN)
    assert model.encode("?!a?") == [4, UNKNOWN, 5, UNKNOWN]


def test_no_text_has_no_pieces():
    assert Unigram([*PIECES, ("▁", -1.0)], UNKNOWN).encode("") == []


def test_a_word_seen_before_has_the_same_pieces(monkeypatch):
    monkeypatch.setattr("retrieval.models.tokenizer.unigram._MOST_KNOWN_WORDS", 2)
    model = Unigram([*PIECES, ("▁", -1.0), ("a", -1.0), ("b", -1.0)], UNKNOWN)
    first = [model.encode(word) for word in ("a", "b", "ab", "a", "ab")]
    assert first == [[4, 5], [4, 6], [4, 5, 6], [4, 5], [4, 5, 6]]


@given(st.text(alphabet=LETTERS, max_size=40) | st.text(max_size=20))
def test_it_splits_as_tokenizers_does(both, text):
    ours, theirs = both
    assert ours.encode([text], 10_000) == [theirs.encode(text).ids]


@given(st.text(alphabet=LETTERS, max_size=40))
def test_it_splits_as_tokenizers_does_where_nothing_tidies_the_spaces(untidy, text):
    ours, theirs = untidy
    assert ours.encode([text], 10_000) == [theirs.encode(text).ids]


def test_what_is_loaded_saves_the_same_file(folder, both, tmp_path):
    both[0].save(tmp_path)
    for name in (TOKENIZER_FILE, "text_tokenizer.json", "tokenizer_config.json"):
        assert (tmp_path / name).read_bytes() == (folder / name).read_bytes()
    assert len(both[0]) == both[1].get_vocab_size()


def test_offsets_are_those_of_the_whole_tokenizer(both):
    ours, theirs = both
    text = "Điều 1.\nquy  định"
    assert ours.offsets([text]) == [theirs.encode(text, add_special_tokens=False).offsets]


@pytest.mark.parametrize(
    "change",
    [
        lambda file: file["model"].update(type="BPE"),
        lambda file: file["model"].update(byte_fallback=True),
        lambda file: file["model"].update(unk_id=None),
        lambda file: file["pre_tokenizer"].update(prepend_scheme="never"),
        lambda file: file.update(normalizer=None),
        lambda file: file.update(added_tokens=[{"id": 0, "content": "<s>"}]),
    ],
)
def test_a_tokenizer_with_other_steps_is_left_to_tokenizers(folder, change):
    file = json.loads((folder / TOKENIZER_FILE).read_text(encoding="utf-8"))
    assert unigram_of(file) is not None
    change(file)
    assert unigram_of(file) is None


def test_ids_that_the_model_does_not_know_become_unknown(folder, both):
    core, vocabulary = Tokenizer.from_file(str(folder / TOKENIZER_FILE)), 5
    unigram = unigram_of(json.loads(core.to_str()))
    (row,) = TextTokenizer(core, 1, vocabulary, UNKNOWN, unigram).encode(["quy định"], 100)
    assert row == [piece if piece < vocabulary else UNKNOWN for piece in both[0].encode(["quy định"], 100)[0]]
    assert UNKNOWN in row


def test_a_file_without_a_sidecar_finds_its_padding(folder, tmp_path):
    (tmp_path / TOKENIZER_FILE).write_bytes((folder / TOKENIZER_FILE).read_bytes())
    assert load_tokenizer(tmp_path).pad_id == PIECES.index(("<pad>", 0.0))


def test_a_vocabulary_that_lists_a_piece_twice_is_left_to_tokenizers(folder):
    file = json.loads((folder / TOKENIZER_FILE).read_text(encoding="utf-8"))
    file["model"]["vocab"].append(file["model"]["vocab"][-1])
    assert unigram_of(file) is None
