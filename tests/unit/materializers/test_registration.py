"""Every type of the project has its own materializer wherever a step is loaded from, never ZenML's pickle."""

import importlib
import json
import pkgutil
import subprocess
import sys
from pathlib import Path
from types import UnionType
from typing import Any

import pytest
from zenml.materializers.materializer_registry import materializer_registry
from zenml.steps import BaseStep

import materializers
import steps
from materializers.folder import FolderMaterializer
from materializers.registration import MATERIALIZERS, register_materializers
from retrieval.records import Dataset

ROOT = Path(__file__).resolve().parents[3]
# As ZenML's StepEntrypointConfiguration and step runner do, in a process that has seen nothing of the pipelines.
ALONE = """
import json, sys
from zenml.config.source import Source
from zenml.materializers.materializer_registry import materializer_registry
from zenml.steps import BaseStep
from zenml.utils import source_utils

source_utils.set_custom_source_root(sys.argv[1])
step = BaseStep.load_from_source(Source.from_import_path(sys.argv[2]))
assert not [name for name in sys.modules if name.partition(".")[0] == "pipelines"]
outputs = step.entrypoint_definition.outputs
found = {name: materializer_registry[output.resolved_annotation].__name__ for name, output in outputs.items()}
print(json.dumps(found))
"""


def modules(package: Any) -> list[Any]:
    return [importlib.import_module(m.name) for m in pkgutil.walk_packages(package.__path__, f"{package.__name__}.")]


def project_steps() -> dict[str, BaseStep]:
    found = [one for module in modules(steps) for one in vars(module).values() if isinstance(one, BaseStep)]
    return {one.name: one for one in found}


@pytest.mark.parametrize(
    ("source", "expected"),
    [
        ("steps.data.segment_text.segment_text", {"segmented_dataset": "DatasetMaterializer"}),
        (
            "steps.evaluation.evaluate_cross_encoder.evaluate_cross_encoder",
            {
                "retriever": "RetrieverMaterializer",
                "cross_encoder_report": "ReportMaterializer",
                "test_runs": "RunsMaterializer",
                "validation_runs": "RunsMaterializer",
            },
        ),
    ],
)
def test_step_loaded_alone_as_zenmls_entrypoint_does_finds_its_materializers(source: str, expected: dict) -> None:
    done = subprocess.run(
        [sys.executable, "-c", ALONE, str(ROOT), source], cwd=ROOT, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout.splitlines()[-1]) == expected


def test_every_materializer_is_in_the_list() -> None:
    defined = {
        one
        for module in modules(materializers)
        for one in vars(module).values()
        if isinstance(one, type) and issubclass(one, FolderMaterializer) and one.ASSOCIATED_TYPES
    }
    assert defined == set(MATERIALIZERS)


def test_no_type_has_two_materializers() -> None:
    stored = [one for materializer in MATERIALIZERS for one in materializer.ASSOCIATED_TYPES]
    assert len(stored) == len(set(stored))


def test_no_output_of_a_step_is_kept_by_a_fallback_of_zenml() -> None:
    fallbacks = {"CloudpickleMaterializer", "DataclassMaterializer", "PydanticMaterializer"}
    kept = {
        f"{step.name}.{name}": materializer_registry[kind].__name__
        for step in project_steps().values()
        for name, output in step.entrypoint_definition.outputs.items()
        for kind in _types(output.resolved_annotation)
    }
    assert len(kept) > 20
    assert {name: one for name, one in kept.items() if one in fallbacks} == {}


def test_registering_twice_changes_nothing_and_takes_a_lost_type_back(monkeypatch: pytest.MonkeyPatch) -> None:
    before = dict(materializer_registry.materializer_types)
    register_materializers()
    assert materializer_registry.materializer_types == before
    monkeypatch.delitem(materializer_registry.materializer_types, Dataset)
    register_materializers()
    assert materializer_registry.materializer_types == before


def _types(annotation: Any) -> tuple[type, ...]:
    parts = annotation.__args__ if isinstance(annotation, UnionType) else (annotation,)
    return tuple(getattr(part, "__origin__", None) or part for part in parts)
