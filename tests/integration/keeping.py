"""A small run whose retriever is kept as a training's is: python -m tests.integration.keeping SEED [promote]

Prints the folder it is kept in. For a ZenML store of its own, named by the environment.
"""

from __future__ import annotations

import sys
from types import SimpleNamespace

from zenml.enums import ModelStages

from pipelines.results import finished, kept_retriever, load_output
from registry.local.stages import note_stages
from registry.versions import find_version, set_stage
from retrieval.telemetry import telemetry_off
from tests.integration.small_run import small_pipeline


def main(seed: int, promote: bool) -> None:
    telemetry_off()
    response = finished(small_pipeline(seed=seed, share=0.8))
    made = load_output(response, "register_versions", "versions")
    stand_in = SimpleNamespace(steps={"evaluate_cross_encoder": response.steps["make_models"]}, name=response.name)
    folder = kept_retriever(stand_in, made)
    if promote:
        set_stage(find_version(made["legal-retriever"]), ModelStages.PRODUCTION)
    note_stages()
    sys.stdout.write(f"kept in {folder}\n")


if __name__ == "__main__":
    main(int(sys.argv[1]), "promote" in sys.argv[2:])
