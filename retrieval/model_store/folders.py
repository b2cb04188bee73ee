"""Kept retrievers as folders: known by the ZenML store they come from and by content, never written over.

A folder is called by its version's number where no other retriever has that name, else by number and a few digits.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from retrieval.errors import ArtifactError
from retrieval.folders import MANIFEST, link_or_copy, listed_files, verify_folder, write_folder
from retrieval.model_store.notes import FACTS, POINTER, locked, read_note, write_note
from retrieval.names import BI_ENCODER, BM25, BUNDLE_FACTS, CROSS_ENCODER, FORMER_MODEL_SETTINGS, MODEL_SETTINGS
from retrieval.paths import KEPT

_DIGITS = 8
_LEXICAL = f"{BM25}/"
_MODEL_SETTINGS = frozenset(
    f"{model}/{name}" for model in (BI_ENCODER, CROSS_ENCODER) for name in (MODEL_SETTINGS, FORMER_MODEL_SETTINGS)
)
_NOT_CONTENT = frozenset({FACTS, BUNDLE_FACTS})
"""Files that say where a retriever comes from and not what it does."""


@dataclass(frozen=True)
class KeptRetriever:
    """A folder below the place where retrievers are kept.

    Attributes:
        folder: Where it lies.
        version: Number in its store.
        store: Id of the ZenML store (of its project there) whose version it is; empty where it is not known.
        facts: Everything its ``facts.json`` says; see `facts_of`.
        kept: When it was kept, UTC.
        fault: Why it cannot be described; empty where it can.
    """

    folder: Path
    version: str
    store: str
    facts: Mapping[str, str]
    kept: datetime
    fault: str = ""

    @property
    def name(self) -> str:
        """What to type for it where its version's number does not do."""
        return self.folder.name

    @property
    def origin(self) -> str:
        """The store in words."""
        return store_named(self.store, self.facts.get("store_url", ""))


def store_named(store: str, place: str = "") -> str:
    """A store in words: its address, where that is known, and the first digits of its id."""
    if not store:
        return "a store that is not known"
    return f"{place} ({store[:_DIGITS]})" if place else f"store {store[:_DIGITS]}"


def keep(
    folder: Path, version: str, root: Path = KEPT, facts: Mapping[str, str] | None = None, newest: bool = True
) -> Path:
    """Keep a retriever folder under its version; on one disk the files are shared.

    What is kept already, of the same store, version and content, is found again and stays; where its store was not
    noted, it is now. Anything else stays too: the new one gets another name.

    Args:
        folder: Written by `Retriever.save`.
        version: Number in its store.
        root: Where retrievers are kept.
        facts: Where the version comes from; see `facts_of`.
        newest: Whether it is what the last training gave.

    Returns:
        The kept folder.

    Raises:
        ArtifactError: If ``folder`` is damaged, or nothing can be written below ``root``.
    """
    given = dict(facts or {})
    try:
        with locked(root):
            target = _kept_before(folder, version, root, given) or _kept_anew(folder, version, root, given)
            if newest:
                write_note(root / POINTER, {"version": target.name})
    except OSError as error:
        raise ArtifactError(
            f"{root}: version {version} could not be kept there ({error.strerror or error}); make room and type the"
            " same command again"
        ) from error
    return target


def adopt(one: KeptRetriever, facts: Mapping[str, str]) -> None:
    """Note the store of a retriever that was kept without one; for whoever knows that it is that store's version.

    Args:
        one: Its files stay as they are.
        facts: ``store`` and whatever else is known.
    """
    with locked(one.folder.parent):
        if not facts_of(one.folder).get("store"):
            _write(one.folder, one.folder, _completed(one, facts))


def facts_of(folder: Path) -> dict[str, str]:
    """Where a kept version comes from.

    ``retriever``, ``bi_encoder`` and ``cross_encoder`` are versions in the store whose id is ``store`` and whose
    address is ``store_url``; ``run`` trained it, ``code`` is that run's commit, ``kept`` the time in ISO 8601 and
    ``created`` that of its index. A folder
    that was kept without facts says only its version; another folder says nothing.

    Raises:
        ArtifactError: If the file is damaged.
    """
    path = folder / FACTS
    if not path.exists():
        return {"retriever": folder.name} if (folder.parent / POINTER).is_file() else {}
    return {str(name): str(value) for name, value in read_note(path).items()}


