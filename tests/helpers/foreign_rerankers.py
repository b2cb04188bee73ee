"""Small rerankers of many architectures, written by transformers and sentence-transformers themselves."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import torch
from sentence_transformers import CrossEncoder as TheirCrossEncoder
from sentence_transformers.base.modules import Transformer
from sentence_transformers.cross_encoder.modules import LogitScore
from tokenizers import Tokenizer, decoders, models, pre_tokenizers, trainers
from transformers import (
    AutoModelForCausalLM,
    AutoModelForSequenceClassification,
    DebertaV2Config,
    Gemma3TextConfig,
    ModernBertConfig,
    PreTrainedConfig,
    PreTrainedTokenizerFast,
    Qwen3Config,
    XLNetConfig,
)

from retrieval.models.cross_encoder import load_cross_encoder
from retrieval.runtime import Runtime
from tests.helpers.foreign_folders import TEXTS, bert_tokenizer, long_text

_SHAPE = {
    "hidden_size": 32,
    "num_hidden_layers": 2,
    "num_attention_heads": 4,
    "intermediate_size": 64,
    "max_position_embeddings": 512,
}
_DECODER = _SHAPE | {"num_key_value_heads": 2, "head_dim": 8}
CHAT_ENDS = ("<|endoftext|>", "<|im_start|>", "<|im_end|>", "<think>", "</think>")
JUDGE = (
    "<|im_start|>system\nJudge whether the Document meets the requirements based on the Query and the Instruct"
    ' provided. Note that the answer can only be "yes" or "no".<|im_end|>\n<|im_start|>user\n'
)
"""As the card of Qwen3-Reranker gives it."""
INSTRUCTION = "Given a web search query, retrieve relevant passages that answer the query"
ENDING = "<|im_end|>\n<|im_start|>assistant\n<think>\n\n</think>\n\n"
PAIR_TEMPLATE = (
    JUDGE + "<Instruct>: {{ messages | selectattr('role', 'eq', 'system') | map(attribute='content') | first |"
    " default('" + INSTRUCTION + "') }}\n"
    "<Query>: {{ messages | selectattr('role', 'eq', 'query') | map(attribute='content') | first }}\n"
    "<Document>: {{ messages | selectattr('role', 'eq', 'document') | map(attribute='content') | first }}"
    "<|im_end|>\n<|im_start|>assistant\n<think>\n\n</think>\n\n{{ '' }}"
)
"""A chat template for pairs, as rerankers have it since version 5.4 of sentence-transformers."""


def byte_tokenizer(**options: object) -> PreTrainedTokenizerFast:
    """Byte-level pairs as Qwen has them: no special tokens around a text, and those of its chats."""
    core = Tokenizer(models.BPE())
    core.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    core.decoder = decoders.ByteLevel()
    texts = [*TEXTS, long_text(200), JUDGE, INSTRUCTION, *["yes no"] * 50]
    trainer = trainers.BpeTrainer(
        vocab_size=500, special_tokens=[CHAT_ENDS[0]], initial_alphabet=pre_tokenizers.ByteLevel.alphabet(),
        show_progress=False,
    )  # fmt: skip
    core.train_from_iterator([*texts, *["yes", "no"] * 50], trainer)
    tokenizer = PreTrainedTokenizerFast(
        tokenizer_object=core, pad_token=CHAT_ENDS[0], eos_token=CHAT_ENDS[2], padding_side="left",
        **({"model_max_length": 400} | options),
    )  # fmt: skip
    tokenizer.add_special_tokens({"additional_special_tokens": list(CHAT_ENDS[1:])})
    return tokenizer


def _qwen(**options: object) -> PreTrainedConfig:
    return Qwen3Config(**(_DECODER | {"tie_word_embeddings": False} | options))


CONFIGS: dict[str, Callable[..., PreTrainedConfig]] = {
    "modernbert": lambda **more: ModernBertConfig(**_SHAPE, local_attention=16, **more),
    "modernbert-mean": lambda **more: ModernBertConfig(**_SHAPE, classifier_pooling="mean", **more),
    "deberta-v2": lambda **more: DebertaV2Config(
        **_SHAPE, relative_attention=True, pos_att_type=["p2c", "c2p"], type_vocab_size=0, **more
    ),
    "qwen3": _qwen,
    "gemma3": lambda **more: Gemma3TextConfig(**_DECODER, **more),
    "xlnet": lambda **more: XLNetConfig(d_model=32, n_layer=2, n_head=4, d_inner=64, **more),
}
"""Architectures by name; all but the decoders are given BERT's tokenizer."""
_DECODERS = ("qwen3", "gemma3")


def _drawn(model: torch.nn.Module, seed: int = 5) -> torch.nn.Module:
    generator = torch.Generator().manual_seed(seed)
    with torch.no_grad():
        for parameter in model.parameters():
            if parameter.ndim > 1:
                parameter.normal_(std=0.25, generator=generator)
    return model.eval()


def write_classifier(folder: Path, kind: str, labels: int = 1, **options: object) -> Path:
    """A sequence classifier as ``save_pretrained`` of model and tokenizer leaves it; ``options`` go to its config."""
    folder.mkdir(parents=True, exist_ok=True)
    decoder = kind in _DECODERS
    tokenizer = byte_tokenizer() if decoder else bert_tokenizer(folder, model_max_length=64)
    config = CONFIGS[kind](vocab_size=len(tokenizer), num_labels=labels, pad_token_id=tokenizer.pad_token_id, **options)
    _drawn(AutoModelForSequenceClassification.from_config(config)).save_pretrained(folder)
    tokenizer.save_pretrained(folder)
    return folder


def write_causal(folder: Path, template: str | None = None, kind: str = "qwen3", **options: object) -> Path:
    """A causal language model, as the older folders of Qwen3-Reranker are; ``options`` go to its config."""
    folder.mkdir(parents=True, exist_ok=True)
    tokenizer = byte_tokenizer(**({"chat_template": template} if template else {}))
    config = CONFIGS[kind](vocab_size=len(tokenizer), pad_token_id=tokenizer.pad_token_id, **options)
    _drawn(AutoModelForCausalLM.from_config(config)).save_pretrained(folder)
    tokenizer.save_pretrained(folder)
    return folder


def write_logit_score(folder: Path, template: str | None = PAIR_TEMPLATE, both: bool = True, **options: object) -> Path:
    """A folder as ``CrossEncoder.save`` leaves it, of a causal language model and a LogitScore.

    Args:
        folder: Where to.
        template: Chat template; None reads pairs as two texts.
        both: Whether the logit of ``no`` is taken off that of ``yes``.
        **options: For CrossEncoder.
    """
    bare = write_causal(folder.with_name(f"{folder.name}-bare"), template)
    transformer = Transformer(str(bare), transformer_task="text-generation")
    yes, no = transformer.tokenizer.convert_tokens_to_ids(["yes", "no"])
    modules = [transformer, LogitScore(yes, no if both else None)]
    TheirCrossEncoder(modules=modules, device="cpu", **options).save(str(folder))
    return folder


def assert_same_as_theirs(folder: Path, pairs: list[tuple[str, str]]) -> None:
    """Logits of our reranker are those of sentence-transformers' on the same folder."""
    expected = TheirCrossEncoder(str(folder), device="cpu").predict(pairs, activation_fn=torch.nn.Identity())
    ours = load_cross_encoder(folder).score(pairs, Runtime(torch.device("cpu"), torch.float32, 1))
    np.testing.assert_allclose(ours, expected, atol=1e-4)
