"""LoRA adapters of peft, merged into the model that they were trained on."""

from __future__ import annotations

import shutil
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from safetensors import SafetensorError

from retrieval.errors import ConfigError, ModelError
from retrieval.extras import need
from retrieval.folders import MANIFEST
from retrieval.models.hf_files import read_object
from retrieval.models.io.huggingface.hub import hub_folder
from retrieval.models.io.huggingface.modules import MODULES_FILE, read_modules

ADAPTER_FILE = "adapter_config.json"
_WHOLE = ("model*.safetensors", "model*.safetensors.index.json", "pytorch_model*.bin", "pytorch_model*.bin.index.json")
_TOKENIZER = ("tokenizer*", "special_tokens_map.json", "added_tokens.json", "chat_template*", "vocab.*", "merges.txt",
              "*.codes", "*.model")  # fmt: skip
_NOT_MERGED = ("alora_invocation_tokens", "layer_replication", "megatron_config", "use_qalora", "arrow_config")
"""Settings under which an adapter depends on the text, or changes what config.json says of the layers."""


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
    places = [folder, *sorted(path.parent for path in folder.glob(f"*/{ADAPTER_FILE}"))]
    homes = [place for place in places if (place / ADAPTER_FILE).is_file()]
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
    revision = adapter.values.get("revision")
    if revision not in {None, "", "main"}:
        raise ModelError(f"it names the revision {revision} of its base, which is not looked for here")
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
    if (base / ADAPTER_FILE).is_file():
        raise adapter.refusal(f"its base {base} is an adapter itself")
    from retrieval.models.io.huggingface.adapter_merging import merge

    try:
        merge(adapter.home, base, values.get("task_type"), target)
    except (OSError, ValueError, RuntimeError, KeyError, TypeError, AttributeError, SafetensorError) as error:
        raise adapter.refusal((str(error).strip() or type(error).__name__).splitlines()[0]) from error
