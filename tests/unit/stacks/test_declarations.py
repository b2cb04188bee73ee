"""The files stacks/*.yaml: they parse, name what they need, and fill in from an environment without leaking it."""

from __future__ import annotations

import pytest
from zenml.enums import StackComponentType

from retrieval.errors import ConfigError
from stacks.declarations import declared_stacks, filled_in, read_stack

STORE = StackComponentType.ARTIFACT_STORE
TRACKER = StackComponentType.EXPERIMENT_TRACKER


def test_every_planned_stack_has_a_file_that_parses() -> None:
    assert declared_stacks() == ["airflow", "kubernetes", "local", "mlflow", "s3", "s3-mlflow"]
    for name in declared_stacks():
        components = read_stack(name).components
        assert {StackComponentType.ORCHESTRATOR, STORE, TRACKER} <= set(components)
        assert all(one.use or (one.name and one.flavor) for one in components.values())


def test_a_component_taken_from_another_file_brings_its_needs() -> None:
    both = read_stack("s3-mlflow")
    assert both.components[STORE] == read_stack("s3").components[STORE]
    assert both.components[TRACKER] == read_stack("mlflow").components[TRACKER]
    assert both.packages == ("s3fs", "boto3")
    assert both.extra == "s3"
    assert set(both.environment) == {
        "S3_BUCKET", "AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "MLFLOW_TRACKING_URI",
    }  # fmt: skip


def test_what_is_missing_is_told_with_how_to_get_it() -> None:
    lacking = read_stack("s3").missing({"AWS_ACCESS_KEY_ID": "a", "AWS_SECRET_ACCESS_KEY": "b"})
    assert [line for line in lacking if "package" not in line] == [
        "S3_BUCKET is not set: name of the bucket; add --create-bucket to have it made"
    ]


def test_variables_are_filled_in_and_what_ends_up_empty_is_dropped() -> None:
    value = {
        "path": "s3://${B}/zenml",
        "inner": {"url": "${URL:-}", "region": "${R:-us-east-1}"},
        "gone": {"x": "${N:-}"},
    }
    assert filled_in(value, {"B": "team"}) == {"path": "s3://team/zenml", "inner": {"region": "us-east-1"}}
    assert filled_in({"a": True, "b": 3}, {}) == {"a": True, "b": 3}


def test_no_file_holds_a_credential() -> None:
    for name in declared_stacks():
        for component in read_stack(name).components.values():
            for value in component.secret.values.values() if component.secret else ():
                assert value.startswith("${")


def test_an_unknown_stack_is_told_with_the_nearest_name() -> None:
    with pytest.raises(ConfigError, match=r"s4: no such stack; did you mean s3\?"):
        read_stack("s4")
