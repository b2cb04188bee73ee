"""In which text a folder's reranker reads a pair: its own chat template, or that of a model known by its name."""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from retrieval.errors import ModelError
from retrieval.models.hf_files import read_object
from retrieval.models.pair_template import DOCUMENT, QUERY, PairTemplate
from retrieval.models.tokenizer.hf_settings import TOKENIZER_CONFIG

_QWEN3 = (
    "<|im_start|>system\nJudge whether the Document meets the requirements based on the Query and the Instruct"
    ' provided. Note that the answer can only be "yes" or "no".<|im_end|>\n<|im_start|>user\n<Instruct>: Given a web'
    f" search query, retrieve relevant passages that answer the query\n<Query>: {QUERY}\n<Document>: {DOCUMENT}"
    "<|im_end|>\n<|im_start|>assistant\n<think>\n\n</think>\n\n"
)
"""As the card of Qwen/Qwen3-Reranker-0.6B gives it, which is in no file of the older folders."""
PUBLISHED_TOKENS = 8192
"""Longest pair in that card."""
_RERANKER, _QWEN3_RERANKER = (re.compile(one, re.IGNORECASE) for one in ("rerank", "qwen3[-_]?reranker"))
_ROLES = (re.compile(r"""["']query["']"""), re.compile(r"""["']document["']"""))
_PROBES = (("alpha", "bravo"), ("c  d\ne", "Foxtrot!"), (" golf ", "\nhotel "))
_FILES = ("chat_template.jinja", "chat_template.json")


def known_template(names: tuple[str, ...], model_type: str, causal: bool) -> str:
    """The published template of a model that is known by its name; empty where it is not.

    Args:
        names: What the user calls the model, and what its own files do.
        model_type: From its ``config.json``.
        causal: Whether it is a causal language model: of these Qwen3-Reranker is the one that is called reranker. A
            classifier made of it must have its whole name, since others are trained on pairs without a template.
    """
    called = _RERANKER if causal else _QWEN3_RERANKER
    return _QWEN3 if model_type == "qwen3" and any(called.search(name) for name in names) else ""


def names_roles(home: Path) -> bool:
    """Whether a folder's chat template is made for pairs: it speaks of the roles ``query`` and ``document``."""
    texts = [(home / name).read_text(encoding="utf-8") for name in _FILES if (home / name).is_file()]
    texts.append(str(read_object(home / TOKENIZER_CONFIG).get("chat_template") or ""))
    return any(all(role.search(text) for role in _ROLES) for text in texts)


def chat_template(home: Path, prompt: str, arguments: Mapping[str, Any], parts: bool) -> str:
    """A pair's text by the folder's chat template, query and document as messages of these roles.

    Args:
        home: Folder of the tokenizer.
        prompt: First message, of the role ``system``; empty for none.
        arguments: Given to the template.
        parts: Whether a message's content is a list of parts instead of a text.

    Returns:
        What `PairTemplate.parse` reads.

    Raises:
        ModelError: If the template leaves query or document out, changes them, or turns them round.
    """
    from transformers import AutoTokenizer

    def content(text: str) -> Any:  # noqa: ANN401
        return [{"type": "text", "text": text}] if parts else text

    def filled(query: str, document: str) -> str:
        roles = (*((("system", prompt),) if prompt else ()), ("query", query), ("document", document))
        messages = [{"role": role, "content": content(text)} for role, text in roles]
        return str(tokenizer.apply_chat_template(messages, tokenize=False, **arguments))

    tokenizer = AutoTokenizer.from_pretrained(str(home), local_files_only=True, trust_remote_code=False)
    try:
        template = PairTemplate.parse(filled(QUERY, DOCUMENT))
        same = all(filled(*probe) == template.fill(*probe) for probe in _PROBES)
    except Exception as error:  # a template is a program, and may raise anything
        raise ModelError(
            f"{home}: its chat template cannot be filled with a query and a document ({error}); give a model whose"
            " template takes these roles"
        ) from error
    if not same:
        raise ModelError(
            f"{home}: its chat template changes the texts that it is filled with, which is not done here; give another"
        )
    return str(template)
