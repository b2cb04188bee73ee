"""Reads folders of rerankers that run as transformers' own classes: ours, and those of other libraries."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from retrieval.errors import ModelError
from retrieval.models.backbone.bert_config import CONFIG_FILE, FAMILIES
from retrieval.models.classifier import Classifier, load_classifier, load_judge
from retrieval.models.hf_files import read_object
from retrieval.models.io.huggingface.modules import Modules
from retrieval.models.io.huggingface.rerankers import read_reranker
from retrieval.models.io.model_settings import ModelSettings
from retrieval.models.pair_template import PairTemplate
from retrieval.models.tokenizer.folder import load_tokenizer
from retrieval.models.tokenizer.hf_settings import read_tokenizer_settings
from retrieval.models.tokenizer.text_tokenizer import TextTokenizer

Whole = tuple[Classifier, TextTokenizer, ModelSettings]


def read_saved(folder: Path, settings: ModelSettings, layers: int) -> Whole:
    """A folder that this library wrote.

    Raises:
        ModelError: If it cannot be read.
        ConfigError: If ``layers`` is above what the model has.
    """
    tokenizer = load_tokenizer(folder)
    return load_classifier(folder, tokenizer.pad_id, layers), tokenizer, settings


def read_foreign(folder: Path, modules: Modules, name: str, layers: int) -> Whole | None:
    """A reranker of another library; None where the folder holds something else, or one of the families run here.

    Args:
        folder: The model's folder.
        modules: What its modules.json says.
        name: What the user called it; kept as ``base``.
        layers: Keep only this many lowest layers; 0 keeps all.

    Raises:
        ModelError: If a file asks for what this library does not do, or the model cannot be read.
        ConfigError: If ``layers`` is above what the model has.
    """
    home, told = modules.home, read_tokenizer_settings(modules.home)
    found = read_reranker(folder, modules, name, told.max_length)
    kind = str(read_object(home / CONFIG_FILE).get("model_type"))
    if found is None or (kind in FAMILIES and not found.template and not found.tokens and not found.query_prefix):
        return None
    tokenizer = load_tokenizer(home, kind)
    tokens = found.tokens
    if found.words:
        yes, no = (_token_of(tokenizer, word, home) for word in found.words)
        tokens = yes, no
    if tokens:
        model = load_judge(home, tokenizer.pad_id, *tokens, layers)
    else:
        model = load_classifier(home, tokenizer.pad_id, layers)
    if not tokenizer.usual_types and told.token_types:
        raise ModelError(f"{home}: its tokenizer gives token types that are not BERT's; give another model")
    longest = min(found.longest, model.config.max_tokens if model.config.max_tokens > 0 else found.longest)
    settings = ModelSettings(
        kind="cross-encoder", base=name, pooling="cls", normalize=False, query_prefix=found.query_prefix,
        max_query_tokens=longest, max_passage_tokens=longest, max_tokens=longest, head="own",
        pair_template=str(PairTemplate.parse(found.template)) if found.template else "",
    )  # fmt: skip
    settings = replace(settings, dimension=model.config.hidden_size)
    return model, tokenizer.lower_cased() if found.lower else tokenizer, settings


def _token_of(tokenizer: TextTokenizer, word: str, home: Path) -> int:
    (ids,) = tokenizer.encode_plain([word])
    if len(ids) != 1:
        raise ModelError(f"{home}: {word!r} is {len(ids)} tokens of its tokenizer, not one; give a Qwen3-Reranker")
    return ids[0]