def kept_retrievers(root: Path = KEPT) -> list[KeptRetriever]:
    """Everything kept, last kept first; what is damaged is among it and says so."""
    folders = [path for path in root.glob("[!.]*") if path.is_dir()]
    found = [_described(path) for path in folders]
    return sorted(found, key=lambda one: (one.kept, one.name == one.version, one.name), reverse=True)


def content_of(folder: Path) -> str:
    """SHA-256 over what a retriever is, whichever run made it; empty where its manifest cannot be read.

    Left out are the order of words in the lexical index, which follows from the articles, and training runs' ids.
    """
    try:
        listed = listed_files(folder)
        settings = {name: _without_run(folder / name) for name in listed if name in _MODEL_SETTINGS}
    except (ArtifactError, OSError, ValueError, TypeError):
        return ""
    return hashlib.sha256(json.dumps([identifying_files(listed), settings], sort_keys=True).encode()).hexdigest()


def identifying_files(listed: Mapping[str, str]) -> dict[str, str]:
    """Of what a retriever's manifest lists: the files in which another retriever differs.

    Args:
        listed: SHA-256 by relative POSIX path.
    """
    return {
        name: digest
        for name, digest in listed.items()
        if not name.startswith(_LEXICAL)
        and name not in _NOT_CONTENT
        and name not in _MODEL_SETTINGS
        and Path(name).name != MANIFEST
    }


def _kept_before(folder: Path, version: str, root: Path, facts: Mapping[str, str]) -> Path | None:
    """The folder that holds the same already, with its store noted; None where there is none."""
    store, content = facts.get("store", ""), content_of(folder)
    same = [
        one
        for one in kept_retrievers(root)
        if one.version == version and one.store in {store, ""} and not one.fault and content_of(one.folder) == content
    ]
    if not content or not same:
        return None
    found = next((one for one in same if one.store == store), same[0])
    noted = found.store == store and (not facts or (found.folder / FACTS).is_file())
    if not noted or not _whole(found.folder):
        _write(folder, found.folder, found.facts if noted else _completed(found, facts))
    return found.folder


def _kept_anew(folder: Path, version: str, root: Path, facts: Mapping[str, str]) -> Path:
    verify_folder(folder)
    target = root / version
    if target.exists() or target.is_symlink():
        digest = hashlib.sha256(f"{facts.get('store', '')}\0{content_of(folder)}".encode()).hexdigest()
        target = root / f"{version}-{digest[:_DIGITS]}"
    _write(folder, target, facts)
    return target


def _completed(one: KeptRetriever, facts: Mapping[str, str]) -> dict[str, str]:
    """What a retriever's facts say once its store is known; it stays as old as it is."""
    return {"retriever": one.version, **one.facts, **facts, "kept": one.kept.isoformat()}


def _write(source: Path, target: Path, facts: Mapping[str, str]) -> None:
    """Write a kept folder from another one, or its facts anew where both are the same; files are shared or copied."""
    written_anew = {source / MANIFEST, *([source / FACTS] if facts else [])}
    with write_folder(target) as staging:
        for path in source.rglob("*"):
            copy = staging / path.relative_to(source)
            if path.is_file() and path not in written_anew:
                copy.parent.mkdir(parents=True, exist_ok=True)
                link_or_copy(path, copy)
        if facts:
            write_note(staging / FACTS, facts)


def _described(folder: Path) -> KeptRetriever:
    fault, facts = "", {}
    try:
        facts = facts_of(folder)
        listed_files(folder)
    except ArtifactError as error:
        fault = str(error)
    kept = _time(facts.get("kept", "")) or _written(folder)
    return KeptRetriever(folder, facts.get("retriever") or folder.name, facts.get("store", ""), facts, kept, fault)


def _written(folder: Path) -> datetime:
    """When a folder's manifest was written, else the folder; long ago for one that has just gone."""
    for path in (folder / MANIFEST, folder):
        with suppress(OSError):
            return datetime.fromtimestamp(path.stat().st_mtime, UTC)
    return datetime.fromtimestamp(0, UTC)


def _time(text: str) -> datetime | None:
    try:
        found = datetime.fromisoformat(text)
    except ValueError:
        return None
    return found if found.tzinfo else found.replace(tzinfo=UTC)


def _whole(folder: Path) -> bool:
    """Whether every file that the manifest lists is there; loading checks what is in them."""
    return all((folder / name).is_file() for name in listed_files(folder))


def _without_run(path: Path) -> dict[str, object]:
    values = json.loads(path.read_text(encoding="utf-8"))
    return {key: value for key, value in dict(values).items() if key != "training_run_id"}
