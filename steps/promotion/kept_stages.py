"""``python -m steps.promotion.kept_stages``: what is kept on this machine is told which version is in which stage.

Bundles and searches find ``production`` and ``staging`` by it, without ZenML.
"""

from __future__ import annotations

import sys

from retrieval.search.kept import STAGES, record_stages
from stacks.command import run_command


def note_stages() -> None:
    """Record the stages of legal-retriever as ZenML has them now."""
    from zenml.enums import ModelStages

    from steps.promotion.versions import in_stage

    inside = {stage: in_stage(ModelStages(stage)) for stage in STAGES}
    record_stages({stage: version.name for stage, version in inside.items() if version is not None})


def main() -> int:
    """Note the stages; 0 if ZenML answered."""

    def note() -> int:
        note_stages()
        return 0

    return run_command(note)


if __name__ == "__main__":
    sys.exit(main())
