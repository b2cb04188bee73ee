"""What is put before queries and passages: the prompts of a folder, or those of a model that is known by its id."""

from __future__ import annotations

import logging
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from retrieval.errors import ModelError
from retrieval.models.hf_files import section

_logger = logging.getLogger(__name__)

Prefixes = tuple[str, str]
"""Of queries and of passages."""

_E5: Prefixes = ("query: ", "passage: ")
_INSTRUCT: Prefixes = (
    "Instruct: Given a web search query, retrieve relevant passages that answer the query\nQuery: ",
    "",
)
_KNOWN_MODELS: dict[str, Prefixes] = {
    **{
        f"intfloat/{name}": _E5
        for name in (
            "multilingual-e5-small", "multilingual-e5-base", "multilingual-e5-large",
            "e5-small", "e5-base", "e5-large", "e5-small-v2", "e5-base-v2", "e5-large-v2",
            "e5-small-unsupervised", "e5-base-unsupervised", "e5-large-unsupervised",
        )
    },
    "intfloat/multilingual-e5-large-instruct": _INSTRUCT,
}  # fmt: skip
"""Prefixes that a model was trained with and that its card gives, but no file of its folder."""
_OF_QUERIES, _OF_PASSAGES = ("query",), ("document", "passage", "corpus")
"""Names that sentence-transformers' encode_query and encode_document look for, in this order."""
_QUERY_WORDS = frozenset({"query", "queries", "question"})
_PASSAGE_WORDS = frozenset({"document", "documents", "doc", "passage", "passages", "corpus"})


def prefixes_of(settings: Mapping[str, Any], path: Path, name: str) -> Prefixes:
    """Prefixes of queries and passages.

    Args:
        settings: What ``config_sentence_transformers.json`` says.
        path: That file.
        name: What the user called the model: a hub id or a folder.

    Raises:
        ModelError: If the prompts are no texts, or the default names none of them.
    """
    prompts = {str(key): text for key, text in section(settings, "prompts", path).items() if text is not None}
    if strange := [key for key, text in prompts.items() if not isinstance(text, str)]:
        raise ModelError(f"{path}: prompt {strange[0]!r} is {prompts[strange[0]]!r}, not a text; mend the file")
    default = settings.get("default_prompt_name")
    if default is not None and default not in prompts:
        raise ModelError(f"{path}: default_prompt_name {default!r} is not one of {list(prompts)}; mend the file")
    if not any(prompts.values()):
        return _KNOWN_MODELS.get(_known_id(name), ("", ""))
    query = _chosen(prompts, _OF_QUERIES, _QUERY_WORDS, "query", path)
    passage = _chosen(prompts, _OF_PASSAGES, _PASSAGE_WORDS, "passage", path)
    if default is not None:  # for what no prompt of its own is for
        words = _words(str(default))
        query = query or ("" if words & _PASSAGE_WORDS else prompts[default])
        passage = passage or ("" if words & _QUERY_WORDS else prompts[default])
    return query, passage


def _chosen(prompts: Mapping[str, str], names: tuple[str, ...], words: frozenset[str], side: str, path: Path) -> str:
    """The prompt of one side: by the names that sentence-transformers knows, else the only one whose name says so."""
    exact = [prompts[name] for name in names if name in prompts]
    if any(exact):
        return next(text for text in exact if text)
    near = {name: text for name, text in prompts.items() if text and name not in names and _words(name) & words}
    if len(set(near.values())) > 1:
        _logger.warning(
            "%s: none of the prompts %s is used, since each could be meant; set bi_encoder.%s_prefix to the right one",
            path, ", ".join(near), side,
        )  # fmt: skip
        return ""
    return next(iter(near.values()), "")


def _words(name: str) -> set[str]:
    """Lower-case words of a name such as ``retrieval.query``, ``s2p_query`` or ``RetrievalQuery``."""
    return {word.lower() for word in re.findall(r"[A-Z]?[a-z]+|[A-Z]+|[0-9]+", name)}


def _known_id(name: str) -> str:
    """The hub id that a name is or that a downloaded folder is called after; the name itself where it is neither."""
    folder = Path(name).name
    cached = re.search(r"models--([^/]+?)--([^/]+)/snapshots/", name + "/")
    if cached:
        return "/".join(cached.groups())
    found = [known for known in _KNOWN_MODELS if known == name or known.partition("/")[2] == folder]
    return found[0] if found else name
