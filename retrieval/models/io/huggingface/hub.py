"""Models by hub id: downloaded whole once, then read from the hub's cache without asking the network."""

from __future__ import annotations

import errno
from collections.abc import Iterable
from fnmatch import fnmatch
from pathlib import Path

from retrieval.errors import ConfigError, ModelError
from retrieval.models.io.huggingface.modules import MODULES_FILE
from retrieval.models.io.huggingface.settings import MODEL_FILE

_SETTINGS = ("*.json", "*.jinja", "*.txt", "*.codes", "*.model")
_SAFETENSORS, _PICKLED = "*.safetensors", "*.bin"
_HUB_SECONDS = 20.0
_DISK = (errno.ENOSPC, errno.EACCES, errno.EPERM, errno.EROFS, errno.ENOTDIR, errno.EDQUOT)
_NOT_READ = ("onnx/*", "openvino/*", "*training_args.bin", "*optimizer.bin", "*scheduler.bin")


def hub_folder(name: str) -> Path:
    """Folder of a hub model in the hub's cache; what is missing there is downloaded.

    Args:
        name: Such as ``bkai-foundation-models/vietnamese-bi-encoder``.

    Raises:
        ConfigError: If the name is no hub id.
        ModelError: If the model is not there and cannot be downloaded, or only part of it is.
    """
    from huggingface_hub import get_cached_repo_tree, snapshot_download
    from huggingface_hub.errors import (
        CachedRepoTreeNotFoundError,
        HFValidationError,
        HTTPError,  # of whichever client it uses
        LocalEntryNotFoundError,
        RevisionResolutionError,
        XetDownloadError,
    )

    damaged: list[str] = []
    try:
        sizes = {entry.path: entry.size for entry in get_cached_repo_tree(name) if hasattr(entry, "size")}
        folder = Path(snapshot_download(name, allow_patterns=_patterns(sizes), local_files_only=True))
        damaged = [one for one in wanted_files(sizes) if (folder / one).stat().st_size != sizes[one]]
        if not damaged:
            return folder
    except (CachedRepoTreeNotFoundError, LocalEntryNotFoundError):
        pass  # never downloaded as a whole
    except HFValidationError as error:
        raise ConfigError(
            f"{name}: neither a folder nor a hub id ({error}); use a folder, owner/model or bundled:NAME"
        ) from error
    try:
        if damaged:
            snapshot_download(name, allow_patterns=_patterns(damaged), force_download=True)
        return Path(snapshot_download(name, allow_patterns=_patterns(_files_of(name))))
    except (HTTPError, OSError, ValueError, RuntimeError, RevisionResolutionError, XetDownloadError) as error:
        return _as_cached(name, error, damaged)


def _files_of(name: str) -> list[str]:
    """Every file of a model's repository; a hub that is away is noticed at once."""
    from huggingface_hub import HfApi

    return [one.rfilename for one in HfApi().model_info(name, timeout=_HUB_SECONDS).siblings or ()]


def _reason(error: Exception) -> str:
    lines = str(error).strip().splitlines() or [type(error).__name__]
    if isinstance(error, ValueError) and not isinstance(error, OSError):  # a proxy's page in the place of JSON
        return f"its answer is not the hub's: {lines[0]}"
    return lines[0].rstrip(".:")


def _remedy(name: str, error: Exception) -> str:
    """What mends a download that failed."""
    status = getattr(getattr(error, "response", None), "status_code", 0)
    if status in {401, 403, 404}:
        return (
            f"check the name; if the model is private or gated, accept its terms at https://huggingface.co/{name} and"
            " set HF_TOKEN to a token that may read it"
        )
    if status == 429 or status >= 500:
        return "the hub is busy or in trouble, so try again later"
    if getattr(error, "errno", None) in _DISK:
        return "set HF_HOME to a folder that can be written and has room"
    if isinstance(error, ValueError) and not status:
        return "check the proxy and HF_ENDPOINT"
    return "connect to the network once"


def _as_cached(name: str, error: Exception, damaged: list[str]) -> Path:
    """What the cache holds of a model that cannot be downloaded, if it is whole as far as that can be told."""
    from huggingface_hub import snapshot_download
    from huggingface_hub.errors import LocalEntryNotFoundError

    reason, remedy = _reason(error), _remedy(name, error)
    try:
        folder = Path(snapshot_download(name, local_files_only=True))
    except LocalEntryNotFoundError as incomplete:
        partial = getattr(incomplete, "snapshot_path", None)
        if partial is None:
            raise ModelError(
                f"{name}: cannot be downloaded ({reason}); {remedy}, or name a folder that holds the model, or the"
                " bundled one"
            ) from error
        folder = Path(partial)
    if lacking := _lacks(folder) or (f"a whole {damaged[0]}" if damaged else ""):
        raise ModelError(
            f"{name}: the hub's cache holds only part of it ({folder} lacks {lacking}), and the rest cannot be"
            f" downloaded ({reason}); {remedy}, or name a folder that holds the whole model"
        ) from error
    return folder


def _lacks(folder: Path) -> str:
    """What a snapshot that came file by file lacks; empty where it is whole.

    The cache also notes which files a model does not have, where somebody asked for them.
    """
    broken = sorted(path.relative_to(folder).as_posix() for path in folder.rglob("*") if not path.exists())
    if broken:
        return broken[0]
    if not any(folder.rglob("*.safetensors")) and not any(folder.rglob("*.bin")):
        return "weights"
    if (folder / ".gitattributes").is_file():  # no program asks for it alone
        return ""
    absent = folder.parent.parent / ".no_exist" / folder.name
    unknown = [one for one in (MODULES_FILE, MODEL_FILE) if not any((at / one).is_file() for at in (folder, absent))]
    return unknown[0] if unknown else ""


def wanted_files(names: Iterable[str]) -> list[str]:
    """Files of a model's repository that are read here: settings, tokenizer, and weights in one format.

    Args:
        names: Every file of the repository.
    """
    usable = [name for name in names if not any(fnmatch(name, pattern) for pattern in _NOT_READ)]
    settings = [name for name in usable if any(fnmatch(name, pattern) for pattern in _SETTINGS)]
    safe = [name for name in usable if fnmatch(name, _SAFETENSORS)]
    folders = {_folder(name) for name in safe}  # modules keep weights of their own, each in either format
    pickled = [name for name in usable if fnmatch(name, _PICKLED) and _folder(name) not in folders]
    return sorted({*settings, *safe, *pickled})


def _folder(name: str) -> str:
    return name.rpartition("/")[0]


def _patterns(names: Iterable[str]) -> list[str]:
    """Patterns that fit the wanted files and no others."""
    return ["".join(f"[{c}]" if c in "*?[" else c for c in name) for name in wanted_files(names)]
