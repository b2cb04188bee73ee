"""Which kept retriever a name stands for, where several ZenML stores may have a version of that name."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from retrieval.errors import ArtifactError
from retrieval.model_store.contents import law_of
from retrieval.model_store.folders import KeptRetriever, kept_retrievers, store_named
from retrieval.model_store.notes import POINTER, read_note
from retrieval.model_store.stages import STAGES, holders_of, recorded_stages
from retrieval.paths import KEPT

Ask = Callable[[], str]
"""Gives the id of the ZenML store in use, or nothing where it is not known; called only where a name is ambiguous."""
LATEST = "latest"

_logger = logging.getLogger(__name__)


@dataclass(frozen=True)
class Choice:
    """A kept retriever and why it is this one.

    Attributes:
        retriever: Chosen.
        stage: That it was chosen for; empty where it was named otherwise.
        others: Retrievers of other stores that have the same name there.
    """

    retriever: KeptRetriever
    stage: str = ""
    others: tuple[KeptRetriever, ...] = ()

    def __str__(self) -> str:
        one = self.retriever
        stage = f", in {self.stage} there" if self.stage else ""
        others = f"; not {_listed(self.others)}" if self.others else ""
        return f"version {one.version} of {one.origin}{stage}, {law_of(one.folder)}: {one.folder}{others}"


def nobody() -> str:
    """Nothing to ask for the store in use."""
    return ""


def kept_folder(name: str = LATEST, root: Path = KEPT, ask: Ask = nobody) -> Path:
    """Folder of a kept retriever; see `kept_retriever`."""
    return kept_retriever(name, root, ask).retriever.folder


def kept_retriever(name: str = LATEST, root: Path = KEPT, ask: Ask = nobody) -> Choice:
    """The kept retriever of a name.

    A version's number, or a stage, that more than one store has is that of the store in use.

    Args:
        name: ``latest`` (what the last training gave), a stage as it was last recorded, a version's number, or the name
            of a folder.
        root: Where retrievers are kept.
        ask: For the store in use.

    Raises:
        ArtifactError: If there is none, or several and the store in use has none of them.

    Example:
        choice = kept_retriever("production")
        retriever = load_retriever(choice.retriever.folder, choose_runtime())
    """
    known = kept_retrievers(root)
    if name == LATEST:
        return Choice(_latest(known, root))
    if name in STAGES:
        found = _in_stage(name, known, root, ask)
        if isinstance(found, str):
            raise ArtifactError(found)
        return found
    named = [one for one in known if name in {one.name, one.version}]
    if not named:
        there = ", ".join(sorted(one.name for one in known)) or "none"
        raise ArtifactError(f"{root / name}: no such retriever; kept here: {there}")
    if all(one.version != name for one in named):
        return Choice(named[0])
    return _of_one_store(f"version {name}", _newest_by_store(named), ask)


def served_retriever(root: Path = KEPT, ask: Ask = nobody) -> Choice:
    """What is served unless something is named: the one in production, else the one staged, else the newest.

    Args:
        root: Where retrievers are kept.
        ask: For the store in use.

    Raises:
        ArtifactError: If nothing is kept, or a stage is filled in several stores and the store in use is none of them.
    """
    known, ask = kept_retrievers(root), cache(ask)
    latest = _latest(known, root)
    for stage in STAGES:
        found = _in_stage(stage, known, root, ask)
        if isinstance(found, Choice):
            return found
        if any(stage in stages for stages in recorded_stages(root).values()):
            _logger.info("%s", found)
    return Choice(latest)


def _latest(known: Sequence[KeptRetriever], root: Path) -> KeptRetriever:
    """What the last training gave, else what was kept last."""
    if not known:
        raise ArtifactError(f"{root}: no trained retriever here; run `python run.py --pipeline training` first")
    pointer = root / POINTER
    name = read_note(pointer).get("version") if pointer.is_file() else ""
    whole = (one for one in known if not one.fault)
    return next((one for one in known if one.name == name), next(whole, known[0]))


def _in_stage(stage: str, known: Sequence[KeptRetriever], root: Path, ask: Ask) -> Choice | str:
    """The retriever in a stage, or why there is none.

    Raises:
        ArtifactError: If several stores have one.
    """
    noted = recorded_stages(root)
    holders = holders_of(stage, known, noted)
    if not holders:
        return (
            f"{root}: no version is known to be in {stage}; promote one with `python run.py --pipeline promotion`,"
            " or name a version or latest"
        )
    inside = {store: one for store, one in holders.items() if one is not None}
    here = ask() if len(holders) > 1 else ""
    if not inside or (here and here in holders and here not in inside):
        store = here if here in holders else next(iter(holders))
        return _not_here(noted[store][stage], store, stage, known, root)
    return _of_one_store(f"a version in {stage}", inside, lambda: here, stage)


def _not_here(version: str, store: str, stage: str, known: Sequence[KeptRetriever], root: Path) -> str:
    named = f"version {version} of {store_named(store)}" if store else f"version {version}"
    others = [one for one in known if one.version == version]
    strangers = f"; of another store, or not known to be of this one: {_listed(others)}" if others else ""
    return (
        f"{root}: {named} is in {stage} but was not kept on this machine; fetch it with `python -m"
        f" registry.local.fetch {stage}` where that store is in use, or copy the folder, or a bundle of it,"
        f" from a machine that has it{strangers}"
    )


def _newest_by_store(retrievers: Iterable[KeptRetriever]) -> dict[str, KeptRetriever]:
    """Of each store the one kept last: if a store gave a number anew, the older one has only its folder's name."""
    found: dict[str, KeptRetriever] = {}
    for one in retrievers:  # last kept first
        found.setdefault(one.store, one)
    return found


def _of_one_store(what: str, found: dict[str, KeptRetriever], ask: Ask, stage: str = "") -> Choice:
    here = next(iter(found)) if len(found) == 1 else ask() or None
    if here is None or here not in found:
        raise ArtifactError(
            f"{what} is kept from {len(found)} stores, and the store in use is not known to be one of them:"
            f" {_listed(found.values())}; name one of these folders, as in --model {next(iter(found.values())).folder}"
        )
    others = tuple(one for store, one in found.items() if store != here)
    return Choice(found[here], stage, others)


def _listed(retrievers: Iterable[KeptRetriever]) -> str:
    return ", ".join(f"{one.folder} of {one.origin}" for one in retrievers)
