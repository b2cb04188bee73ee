from __future__ import annotations

import pytest

from retrieval.errors import ModelError
from retrieval.models.tokenizer.folder import load_tokenizer
from tests.helpers.tiny_models import sentences, unigram_tokenizer, write_phobert_tokenizer

BOS, PAD, EOS = 0, 1, 2


@pytest.fixture(scope="module")
def tokenizer():
    return unigram_tokenizer()


def test_a_text_stands_between_its_special_tokens(tokenizer):
    (row,) = tokenizer.encode(["quy định"], 10)
    assert (row[0], row[-1], len(row)) == (BOS, EOS, 4)
    assert tokenizer.pad_id == PAD


def test_an_empty_text_is_its_special_tokens(tokenizer):
    assert tokenizer.encode([""], 10) == [[BOS, EOS]]


def test_a_long_text_loses_its_end_not_its_closing_token(tokenizer):
    (whole,) = tokenizer.encode(["quy định " * 50], 1000)
    (cut,) = tokenizer.encode(["quy định " * 50], 12)
    assert cut == [*whole[:11], EOS]


@pytest.mark.parametrize(
    "spaced", ["quy\nđịnh", "  quy \t định ", "quy\u200bđịnh", "quy\x01\r\nđịnh\ufeff", "qu\u0079 đi\u0323nh"]
)
def test_white_space_and_composition_do_not_change_the_ids(tokenizer, spaced):
    assert tokenizer.encode([spaced], 10) == tokenizer.encode(["quy định"], 10)


def test_a_pair_is_laid_out_as_roberta_does(tokenizer):
    (query,), (passage,) = tokenizer.encode(["quy"], 9), tokenizer.encode(["định"], 9)
    assert tokenizer.encode_pairs_counted(["quy"], ["định"], 20, 8)[0] == [[*query, EOS, *passage[1:]]]


def test_the_query_has_its_cap_and_the_passage_fills_the_rest(tokenizer):
    (row,) = tokenizer.encode_pairs_counted(["quy " * 40], ["định " * 40], 30, 6)[0]
    assert len(row) == 30
    assert row.index(EOS) == 7
    (short,) = tokenizer.encode_pairs_counted(["quy"], ["định " * 40], 30, 6)[0]
    assert (len(short), short.index(EOS)) == (30, 2)


def test_pairs_that_do_not_fit_are_named(tokenizer):
    with pytest.raises(ModelError, match="got 2 queries and 1 passages"):
        tokenizer.encode_pairs_counted(["a", "b"], ["c"], 20, 5)[0]
    with pytest.raises(ModelError, match="no room for a passage"):
        tokenizer.encode_pairs_counted(["a"], ["b"], 20, 16)[0]
    with pytest.raises(ModelError, match="no room beside special tokens"):
        tokenizer.encode(["a"], 2)


def test_offsets_cover_every_character_that_is_not_space(tokenizer):
    text = "Điều 88.\nquy định  của bộ luật"
    (offsets,) = tokenizer.offsets([text])
    covered = {place for start, end in offsets for place in range(start, end)}
    assert {place for place, character in enumerate(text) if not character.isspace()} <= covered


def test_a_saved_tokenizer_gives_the_same_ids(tokenizer, tmp_path):
    tokenizer.save(tmp_path)
    again = load_tokenizer(tmp_path)
    texts = [text.replace("_", " ") for text in sentences(20)]
    assert again.encode(texts, 64) == tokenizer.encode(texts, 64)
    assert again.pad_id == tokenizer.pad_id


def test_models_with_the_same_tokenizer_file_share_what_was_read_and_a_changed_file_is_read_anew(tmp_path):
    folders = [tmp_path / name for name in ("one", "two", "other")]
    for folder in folders:
        folder.mkdir()
        unigram_tokenizer().save(folder)
    path = folders[2] / "tokenizer.json"
    path.write_text(path.read_text(encoding="utf-8").replace("NFKC", "NFC"), encoding="utf-8")
    one, two, other = (load_tokenizer(folder) for folder in folders)
    assert one._core is two._core
    text = "½ ngày"  # NFKC makes 1⁄2 of it
    assert one.encode([text], 64) == two.encode([text], 64) != other.encode([text], 64)


def test_a_saved_phobert_tokenizer_still_turns_unknown_pieces_into_unk(tmp_path):
    vocabulary = write_phobert_tokenizer(tmp_path / "slow")
    tokenizer = load_tokenizer(tmp_path / "slow")
    (tmp_path / "fast").mkdir()
    tokenizer.save(tmp_path / "fast")
    again = load_tokenizer(tmp_path / "fast")
    rows = tokenizer.encode(sentences(30), 64)
    assert again.encode(sentences(30), 64) == rows
    assert len(again) == len(tokenizer) == vocabulary
    assert max(max(row) for row in rows) < vocabulary
    assert any(3 in row for row in rows)


def test_a_cut_tokenizer_file_is_one_clear_error(tokenizer, tmp_path):
    tokenizer.save(tmp_path)
    path = tmp_path / "tokenizer.json"
    path.write_text(path.read_text(encoding="utf-8")[:200], encoding="utf-8")
    with pytest.raises(ModelError, match="its tokenizer cannot be read"):
        load_tokenizer(tmp_path)


@pytest.mark.parametrize(
    ("name", "message"), [("vocab.txt", "<token> <count>"), ("bpe.codes", "<left> <right> <count>")]
)
def test_a_wrong_line_of_a_phobert_file_is_named(tmp_path, name, message):
    write_phobert_tokenizer(tmp_path)
    path = tmp_path / name
    path.write_text("một_dòng_hỏng\n" + path.read_text(encoding="utf-8"), encoding="utf-8")
    with pytest.raises(ModelError, match=f"{name}: line 1 .*{message}"):
        load_tokenizer(tmp_path)
