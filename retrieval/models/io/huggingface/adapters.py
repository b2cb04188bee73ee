"""LoRA adapters of peft, merged into the model that they were trained on."""

from __future__ import annotations

import re
import shutil
import warnings
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import torch
from safetensors import SafetensorError, safe_open

from retrieval.errors import ConfigError, ModelError
from retrieval.extras import need
from retrieval.folders import MANIFEST
from retrieval.models.hf_files import read_object
from retrieval.models.io.huggingface.hub import hub_folder
from retrieval.models.io.huggingface.modules import MODULES_FILE, read_modules

ADAPTER_FILE = "adapter_config.json"
_WEIGHTS = "adapter_model.safetensors"
_WHOLE = ("model*.safetensors", "model*.safetensors.index.json", "pytorch_model*.bin", "pytorch_model*.bin.index.json")
_TOKENIZER = ("tokenizer*", "special_tokens_map.json", "added_tokens.json", "chat_template*", "vocab.*", "merges.txt",
              "*.codes", "*.model")  # fmt: skip
_OUTER = "base_model.model."
_NOT_MERGED = ("alora_invocation_tokens", "layer_replication", "megatron_config", "use_qalora", "arrow_config")
"""Settings under which an adapter depends on the text, or changes what config.json says of the layers."""
_NOT_USED = re.compile(r"^pooler\.|position_ids$")
"""Tensors that a bare encoder does without."""
_PROBE = (5, 6, 7, 8, 9)
_TOLERANCE = 1e-3
"""Largest difference of outputs, as a share of the largest output: a merged weight is rounded once more."""


@dataclass(frozen=True)
class Adapter:
    """An adapter's folder.

    Attributes:
        home: Where its ``adapter_config.json`` lies.
        values: What that says.
        base: Name of the model that it was trained on.
    """

    home: Path
    values: Mapping[str, Any]
    base: str

    def refusal(self, reason: object) -> ModelError:
        """Says why the adapter is not merged here, and how to merge it elsewhere."""
        kind = self.values.get("peft_type") or "peft"
        return ModelError(
            f"{self.home}: an adapter ({kind}) of {self.base or 'a base it does not name'}, not a whole model, and it"
            f" cannot be merged here ({reason}); mend that, or merge it into its base and give the merged folder:"
            f" PeftModel.from_pretrained(base, {str(self.home)!r}).merge_and_unload().save_pretrained(DIR), with the"
            " tokenizer"
        )


def find_adapter(folder: Path) -> Adapter | None:
    """The adapter that stands in the place of a folder's weights, at its top or where modules.json has the transformer.

    Raises:
        ModelError: If there is an adapter beside whole weights or in another place, so that it is not told what is
            meant, or a file of it cannot be read.
    """
    homes = [
        path.parent for path in sorted([folder / ADAPTER_FILE, *folder.glob(f"*/{ADAPTER_FILE}")]) if path.is_file()
    ]
    if not homes:
        return None
    values = read_object(homes[0] / ADAPTER_FILE)
    found = Adapter(homes[0], values, str(values.get("base_model_name_or_path") or ""))
    if len(homes) > 1:
        raise found.refusal(f"there is another adapter in {homes[1].name}")
    whole = [path.name for pattern in _WHOLE for path in homes[0].glob(pattern)]
    if whole:
        raise found.refusal(f"{whole[0]} beside it is a whole model; remove what is not meant")
    expected = read_modules(folder).home
    if expected != homes[0]:
        raise found.refusal(f"{MODULES_FILE} has the transformer in {expected}" if (folder / MODULES_FILE).is_file()
                            else f"without a {MODULES_FILE}, it is looked for in {folder}")  # fmt: skip
    return found


@contextmanager
def merged(folder: Path, adapter: Adapter) -> Iterator[Path]:
    """A temporary folder with the adapter's base as it becomes with the adapter, as other libraries would save it.

    Settings and tokenizer are the adapter's where it has its own, else the base's.

    Args:
        folder: Given as a model.
        adapter: Found in it.

    Yields:
        The folder, removed afterwards.

    Raises:
        ModelError: If peft is not installed, the base is not there, or the two do not fit.
    """
    try:
        need("adapters", "merging an adapter")
        base = _base_folder(adapter)
        whole_base = read_modules(base)
    except (ConfigError, ModelError) as error:
        raise adapter.refusal(error) from error
    with TemporaryDirectory(prefix="merged-", ignore_cleanup_errors=True) as place:
        whole = Path(place) / folder.name
        if (folder / MODULES_FILE).is_file():
            home = whole / adapter.home.relative_to(folder)
            _copy(folder, whole, adapter.home)
            if not (home / "tokenizer_config.json").is_file():
                _copy_tokenizer(whole_base.home, home)
        else:
            home = whole / whole_base.home.relative_to(base)
            _copy(base, whole, whole_base.home)
            if (folder / "tokenizer_config.json").is_file():
                _copy_tokenizer(folder, home)
        _save_merged(adapter, whole_base.home, home)
        yield whole


