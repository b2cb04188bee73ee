"""Files of token vectors on this disk: those that kept retrievers and bundles need stay, others while there is room.

A file is named by its key (`models.frozen_layers.states_key`), so that retrievers of one base, one corpus and
one set of frozen layers share it. Several processes may make files, use them and make room at once.
"""

from __future__ import annotations

import hashlib
import json
import logging
import time
from collections.abc import Callable, Collection, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import TypeAlias

import torch
from filelock import FileLock

from retrieval.errors import RetrievalError
from retrieval.folders import MANIFEST, write_file
from retrieval.names import CORPUS, CROSS_ENCODER
from retrieval.paths import MODELS
from retrieval.runtime import Runtime

MOST_BYTES = 4 << 30
"""Of one folder, with what is needed counted in: about eight corpora like the bundled codes. What is needed stays
even beyond it."""
_USES = ".uses.json"
Uses: TypeAlias = dict[str, dict[str, list[str]]]
"""By folder: ``content``, the SHA-256 of its manifest, and ``files``, which it uses."""
_ABANDONED_SECONDS = 86_400.0
_PATIENCE_SECONDS = 60.0
_logger = logging.getLogger(__name__)


def make_room(written: Path, needed: Callable[[], Collection[str]], most_bytes: int = MOST_BYTES) -> None:
    """Remove files beside a new one, those not used for longest first, until what is left fits.

    Args:
        written: The new file; it stays.
        needed: Names of files that stay whatever their size; asked for only where something would have to go.
        most_bytes: Of all files together.
    """
    with suppress(OSError), _locked(written.parent):
        for left in written.parent.glob(".*.npy.*"):  # of a process that was killed while it wrote
            if time.time() - left.stat().st_mtime > _ABANDONED_SECONDS:
                left.unlink(missing_ok=True)
        found = {path: path.stat() for path in written.parent.glob("*.npy")}
        if sum(stat.st_size for stat in found.values()) <= most_bytes:
            return
        stays = {written.name, *needed()}
        room = most_bytes - sum(stat.st_size for path, stat in found.items() if path.name in stays)
        others = [path for path in found if path.name not in stays]
        for path in sorted(others, key=lambda path: found[path].st_mtime, reverse=True):
            if found[path].st_size <= room:
                room -= found[path].st_size
                continue
            path.unlink(missing_ok=True)
            _logger.info("%s: removed, for token vectors on this disk may take %.1f GB", path, most_bytes / 1e9)


def note_use(file: Path, user: Path) -> None:
    """Note that a retriever or bundle folder uses a file, which then stays as long as that folder does.

    Folders below `MODELS` need no note; it saves looking into them.
    """
    try:
        content = _content(user)
        with _locked(file.parent):
            uses = _uses(file.parent)
            noted = uses.get(str(user.absolute()), {})
            names = set(noted.get("files", ())) if noted.get("content") == [content] else set()
            if file.name not in names:
                uses[str(user.absolute())] = {"content": [content], "files": sorted({*names, file.name})}
                _write_uses(file.parent, uses)
    except OSError as error:
        _logger.info("%s: its use could not be noted (%s)", file, error)


def needed_files(folder: Path, models: Path = MODELS) -> set[str]:
    """Names of the files that kept retrievers and bundles need, and whoever else noted a use.

    Args:
        folder: Of the files.
        models: What lies below it is looked into, once for each content; takes seconds for each.
    """
    uses = {user: noted for user, noted in _uses(folder).items() if _still_there(Path(user), noted)}
    for cross_encoder in sorted(models.absolute().glob(f"**/{CROSS_ENCODER}/")):
        retriever = cross_encoder.parent
        if str(retriever) in uses or not (retriever / MANIFEST).is_file():
            continue
        names = _names_of(retriever, folder)
        uses[str(retriever)] = {"content": [_content(retriever)], "files": sorted(names)}
    _write_uses(folder, uses)
    return {name for noted in uses.values() for name in noted["files"]}


def _names_of(retriever: Path, folder: Path) -> set[str]:
    """Names of the files of one retriever's corpus, one for each precision; none where it reads nothing beforehand."""
    from retrieval.data.storage import load_dataset
    from retrieval.models.bi_encoder import BiEncoder
    from retrieval.models.cross_encoder import load_cross_encoder
    from retrieval.search.state_paths import states_file

    try:
        model = load_cross_encoder(retriever / CROSS_ENCODER)
        layers = model.settings.separate_layers
        if not layers:
            return set()
        corpus = load_dataset(retriever / CORPUS).corpus
        reader = BiEncoder(model.backbone, model.tokenizer, model.settings)
        runtimes = [Runtime(torch.device("cpu"), one, 1) for one in (torch.float32, torch.bfloat16)]
        return {states_file(reader, corpus, layers, runtime, folder).name for runtime in runtimes}
    except RetrievalError as error:  # it cannot be served either
        _logger.warning("%s: its token vectors are not kept for it (%s)", retriever, error)
        return set()


def _content(user: Path) -> str:
    return hashlib.sha256((user / MANIFEST).read_bytes()).hexdigest()


def _still_there(user: Path, noted: dict[str, list[str]]) -> bool:
    try:
        return [_content(user)] == noted["content"]
    except OSError:
        return False


def _uses(folder: Path) -> Uses:
    try:
        values = json.loads((folder / _USES).read_text(encoding="utf-8"))
        return {user: {name: [*map(str, one[name])] for name in ("content", "files")} for user, one in values.items()}
    except (OSError, ValueError, TypeError, KeyError, AttributeError):
        return {}  # folders below `MODELS` are looked into again


def _write_uses(folder: Path, uses: Uses) -> None:
    with write_file(folder / _USES) as staging:
        staging.write_text(json.dumps(uses, indent=1, sort_keys=True) + "\n", encoding="utf-8")


@contextmanager
def _locked(folder: Path) -> Iterator[None]:
    with FileLock(folder / ".lock", timeout=_PATIENCE_SECONDS):
        yield
