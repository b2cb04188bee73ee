"""Which version is in which stage, for each ZenML store as it was noted last."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

from retrieval.errors import ArtifactError
from retrieval.model_store.folders import KeptRetriever, kept_retrievers
from retrieval.model_store.notes import STAGES_FILE, locked, read_note, write_note
from retrieval.paths import KEPT

STAGES = ("production", "staging")
"""Names that stand for whichever version is in that stage."""

_STORES = "stores"
"""In the file: stages by store. Those beside it are of a store that is not known, as before stores were told apart."""


def record_stages(stages: Mapping[str, str], root: Path = KEPT, store: str = "") -> None:
    """Note which version is in which stage, so that it is known without ZenML; nothing where nothing is kept.

    What was noted of other stores stays; without a store, as long as a retriever is kept that it may mean.

    Args:
        stages: Version by stage; a stage that is empty is left out.
        root: Where retrievers are kept.
        store: Id of the store they are of; empty where it is not known.
    """
    if not root.is_dir():
        return
    with locked(root):
        try:
            noted = recorded_stages(root)
        except ArtifactError:  # damaged, and to be written anew
            noted = {}
        noted[store] = dict(stages)
        unknown = noted.pop("", {})
        if store and unknown:
            kept = {one.version for one in kept_retrievers(root) if not one.store}
            unknown = {stage: version for stage, version in unknown.items() if version in kept}
        write_note(root / STAGES_FILE, {**unknown, **({_STORES: noted} if noted else {})})


def recorded_stages(root: Path = KEPT) -> dict[str, dict[str, str]]:
    """Version by stage of each store, as `record_stages` noted it last; the store that is not known is ``""``.

    Raises:
        ArtifactError: If the file is damaged.
    """
    path = root / STAGES_FILE
    if not path.is_file():
        return {}
    note = read_note(path)
    stores = note.pop(_STORES, {})
    found = {"": note, **(stores if isinstance(stores, dict) else {})}
    return {store: _stages(values) for store, values in found.items() if isinstance(values, dict) and values}


def holders_of(
    stage: str, known: Sequence[KeptRetriever], noted: Mapping[str, Mapping[str, str]]
) -> dict[str, KeptRetriever | None]:
    """What is in a stage in each store; None where that version is not kept here.

    Args:
        stage: One of `STAGES`.
        known: As `kept_retrievers` gives them: of two of one store and number the one kept last is meant.
        noted: As `recorded_stages` gives it. Where no store is noted at all, a version is the folder of that name.
    """
    found: dict[str, KeptRetriever | None] = {}
    for store, version in ((store, stages[stage]) for store, stages in noted.items() if stage in stages):
        own = (one for one in known if (one.store, one.version) == (store, version))
        named = (one for one in known if one.name == version and not any(noted))
        found[store] = next(own, None) or next(named, None)
    return found


def _stages(values: Mapping[str, object]) -> dict[str, str]:
    return {stage: str(values[stage]) for stage in STAGES if values.get(stage)}
