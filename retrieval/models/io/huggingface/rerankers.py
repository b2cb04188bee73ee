"""Settings of rerankers that other libraries wrote and that run as transformers' own classes."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from retrieval.errors import ModelError
from retrieval.models.backbone.bert_config import CONFIG_FILE
from retrieval.models.hf_files import read_object, section
from retrieval.models.io.huggingface.chat_templates import PUBLISHED_TOKENS, chat_template, known_template, names_roles
from retrieval.models.io.huggingface.modules import Modules
from retrieval.models.io.huggingface.settings import MODEL_FILE, longest_input, refuse_other_tasks, transformer_settings

_ACTIVATIONS = frozenset({"Sigmoid", "Identity"})
"""What sentence-transformers makes of a logit and leaves the logit told by: it is given here, with its sigmoid."""
_SIZES = frozenset({"truncation", "max_length", "padding", "return_tensors", "restore_suffix"})


@dataclass(frozen=True)
class Reranker:
    """What a folder's files say of a reranker.

    Attributes:
        tokens: Next tokens of a causal language model whose logits are compared, the second maybe None; empty for a
            sequence classifier.
        words: The same as texts, where no file names their ids.
        template: The text that a pair is read as; empty where query and passage are two texts.
        query_prefix: Put before a query.
        longest: Longest input in tokens.
        lower: Whether texts are lower-cased first.
    """

    tokens: tuple[int, int | None] | None
    words: tuple[str, str] | None
    template: str
    query_prefix: str
    longest: int
    lower: bool


def refuse_other_activations(folder: Path, home: Path) -> None:
    """Raise where a folder asks for another function of the logit than sigmoid or none.

    Args:
        folder: The model's folder.
        home: Where its ``config.json`` lies.

    Raises:
        ModelError: Names the function.
    """
    config = read_object(home / CONFIG_FILE)
    old = section(config, "sentence_transformers", home / CONFIG_FILE).get("activation_fn")  # versions 4 and 5
    places = (
        (folder / MODEL_FILE, read_object(folder / MODEL_FILE).get("activation_fn")),
        (home / CONFIG_FILE, old or config.get("sbert_ce_default_activation_function")),
    )
    path, name = next(((path, str(name)) for path, name in places if name), (folder, ""))
    if name and not (name.startswith("torch.nn.") and name.rpartition(".")[2] in _ACTIVATIONS):
        raise ModelError(
            f"{path}: its scores are {name} of the logits; here they are the logits and their sigmoid, so set it to"
            " torch.nn.modules.activation.Sigmoid if that is what you want"
        )


def read_reranker(folder: Path, modules: Modules, name: str, max_length: int | None) -> Reranker | None:
    """What a folder says of a reranker; None where it holds something else.

    Args:
        folder: The model's folder.
        modules: What its modules.json says.
        name: What the user called the model.
        max_length: Longest input that the tokenizer's own files name.

    Raises:
        ModelError: If a file asks for what this library does not do.
    """
    if modules.pooling:
        return None
    config, top = read_object(modules.home / CONFIG_FILE), read_object(folder / MODEL_FILE)
    path, values = transformer_settings(modules.home)
    architectures = str(config.get("architectures"))
    causal = "ForCausalLM" in architectures
    names = (name, str(folder), str(config.get("_name_or_path")))
    known = known_template(names, str(config.get("model_type")), causal)
    judges = modules.score_tokens is not None or (bool(known) and causal and not modules.listed)
    classifies = (
        top.get("model_type") == "CrossEncoder"
        or values.get("transformer_task") == "sequence-classification"
        or "SequenceClassification" in architectures
    )
    if not judges and not classifies:
        return None
    refuse_other_tasks(values, path, "text-generation" if judges else "sequence-classification")
    refuse_other_activations(folder, modules.home)
    prompt = _prompt(top, folder / MODEL_FILE)
    template = _template(modules, values, path, prompt, known)
    longest = longest_input(values, path, max_length)
    return Reranker(
        tokens=modules.score_tokens,
        words=("yes", "no") if judges and modules.score_tokens is None else None,
        template=template,
        query_prefix="" if template else prompt,
        longest=min(longest, PUBLISHED_TOKENS) if known and template == known else longest,
        lower=bool(values.get("do_lower_case")),
    )


def _prompt(top: Mapping[str, Any], path: Path) -> str:
    """The prompt that goes with every pair."""
    prompts, default = section(top, "prompts", path), top.get("default_prompt_name")
    if default is None and any(prompts.values()):
        raise ModelError(
            f"{path}: has prompts, but default_prompt_name does not say which of them a cross-encoder is given; set it"
            " to one of them, or remove the prompts"
        )
    if default is not None and not isinstance(prompts.get(str(default)), str):
        raise ModelError(f"{path}: default_prompt_name {default!r} is not one of {list(prompts)}; mend the file")
    return str(prompts.get(str(default)) or "")


def _template(modules: Modules, values: Mapping[str, Any], path: Path, prompt: str, known: str) -> str:
    """The text that a pair is read as, by what the folder says, and by its name where it says nothing."""
    messages = section(section(values, "modality_config", path), "message", path)
    if messages or (not modules.listed and names_roles(modules.home)):
        processing = section(values, "processing_kwargs", path)
        arguments = section(processing, "chat_template", path)
        if strange := [name for name in arguments if name in _SIZES]:
            raise ModelError(f"{path}: processing_kwargs.chat_template.{strange[0]} is set, which is not done here")
        return chat_template(modules.home, prompt, arguments, parts=messages.get("format") == "structured")
    return "" if modules.listed else known
