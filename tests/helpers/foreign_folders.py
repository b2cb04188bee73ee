"""Small model folders written by transformers and sentence-transformers themselves, for tests that read them."""

from __future__ import annotations

import json
import random
from collections.abc import Callable
from pathlib import Path

import torch
from safetensors.torch import load_file
from sentence_transformers import SentenceTransformer
from sentence_transformers.sentence_transformer import modules as st_modules
from transformers import (
    BertConfig,
    BertForSequenceClassification,
    BertModel,
    BertTokenizer,
    PhobertTokenizer,
    PreTrainedModel,
    PreTrainedTokenizerBase,
    RobertaConfig,
    RobertaForSequenceClassification,
    RobertaModel,
    RobertaTokenizer,
    XLMRobertaConfig,
    XLMRobertaForSequenceClassification,
    XLMRobertaModel,
    XLMRobertaTokenizer,
)

from tests.helpers.tiny_models import WORDS, write_phobert_tokenizer

_PLAIN = sorted({word for joined in WORDS for word in joined.split("_")} | {"query", "passage", "search"})
TEXTS = (
    "Người lao_động được nghỉ hằng năm bao nhiêu ngày?",
    "cá_nhân có quyền xác_lập giao_dịch dân_sự",
    "TOÀ ÁN nhân_dân xét_xử độc_lập, chỉ tuân theo Pháp_luật",
    "điều 88/2014/NĐ-CP",
    "khoản 1 điểm a [ĐIỀU] blds",
)
_DIMENSION, _POSITIONS = 32, 100
_SHAPE = {
    "hidden_size": _DIMENSION,
    "num_hidden_layers": 2,
    "num_attention_heads": 4,
    "intermediate_size": 64,
    "max_position_embeddings": _POSITIONS,
}


def long_text(words: int, seed: int = 0) -> str:
    """A text of so many known words."""
    return " ".join(random.Random(seed).choices(WORDS, k=words))


def _letters() -> list[str]:
    return sorted(set("".join(_PLAIN)) | set("ABCDEĐGHIKLMNOPQRSTUVXYÀÁ[]?,./-_:0123456789"))


def bert_tokenizer(folder: Path, **options: object) -> PreTrainedTokenizerBase:
    """BERT's word pieces; ``options`` such as ``do_lower_case`` go to transformers' class."""
    letters = _letters()
    pieces = dict.fromkeys(
        ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", *_PLAIN, *letters, *(f"##{one}" for one in letters)]
    )
    return BertTokenizer(vocab={piece: number for number, piece in enumerate(pieces)}, **options)


def xlm_tokenizer(folder: Path, **options: object) -> PreTrainedTokenizerBase:
    """XLM-R's pieces with their log probabilities."""
    pieces = [(piece, 0.0) for piece in ("<s>", "<pad>", "</s>", "<unk>")]
    pieces += [(f"▁{word}", -3.0) for word in _PLAIN] + [(letter, -9.0) for letter in _letters()] + [("▁", -4.0)]
    return XLMRobertaTokenizer(vocab=[*dict(pieces).items(), ("<mask>", 0.0)], **options)


def phobert_tokenizer(folder: Path, **options: object) -> PreTrainedTokenizerBase:
    """PhoBERT's byte pairs, of the slow class."""
    write_phobert_tokenizer(folder, dropped=1000)
    return PhobertTokenizer(vocab_file=str(folder / "vocab.txt"), merges_file=str(folder / "bpe.codes"), **options)


def roberta_tokenizer(folder: Path, **options: object) -> PreTrainedTokenizerBase:
    """RoBERTa's byte-level pairs, without merges."""
    from tokenizers.pre_tokenizers import ByteLevel

    pieces = ["<s>", "<pad>", "</s>", "<unk>", *sorted(ByteLevel.alphabet()), "<mask>"]
    return RobertaTokenizer(vocab={piece: number for number, piece in enumerate(pieces)}, merges=[], **options)


TOKENIZERS: dict[str, Callable[..., PreTrainedTokenizerBase]] = {
    "bert": bert_tokenizer,
    "xlm-roberta": xlm_tokenizer,
    "phobert": phobert_tokenizer,
    "roberta": roberta_tokenizer,
}
_ROBERTA = {"pad_token_id": 1, "bos_token_id": 0, "eos_token_id": 2, "type_vocab_size": 1, "layer_norm_eps": 1e-5}


