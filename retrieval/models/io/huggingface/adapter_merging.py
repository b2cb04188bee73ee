"""The numbers of an adapter added to those of its base, by peft."""

from __future__ import annotations

import re
import warnings
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
from safetensors import safe_open

_WEIGHTS = "adapter_model.safetensors"
_OUTER = "base_model.model."
_NOT_USED = re.compile(r"^pooler\.|position_ids$")
"""Tensors that a bare encoder does without."""
_PROBE = (5, 6, 7, 8, 9)
_TOLERANCE = 1e-3
"""Largest difference of outputs, as a share of the largest output: a merged weight is rounded once more."""


def merge(adapter: Path, base: Path, task: object, target: Path) -> None:
    """Write the base as it becomes with the adapter, as transformers' ``save_pretrained`` does.

    Args:
        adapter: Folder of the adapter.
        base: Folder of the model that it was trained on.
        task: What the adapter says that it was trained for; None where it does not.
        target: Where to.

    Raises:
        ValueError: If the two do not fit, or merged they do not give what they give together. The libraries below
            raise other errors where a file cannot be read.
    """
    from retrieval.models.backbone.transformers_loading import quiet

    shapes = _shapes(adapter / _WEIGHTS)
    with quiet():
        _merged(_load_base(base, task, shapes), adapter).save_pretrained(target)


def _shapes(path: Path) -> dict[str, list[int]]:
    """Shapes of an adapter's tensors, by their names below peft's own."""
    if not path.is_file():
        raise ValueError(f"{_WEIGHTS} is missing; save the adapter with safe_serialization")
    with safe_open(path, "pt") as tensors:
        return {name.removeprefix(_OUTER): tensors.get_slice(name).get_shape() for name in tensors.keys()}  # noqa: SIM118


def _load_base(home: Path, task: object, shapes: Mapping[str, list[int]]) -> Any:  # noqa: ANN401 - of transformers
    """The base as the class of transformers whose parts have the names that the adapter has."""
    from transformers import AutoConfig

    config = AutoConfig.from_pretrained(str(home), local_files_only=True, trust_remote_code=False)
    saved = {name: shape for name, shape in shapes.items() if ".lora_" not in name}
    labels = [shape[0] for name, shape in saved.items()
              if name.endswith(("score.weight", "classifier.weight", "out_proj.weight"))]  # fmt: skip
    if labels:
        config.num_labels = labels[-1]
    kind = _class_that_fits(task, config, shapes)
    model, found = kind.from_pretrained(
        str(home), config=config, dtype=torch.float32, local_files_only=True, trust_remote_code=False,
        output_loading_info=True, ignore_mismatched_sizes=bool(labels),
    )  # fmt: skip
    fresh = [*found["missing_keys"], *(name for name, *_ in found.get("mismatched_keys", ()))]
    lacking = [name for name in fresh if not any(_is_part(name, one) for one in saved) and not _NOT_USED.search(name)]
    if lacking:
        raise ValueError(f"neither the base nor the adapter has {lacking[0]}")
    table = next(name for name, module in model.named_modules() if module is model.get_input_embeddings())
    tables = [shape for name, shape in saved.items() if name.endswith(".weight") and _part_of(name) == table]
    rows = tables[0][0] if tables else config.vocab_size
    if rows != config.vocab_size:
        model.resize_token_embeddings(rows, mean_resizing=False)
    return model.eval()


def _is_part(name: str, saved: str) -> bool:
    return name == saved or name.rpartition(".")[0] == saved.rpartition(".")[0]


def _class_that_fits(task: object, config: Any, shapes: Mapping[str, list[int]]) -> Any:  # noqa: ANN401
    """The auto class whose model of this config has every part that the adapter changes."""
    from transformers import AutoModel, AutoModelForCausalLM, AutoModelForSequenceClassification

    generates = "ForCausalLM" in str(config.architectures)
    by_task = {"SEQ_CLS": [AutoModelForSequenceClassification], "CAUSAL_LM": [AutoModelForCausalLM]}
    last = [AutoModelForCausalLM, AutoModelForSequenceClassification][:: 1 if generates else -1]
    parts, lacking = {_part_of(name) for name in shapes}, ""
    for kind in by_task.get(str(task), [AutoModel, *last]):
        try:
            with torch.device("meta"):
                names = {name for name, _ in kind.from_config(config, trust_remote_code=False).named_modules()}
        except ValueError:  # transformers has no such class of this architecture
            continue
        if parts <= names:
            return kind
        lacking = lacking or min(parts - names)
    raise ValueError(f"its base has no part {lacking or min(parts)!r}; give the base that it was trained on")


def _part_of(name: str) -> str:
    """Module that a tensor of an adapter belongs to."""
    head, of_adapter, _ = name.partition(".lora_")
    module = head if of_adapter else name.rpartition(".")[0]
    for inner in (".token_adapter", ".modules_to_save", ".original_module", ".base_layer"):
        module = module.removesuffix(inner)
    return module


def _merged(model: Any, home: Path) -> Any:  # noqa: ANN401 - of peft and transformers
    """The model with the adapter's weights added to its own.

    Raises:
        ValueError: If the adapter lacks tensors, or the merged model does not give what the two give together.
    """
    from peft import PeftConfig, PeftModel

    config = PeftConfig.from_pretrained(str(home))
    config.task_type = None  # by a task peft expects a head in the file, which is there only if peft trained it
    with warnings.catch_warnings(record=True) as said:
        warnings.simplefilter("always")
        adapted = PeftModel.from_pretrained(model, str(home), config=config).eval()
    if lacking := [str(one.message) for one in said if "missing adapter keys" in str(one.message)]:
        raise ValueError(lacking[0])
    before = _outputs(adapted)
    whole = adapted.merge_and_unload()
    difference = float((_outputs(whole) - before).abs().max() / before.abs().max().clamp(min=1e-6))
    if not difference <= _TOLERANCE:
        raise ValueError(f"merged, it gives other outputs, by {difference:.2%}")
    return whole


@torch.inference_mode()
def _outputs(model: Any) -> torch.Tensor:  # noqa: ANN401
    result = model(input_ids=torch.tensor([_PROBE]), attention_mask=torch.ones(1, len(_PROBE), dtype=torch.long))
    outputs: torch.Tensor = result[0].float()
    return outputs
