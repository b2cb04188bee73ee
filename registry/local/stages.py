"""``python -m registry.local.stages``: what is kept on this machine is told which version is in which stage.

Bundles and searches find ``production`` and ``staging`` by it, without ZenML. The command prints the store in use.
"""

from __future__ import annotations

import sys
from pathlib import Path

from retrieval.model_store import KEPT, STAGES, kept_retrievers, record_stages
from retrieval.model_store.current_store import ANSWER
from stacks.command import run_command, say


def note_stages(root: Path = KEPT) -> str:
    """Record the stages of legal-retriever as this ZenML store has them now.

    Args:
        root: Where retrievers are kept.

    Returns:
        Id of the store.
    """
    from zenml.enums import ModelStages

    from registry.store import store_facts
    from registry.versions import in_stage, name_of

    facts = store_facts()
    if unknown := [one for one in kept_retrievers(root) if not one.store and not one.fault]:
        from registry.local.adoption import adopt_unknown_stores

        adopt_unknown_stores(unknown, facts)
    inside = {stage: in_stage(ModelStages(stage)) for stage in STAGES}
    store = facts["store"]
    record_stages({stage: name_of(version) for stage, version in inside.items() if version is not None}, root, store)
    return store


def main() -> int:
    """Note the stages; 0 if ZenML answered."""

    def note() -> int:
        say(f"{ANSWER}{note_stages()}")
        return 0

    return run_command(note)


if __name__ == "__main__":
    sys.exit(main())
