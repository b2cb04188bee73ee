"""Settings of model folders that other libraries wrote, read off their own files."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from retrieval.errors import ModelError
from retrieval.models.backbone.protocol import Shape
from retrieval.models.hf_files import read_object, refuse_others, section
from retrieval.models.io.huggingface.modules import Modules
from retrieval.models.io.huggingface.prompts import prefixes_of
from retrieval.models.io.model_settings import ModelSettings, Pooling
from retrieval.names import BI_ENCODER, CROSS_ENCODER

MODEL_FILE = "config_sentence_transformers.json"
TRANSFORMER_FILES = tuple(
    f"sentence_{kind}_config.json"
    for kind in ("bert", "roberta", "distilbert", "camembert", "albert", "xlm-roberta", "xlnet")
)
"""Names under which sentence-transformers keeps a transformer's settings; it reads the first that says something."""
_READ = frozenset({"max_seq_length", "do_lower_case", "query_length", "document_length", "transformer_task"})
_READ_APART = frozenset(
    {"modality_config", "module_output_name", "processing_kwargs", *(f"{one}_{end}" for end in ("args", "kwargs")
     for one in ("model", "tokenizer", "processor", "config"))}
)  # fmt: skip
_NO_CHANGE = frozenset({"unpad_inputs"})
_LOADING = frozenset(
    {"attn_implementation", "torch_dtype", "dtype", "add_pooling_layer", "use_safetensors", "low_cpu_mem_usage",
     "device_map", "trust_remote_code", "use_fast", "revision", "local_files_only", "use_cache", "model_max_length",
     "token", "cache_dir", "subfolder"}
)  # fmt: skip
"""Arguments of loading that change where and how, not what."""
_HARMLESS_PROCESSING = frozenset({"max_length", "padding", "return_tensors", "pad_to_multiple_of", "logits_to_keep"})
_USUAL_PROCESSING = frozenset({("truncation", True), ("truncation", "longest_first"), ("add_special_tokens", True)})
_AS_IT_IS = {"text": {"method": "forward", "method_output_name": "last_hidden_state"}}
_AS_LOGITS = {"text": {"method": "forward", "method_output_name": "logits"}}
_OUTPUTS = {
    "feature-extraction": "token_embeddings",
    "sequence-classification": "scores",
    "text-generation": "causal_logits",
}
"""Tasks of a transformer, and what each calls its output."""
_SIMILARITIES = {"cosine": True, "cos_sim": True, "dot": False, "dot_product": False, "dot_score": False}
"""Whether each compares vectors of unit length."""
_UNLIMITED = 1_000_000
"""transformers writes 1e30 where a tokenizer names no longest input."""


def read_foreign_settings(
    folder: Path, modules: Modules, config: Shape, name: str, max_length: int | None = None, dimension: int = 0
) -> tuple[ModelSettings, bool]:
    """Settings of a Hugging Face or sentence-transformers folder.

    Args:
        folder: The model's folder.
        modules: What its modules.json says.
        config: Its ``config.json``.
        name: What the user called the model; kept as ``base``.
        max_length: Longest input that the tokenizer's own files name.
        dimension: Numbers of a final vector; 0 means those of a token vector.

    Returns:
        The settings, and whether texts are lower-cased before they are read.

    Raises:
        ModelError: If a file does not parse, or asks for what this library does not do.
    """
    path, values = transformer_settings(modules.home)
    top = read_object(folder / MODEL_FILE) if modules.listed else {}
    cross = _is_cross_encoder(modules, config, values, top, path)
    if modules.listed and not cross and modules.pooling is None:
        raise ModelError(f"{folder}: modules.json has no Pooling, so it gives no vectors; give a whole model")
    refuse_other_tasks(values, path, "sequence-classification" if cross else "feature-extraction")
    limit = min(longest_input(values, path, max_length), config.max_tokens)
    lengths = [min(limit, _tokens(values.get(key) or limit, path)) for key in ("query_length", "document_length")]
    _refuse_shorter_vectors(top, folder / MODEL_FILE, dimension or config.hidden_size)
    query_prefix, passage_prefix = prefixes_of(top, folder / MODEL_FILE, name)
    if cross and (top.get("default_prompt_name") or any(section(top, "prompts", folder / MODEL_FILE).values())):
        raise ModelError(f"{folder / MODEL_FILE}: a cross-encoder with prompts cannot be read here; give another")
    settings = ModelSettings(
        kind=CROSS_ENCODER if cross else BI_ENCODER,
        base=name,
        pooling="cls" if cross else modules.pooling or _usual_pooling(config),
        normalize=not cross and (modules.normalized or _compares_by_cosine(top, folder / MODEL_FILE)),
        query_prefix="" if cross else query_prefix,
        passage_prefix="" if cross else passage_prefix,
        include_prompt=modules.include_prompt,
        max_query_tokens=lengths[0],  # of a pair: no bound of its own
        max_passage_tokens=lengths[1],
        max_tokens=limit,
        text_kind="segmented" if (modules.home / "bpe.codes").is_file() else "text",
        head="dense" if cross else "",
    )
    return settings, bool(values.get("do_lower_case"))


