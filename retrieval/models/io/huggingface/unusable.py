"""Folders that hold no model which can be read: adapters, quantised weights, something else."""

from __future__ import annotations

from pathlib import Path

from retrieval.errors import ModelError
from retrieval.models.backbone.bert_config import CONFIG_FILE
from retrieval.models.hf_files import read_json, read_object
from retrieval.models.io.huggingface.modules import MODULES_FILE

_ADAPTER = "adapter_config.json"


def refuse_what_is_no_model(folder: Path) -> None:
    """Raise on a folder whose weights are not there or not there as plain numbers.

    Args:
        folder: Given as a model.

    Raises:
        ModelError: Says what the folder is and what to do.
    """
    homes = [folder, *(path.parent for path in sorted(folder.glob(f"*/{_ADAPTER}")))]
    for home in homes:
        if (home / _ADAPTER).is_file():
            _refuse_adapter(home)
    if not (folder / CONFIG_FILE).is_file() and not (folder / MODULES_FILE).is_file():
        raise ModelError(f"{folder}: no {CONFIG_FILE}{_instead(folder)}")
    for home in _homes(folder):
        values = read_object(home / CONFIG_FILE)
        if values.get("quantization_config"):
            method = dict(values["quantization_config"]).get("quant_method", "some way")
            raise ModelError(
                f"{home}: its weights are quantised by {method}; give the model before quantisation, or dequantise it"
                " (model.dequantize()) and save it"
            )


def _refuse_adapter(home: Path) -> None:
    values = read_object(home / _ADAPTER)
    base, kind = values.get("base_model_name_or_path") or "a base it does not name", values.get("peft_type") or "peft"
    raise ModelError(
        f"{home}: an adapter ({kind}) of {base}, not a whole model; merge it into its base and give the merged folder:"
        f" PeftModel.from_pretrained(base, {str(home)!r}).merge_and_unload().save_pretrained(DIR), with the tokenizer"
    )


def _homes(folder: Path) -> list[Path]:
    """Where config.json may lie: the folder, or the places that modules.json names."""
    items = read_json(folder / MODULES_FILE)
    first = items[0] if isinstance(items, list) and items and isinstance(items[0], dict) else {}
    return [home for home in (folder, folder / str(first.get("path", ""))) if (home / CONFIG_FILE).is_file()]


def _instead(folder: Path) -> str:
    """What a folder holds that has no model at its top."""
    below = sorted(path.parent.name for path in folder.glob(f"*/{CONFIG_FILE}"))
    if below:
        return f"; the models lie in {', '.join(below[:3])} below it, so name one of these"
    snapshots = sorted(folder.glob("snapshots/*"))
    if snapshots:
        return f"; it is a place of the hub's cache, so name {snapshots[-1]} or the hub id"
    gguf = sorted(path.name for path in folder.glob("*.gguf"))
    if gguf:
        return f", only {gguf[0]}, which is not read here; give the folder that transformers reads"
    return "; give a folder that holds a model, as save_pretrained writes it"