def _base_folder(adapter: Adapter) -> Path:
    """Folder of the base, which the adapter names by path or by hub id."""
    name = adapter.base
    if not name:
        raise ModelError(f"base_model_name_or_path in {ADAPTER_FILE} is empty")
    if adapter.values.get("revision") not in {None, "", "main"}:
        raise ModelError(
            f"it names the revision {adapter.values['revision']} of its base, which is not looked for here"
        )
    beside = [path for path in (Path(name).expanduser(), adapter.home / name) if path.is_dir()]
    if beside:
        return beside[0]
    if name.startswith((".", "/", "~")) or name.count("/") != 1:
        raise ModelError(f"there is no folder {name}")
    return hub_folder(name)


def _copy(source: Path, target: Path, home: Path) -> None:
    """Copy a model's folder but for its transformer's weights, and what is only true of all of it."""

    def left_out(at: str, names: list[str]) -> set[str]:
        dropped = {MANIFEST, ".git", ".cache", "onnx", "openvino"} & set(names)
        if Path(at) != home:
            return dropped
        patterns = (*_WHOLE, "adapter_*", "*.h5", "*.msgpack", "*.onnx", "*.bin")
        return dropped | {path.name for pattern in patterns for path in home.glob(pattern)}

    shutil.copytree(source, target, ignore=left_out)


def _copy_tokenizer(source: Path, target: Path) -> None:
    """Put one tokenizer in the place of another."""
    target.mkdir(parents=True, exist_ok=True)
    for pattern in _TOKENIZER:
        for old in target.glob(pattern):
            old.unlink()
    for pattern in _TOKENIZER:
        for path in source.glob(pattern):
            shutil.copy(path, target / path.name)


def _save_merged(adapter: Adapter, base: Path, target: Path) -> None:
    kind, values = adapter.values.get("peft_type"), adapter.values
    if kind != "LORA":
        raise adapter.refusal(f"only LORA is, not {kind}")
    if asked := [name for name in _NOT_MERGED if values.get(name)]:
        raise adapter.refusal(f"{asked[0]} is {values[asked[0]]!r}")
    try:
        shapes = _shapes(adapter.home / _WEIGHTS)
        model = _load_base(adapter, base, shapes)
        _merge(model, adapter.home).save_pretrained(target)
    except (OSError, ValueError, RuntimeError, KeyError, TypeError, AttributeError, SafetensorError) as error:
        raise adapter.refusal(str(error).strip().splitlines()[0] if str(error) else type(error).__name__) from error


def _shapes(path: Path) -> dict[str, list[int]]:
    """Shapes of an adapter's tensors, by their names below peft's own."""
    if not path.is_file():
        raise ValueError(f"{_WEIGHTS} is missing; save the adapter with safe_serialization")
    with safe_open(path, "pt") as tensors:
        return {name.removeprefix(_OUTER): tensors.get_slice(name).get_shape() for name in tensors.keys()}  # noqa: SIM118


def _load_base(adapter: Adapter, home: Path, shapes: Mapping[str, list[int]]) -> Any:  # noqa: ANN401
    """The base as the class of transformers whose parts have the names that the adapter has."""
    from transformers import AutoConfig

    if (home / ADAPTER_FILE).is_file():
        raise ValueError(f"its base {home} is an adapter itself")
    config = AutoConfig.from_pretrained(str(home), local_files_only=True, trust_remote_code=False)
    saved = {name: shape for name, shape in shapes.items() if ".lora_" not in name}
    labels = [shape[0] for name, shape in saved.items()
              if name.endswith(("score.weight", "classifier.weight", "out_proj.weight"))]  # fmt: skip
    if labels:
        config.num_labels = labels[-1]
    kind = _class_that_fits(adapter.values.get("task_type"), config, shapes)
    model, found = kind.from_pretrained(
        str(home), config=config, dtype=torch.float32, local_files_only=True, trust_remote_code=False,
        output_loading_info=True, ignore_mismatched_sizes=bool(labels),
    )  # fmt: skip
    fresh = [*found["missing_keys"], *(name for name, *_ in found.get("mismatched_keys", ()))]
    lacking = [name for name in fresh if not any(_is_part(name, one) for one in saved) and not _NOT_USED.search(name)]
    if lacking:
        raise ValueError(f"neither the base nor the adapter has {lacking[0]}")
    table = next(
        (shape for name, shape in saved.items() if name.endswith(("embed_tokens.weight", "word_embeddings.weight"))),
        None,
    )
    if table and table[0] != model.get_input_embeddings().weight.shape[0]:
        model.resize_token_embeddings(table[0], mean_resizing=False)
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


def _merge(model: Any, home: Path) -> Any:  # noqa: ANN401 - of peft and transformers
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
