"""Jobs in and out: what the SDK lets through is refused, and an error is text with a code."""

from __future__ import annotations

import json

import numpy as np
import pytest

from deployment.errors import InvalidInput, Malformed, Overloaded, Refusal
from deployment.runpod.jobs import job_error, job_input, job_output


def _deep(levels: int) -> dict[str, object]:
    value: dict[str, object] = {}
    for _ in range(levels):
        value = {"a": value}
    return value


def test_the_input_is_handed_on_as_it_is() -> None:
    given = {"action": "embed", "text": "Điều 1", "metadata": {"a": [1, 2.5, None, True]}}
    assert job_input({"id": "1", "input": given}) == given


@pytest.mark.parametrize("job", [{}, {"input": None}, {"input": "embed"}, {"input": [1]}, None, 7])
def test_a_job_without_an_object_is_refused_with_what_it_has(job: object) -> None:
    with pytest.raises(InvalidInput, match=r"^input is (null|text|a list); send an object with the key action"):
        job_input(job)


@pytest.mark.parametrize(
    "given",
    [{"x": float("nan")}, {"x": [float("inf")]}, {"text": "a\ud800b"}, {"\udfff": 1}, _deep(300), _deep(5000)],
    ids=["nan", "infinity", "surrogate", "surrogate key", "deep", "deeper"],
)
def test_what_json_cannot_say_is_refused(given: dict[str, object]) -> None:
    with pytest.raises(Refusal) as refused:
        job_input({"input": given})
    assert isinstance(refused.value, InvalidInput | Malformed)


def test_an_output_of_numbers_that_are_not_finite_can_be_posted() -> None:
    assert json.dumps(job_output({"score": float("nan"), "rows": (1, 2)}), allow_nan=False) == (
        '{"score": null, "rows": [1, 2]}'
    )


def test_an_output_that_cannot_be_posted_is_an_error_and_not_silence() -> None:
    with pytest.raises(ValueError, match="float32"):
        job_output({"score": np.float32(1.0)})


def test_an_error_is_json_text_with_code_and_message() -> None:
    output = job_error(Overloaded("a queue of 9; try again", retry_after_seconds=1.23456))
    assert set(output) == {"error"}
    assert json.loads(output["error"]) == {
        "code": "overloaded",
        "message": "a queue of 9; try again",
        "retry_after_seconds": 1.235,
    }


def test_an_error_that_quotes_a_lone_surrogate_can_be_posted() -> None:
    assert job_error(InvalidInput("got \ud800"), refresh_worker=True)["error"].encode("utf-8")