def _model(family: str, vocabulary: int, labels: int) -> PreTrainedModel:
    shape = _SHAPE | {"vocab_size": vocabulary} | ({"num_labels": labels} if labels else {})
    if family == "bert":
        config = BertConfig(**shape)
        return BertForSequenceClassification(config) if labels else BertModel(config, add_pooling_layer=False)
    kinds = {
        "xlm-roberta": (XLMRobertaConfig, XLMRobertaModel, XLMRobertaForSequenceClassification),
    }.get(family, (RobertaConfig, RobertaModel, RobertaForSequenceClassification))
    config = kinds[0](**shape, **_ROBERTA)
    return kinds[2](config) if labels else kinds[1](config, add_pooling_layer=False)


def write_transformer(
    folder: Path, family: str = "xlm-roberta", labels: int = 0, added: tuple[object, ...] = (), **options: object
) -> PreTrainedModel:
    """A folder as ``save_pretrained`` of model and tokenizer leaves it.

    Args:
        folder: Where to.
        family: Key of `TOKENIZERS`.
        labels: Of a classification head; 0 writes an encoder.
        added: Tokens added to the tokenizer, the table of the model enlarged for them.
        **options: For the tokenizer's class.
    """
    folder.mkdir(parents=True, exist_ok=True)
    tokenizer = TOKENIZERS[family](folder, **({"model_max_length": 64} | options))
    tokenizer.add_tokens(list(added))
    model = _model(family, len(tokenizer), labels)
    generator = torch.Generator().manual_seed(labels + 5)
    with torch.no_grad():
        for name, parameter in model.named_parameters():
            if "LayerNorm" not in name:
                parameter.normal_(std=1.0 if "word_embeddings" in name else 0.15, generator=generator)
    model.eval().save_pretrained(folder)
    tokenizer.save_pretrained(folder)
    return model


def write_sentence_transformer(
    folder: Path, *modules: torch.nn.Module, family: str = "xlm-roberta", pooling: object = "mean", **options: object
) -> Path:
    """A folder as ``SentenceTransformer.save`` leaves it: transformer, pooling and further modules.

    Args:
        folder: Where to.
        *modules: After the pooling.
        family: Key of `TOKENIZERS`.
        pooling: Mode of the pooling.
        **options: For SentenceTransformer.
    """
    bare = folder.with_name(f"{folder.name}-bare")
    write_transformer(bare, family)
    transformer = st_modules.Transformer(str(bare))
    chain = [transformer, st_modules.Pooling(_DIMENSION, pooling), *modules]
    SentenceTransformer(modules=chain, device="cpu", **options).save(str(folder))
    return folder


def edit(path: Path, **values: object) -> None:
    """Set keys of a JSON file, which is made where it is not there; None removes a key."""
    old = json.loads(path.read_text(encoding="utf-8")) if path.is_file() else {}
    kept = {key: value for key, value in (old | values).items() if value is not None}
    path.write_text(json.dumps(kept), encoding="utf-8")


def in_format(folder: Path, weights: str) -> None:
    """Rewrite ``model.safetensors`` in another of the usual formats."""
    state = load_file(folder / "model.safetensors")
    names = sorted(state)
    parts = {"00001": names[::2], "00002": names[1::2]}
    if weights == "safetensors":
        return
    if weights in {"float16", "bfloat16"}:
        from safetensors.torch import save_file

        half = {name: tensor.to(getattr(torch, weights)) for name, tensor in state.items()}
        save_file(half, folder / "model.safetensors", metadata={"format": "pt"})
        return
    (folder / "model.safetensors").unlink()
    if weights == "pytorch_model.bin":
        torch.save(state, folder / "pytorch_model.bin")
        return
    base, ending = ("model", "safetensors") if weights == "sharded safetensors" else ("pytorch_model", "bin")
    places = {}
    for number, held in parts.items():
        name = f"{base}-{number}-of-00002.{ending}"
        chosen = {key: state[key] for key in held}
        if ending == "bin":
            torch.save(chosen, folder / name)
        else:
            from safetensors.torch import save_file

            save_file(chosen, folder / name, metadata={"format": "pt"})
        places |= dict.fromkeys(held, name)
    index = folder / f"{base}.{ending}.index.json"
    index.write_text(json.dumps({"metadata": {"total_size": 1}, "weight_map": places}), encoding="utf-8")
