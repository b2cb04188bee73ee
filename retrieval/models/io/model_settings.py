"""What a saved model needs to know about itself, kept beside its weights in settings.json."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass, fields
from pathlib import Path
from typing import Literal, get_args

from retrieval.errors import ModelError
from retrieval.names import FORMER_MODEL_SETTINGS, MODEL_SETTINGS

Pooling = Literal["mean", "cls", "max", "mean_sqrt_len_tokens", "weightedmean", "lasttoken"]
"""Under sentence-transformers' names; `retrieval.models.backbone.pooling` says what each does."""
TextKind = Literal["text", "segmented"]

_CHOICES = {
    "kind": ("bi-encoder", "cross-encoder"),
    "pooling": get_args(Pooling),
    "text_kind": ("text", "segmented"),
    "head": ("", "linear", "dense", "interaction", "own"),
}


@dataclass(frozen=True)
class ModelSettings:
    """How a model reads text and what it gives back.

    Attributes:
        kind: ``bi-encoder`` or ``cross-encoder``.
        base: Name the weights were first loaded from.
        pooling: How token vectors become one vector.
        normalize: Whether a bi-encoder's vectors have unit length.
        query_prefix: Put before a query, its trailing space included.
        passage_prefix: Put before a passage, its trailing space included.
        include_prompt: Whether the tokens of a prefix are pooled with the text's own; they are read either way.
        max_query_tokens: Longest query, special tokens included; as long as a cross-encoder's pair, it is cut with the
            passage, the longer first, as transformers does.
        max_passage_tokens: Longest passage, special tokens included.
        max_tokens: Longest input the positions allow; for a cross-encoder the longest pair.
        text_kind: Which of a passage's two texts the model was trained on.
        dimension: Length of one vector.
        training_run_id: Tracker id of the run that trained it; empty for a pretrained base.
        data_version: Fingerprint of the dataset it was trained on.
        head: Cross-encoder only: ``linear`` on the pooled vector, or ``dense`` (tanh layer, then linear, on the
            first token, as in ``RobertaForSequenceClassification``), or ``interaction``
            (`split_cross_encoder.InteractionHead`), or ``own`` (of transformers' class, in `classifier.Classifier`).
        pair_template: Cross-encoder only: the text around ``{query}`` and ``{document}`` where a pair is read as one
            text (`pair_template.PairTemplate`); empty joins the two by special tokens.
        separate_layers: Cross-encoder only: lowest layers that read query and passage apart; 0 reads them together.
    """

    kind: Literal["bi-encoder", "cross-encoder"] = "bi-encoder"
    base: str = ""
    pooling: Pooling = "mean"
    normalize: bool = True
    query_prefix: str = ""
    passage_prefix: str = ""
    include_prompt: bool = True
    max_query_tokens: int = 64
    max_passage_tokens: int = 256
    max_tokens: int = 512
    text_kind: TextKind = "text"
    dimension: int = 0
    training_run_id: str = ""
    data_version: str = ""
    head: Literal["", "linear", "dense", "interaction", "own"] = ""
    pair_template: str = ""
    separate_layers: int = 0

    def save(self, folder: Path) -> None:
        """Write ``settings.json`` into ``folder``."""
        text = json.dumps(asdict(self), indent=2, ensure_ascii=False)
        (folder / MODEL_SETTINGS).write_text(text + "\n", encoding="utf-8")


def settings_file(folder: Path) -> Path | None:
    """The settings of a model folder that this library wrote; None where the folder is something else.

    Other programs have files called ``settings.json``, too, and a retriever's folder has both names for its own: ours
    name a ``kind``. A file that cannot be read counts as ours, so that `load_settings` says what is wrong with it.
    """
    for name in (MODEL_SETTINGS, FORMER_MODEL_SETTINGS):
        path = folder / name
        try:
            values = json.loads(path.read_text(encoding="utf-8"))
        except FileNotFoundError:
            continue
        except (OSError, ValueError):
            return path
        if not isinstance(values, dict) or {"kind", "text_kind", "training_run_id"} & values.keys():
            return path
    return None


def load_settings(folder: Path) -> ModelSettings:
    """Read the settings of a saved model folder.

    Raises:
        ModelError: If the file is missing, is not JSON or holds unknown keys or values.
    """
    path = settings_file(folder) or folder / MODEL_SETTINGS
    try:
        values = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise ModelError(f"{path}: cannot be read as JSON ({error}); give a folder saved by this library") from error
    if not isinstance(values, dict):
        raise ModelError(
            f"{path}: holds {type(values).__name__}, not an object; copy the folder from where it was saved"
        )
    types = {field.name: type(field.default) for field in fields(ModelSettings)}
    for name, value in values.items():
        if name not in types:
            raise ModelError(f"{path}: unknown key {name!r}; it was saved by a newer version, so upgrade this library")
        if type(value) is not types[name]:
            raise ModelError(
                f"{path}: {name} is {value!r}, not a {types[name].__name__}; copy the folder from where it was saved"
            )
        if value not in _CHOICES.get(name, (value,)):
            raise ModelError(f"{path}: {name} is {value!r}; it must be one of {', '.join(map(repr, _CHOICES[name]))}")
    return ModelSettings(**values)
