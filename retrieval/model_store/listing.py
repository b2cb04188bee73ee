"""``python -m retrieval.search --list``: what is kept on this machine, from where, and what is served."""

from __future__ import annotations

from pathlib import Path

from retrieval.errors import ArtifactError
from retrieval.model_store.choice import LATEST, Ask, kept_folder, nobody, served_retriever
from retrieval.model_store.contents import data_version_of, law_of, megabytes_of
from retrieval.model_store.folders import KeptRetriever, kept_retrievers, store_named
from retrieval.model_store.stages import STAGES, holders_of, recorded_stages
from retrieval.paths import KEPT


def listing(root: Path = KEPT, ask: Ask = nobody) -> str:
    """A few lines for each kept retriever, last kept first, then what is served and searched.

    Args:
        root: Where retrievers are kept.
        ask: For the store in use, where what is served depends on it.
    """
    known = kept_retrievers(root)
    if not known:
        return f"{root}: no trained retriever here; run `python run.py --pipeline training` first"
    try:
        noted, notes = recorded_stages(root), []
    except ArtifactError as error:
        noted, notes = {}, [str(error)]
    holders = {stage: holders_of(stage, known, noted) for stage in STAGES}
    origins = {one.store: one.origin for one in known}
    notes += [
        f"in {stage}, but not kept here: version {noted[store][stage]} of {origins.get(store) or store_named(store)}"
        for stage, found in holders.items()
        for store, one in found.items()
        if one is None
    ]
    served, defaults = _defaults(root, ask)
    blocks = []
    for one in known:
        inside = [stage for stage, found in holders.items() if one in found.values()]
        blocks.append(_block(one, [*inside, *(["served"] if one == served else [])]))
    return "\n\n".join([*blocks, "\n".join([*notes, *defaults])])


def _block(one: KeptRetriever, stages: list[str]) -> str:
    if one.fault:
        return f"{one.name}\n    damaged  {one.fault}"
    rows = {
        "law": law_of(one.folder),
        "data": data_version_of(one.folder),
        "store": one.origin,
        "run": one.facts.get("run", ""),
        "kept": f"{one.kept:%Y-%m-%d %H:%M} UTC, {megabytes_of(one.folder)}",
    }
    lines = [f"    {title:7}{value}" for title, value in rows.items() if value]
    return "\n".join([", ".join([one.name, f"version {one.version}", *stages]), *lines])


def _defaults(root: Path, ask: Ask) -> tuple[KeptRetriever | None, list[str]]:
    """What is served where nothing is named, and lines that say this and what is searched."""
    served, lines = None, []
    try:
        choice = served_retriever(root, ask)
        served = choice.retriever
        lines.append(f"make serve takes {served.name} ({choice.stage or LATEST})")
    except ArtifactError as error:
        lines.append(f"make serve: {error}")
    try:
        lines.append(f"search takes {kept_folder(LATEST, root).name} ({LATEST})")
    except ArtifactError as error:
        lines.append(f"search: {error}")
    return served, lines