def _usual_pooling(config: Shape) -> Pooling:
    """Of a folder without modules.json, as sentence-transformers takes it."""
    kinds = config.others.get("architectures") or [""]
    return "lasttoken" if str(kinds[0]).endswith("ForCausalLM") else "mean"


def _refuse_shorter_vectors(top: Mapping[str, Any], path: Path, dimension: int) -> None:
    kept = top.get("truncate_dim")
    if kept is not None and not (isinstance(kept, int) and kept >= dimension):
        raise ModelError(
            f"{path}: truncate_dim is {kept!r}, but vectors are not cut here; remove it to use all {dimension} numbers"
        )


def transformer_settings(home: Path) -> tuple[Path, dict[str, Any]]:
    """The first of the files of a transformer's settings that says something, and what it says."""
    for name in TRANSFORMER_FILES:
        if values := read_object(home / name):
            refuse_others(values, _READ | _READ_APART | _NO_CHANGE, str(home / name))
            return home / name, values
    return home / TRANSFORMER_FILES[0], {}


def _is_cross_encoder(
    modules: Modules, config: Shape, values: Mapping[str, Any], top: Mapping[str, Any], path: Path
) -> bool:
    kind = top.get("model_type") or "SentenceTransformer"
    if kind not in {"SentenceTransformer", "CrossEncoder"}:
        raise ModelError(f"{path.parent}: {MODEL_FILE} says {kind}; give a SentenceTransformer or a CrossEncoder")
    if modules.pooling:  # what a checkpoint's head would say is not asked there
        return False
    classifies = "SequenceClassification" in str(config.others.get("architectures"))
    return kind == "CrossEncoder" or values.get("transformer_task") == "sequence-classification" or classifies


def refuse_other_tasks(values: Mapping[str, Any], path: Path, expected: str) -> None:
    """Raise on settings of the transformer that would give something else than token vectors or logits.

    Args:
        values: What the file says.
        path: The file.
        expected: Key of `_OUTPUTS`.
    """
    task = values.get("transformer_task")
    if task not in {None, expected}:
        raise ModelError(f"{path}: transformer_task {task!r} is not {expected}; give another model")
    shape = section(values, "modality_config", path)
    if shape and shape.get("text") != (_AS_IT_IS if expected == "feature-extraction" else _AS_LOGITS)["text"]:
        raise ModelError(f"{path}: modality_config takes {shape.get('text')} for text, which is not done here")
    output = values.get("module_output_name")
    if output not in {None, _OUTPUTS[expected]}:
        raise ModelError(f"{path}: module_output_name is {output!r}, which is not done here; give another model")
    for name in ("model_args", "model_kwargs", "tokenizer_args", "processor_kwargs", "config_args", "config_kwargs"):
        refuse_others(section(values, name, path), _LOADING, f"{path}: {name}")
    processing = section(values, "processing_kwargs", path)
    for kind in ("text", "common"):
        for key, value in section(processing, kind, path).items():
            if key not in _HARMLESS_PROCESSING and (key, value) not in _USUAL_PROCESSING and value is not None:
                raise ModelError(f"{path}: processing_kwargs.{kind}.{key} is {value!r}, which is not done here")


def longest_input(values: Mapping[str, Any], path: Path, max_length: int | None) -> int:
    """Longest input in tokens, by the first place that names one, as sentence-transformers looks through them."""
    processing = section(section(values, "processing_kwargs", path), "text", path)
    common = section(section(values, "processing_kwargs", path), "common", path)
    places = (
        processing.get("max_length"),
        common.get("max_length"),
        section(values, "processor_kwargs", path).get("model_max_length"),
        section(values, "tokenizer_args", path).get("model_max_length"),
        values.get("max_seq_length"),
        max_length,
    )
    return _tokens(next((place for place in places if place is not None), _UNLIMITED), path)


def _tokens(value: object, path: Path) -> int:
    if not isinstance(value, (int, float)) or isinstance(value, bool) or not value >= 1:
        raise ModelError(f"{path}: the longest input is {value!r}, not a number of tokens; mend the file")
    return int(min(value, _UNLIMITED))


def _compares_by_cosine(top: Mapping[str, Any], path: Path) -> bool:
    """As the file says; cosine is what sentence-transformers takes where nothing is said."""
    name = top.get("similarity_fn_name") or "cosine"
    if name not in _SIMILARITIES:
        raise ModelError(f"{path}: similarity_fn_name {name!r} is not cosine or dot; give a model that compares by one")
    return _SIMILARITIES[name]
