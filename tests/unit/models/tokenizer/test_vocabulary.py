from __future__ import annotations

import unicodedata

from retrieval.models.tokenizer.vocabulary import LETTERS, vietnamese_pieces


def test_letters_are_the_29_of_vietnamese_with_their_tones_and_f_j_w_z():
    plain = {unicodedata.normalize("NFD", letter.replace("đ", "d"))[0] for letter in LETTERS}
    assert plain == set("abcdefghijklmnopqrstuvwxyz")
    assert len(LETTERS) == 12 * 6 + 17 + 4  # vowels with five tones or none, consonants, borrowed letters


def test_pieces_of_vietnamese_and_basic_latin_and_signs_are_kept():
    pieces = ["<s>", "▁", "▁Điều", "ƯỜNG", "▁internet", "▁80", "/2014", "▁—", "§§", "▁quyền_sở_hữu"]
    assert vietnamese_pieces(pieces) == list(range(len(pieces)))


def test_other_letters_are_kept_one_by_one():
    pieces = ["▁при", "▁п", "п", "ção", "法律", "法", "▁Straße", "ß"]
    assert [pieces[number] for number in vietnamese_pieces(pieces)] == ["▁п", "п", "法", "ß"]
