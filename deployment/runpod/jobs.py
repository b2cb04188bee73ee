"""Jobs in and out: inputs that are JSON by the letter, outputs that RunPod's SDK can post, failures with a code."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from pydantic_core import PydanticSerializationError, from_json, to_json

from deployment.api.field_types import json_type
from deployment.api.request_ids import ENVELOPE, REQUEST_ID_HEADER, sane_request_id
from deployment.api.strict_json import read_json, write_json
from deployment.errors import InvalidInput, Refusal

Output = dict[str, Any]
_REQUEST_ID = ENVELOPE[REQUEST_ID_HEADER]
_ENVELOPE = frozenset(ENVELOPE.values())  # no part of the payload


def job_input(job: object) -> Mapping[str, Any]:
    """The payload of a job.

    Raises:
        Refusal: If it is no object, or holds NaN, Infinity or lone surrogates, which the SDK lets through.
    """
    given = job.get("input") if isinstance(job, dict) else None
    if not isinstance(given, dict):
        raise InvalidInput(f"input is {json_type(given)}; send an object with the key action")
    try:
        written = to_json(given, inf_nan_mode="constants")
    except (PydanticSerializationError, UnicodeEncodeError) as error:
        raise InvalidInput("input: holds text that is not Unicode, or is nested too deep; send JSON") from error
    read: dict[str, Any] = read_json(written)
    return {name: value for name, value in read.items() if name not in _ENVELOPE}


def envelope_of(job: object) -> dict[str, Any]:
    """What an input says of the request and the trace that its job is part of; the job's own id where it names none."""
    own, given = (job, job.get("input")) if isinstance(job, dict) else ({}, None)
    told = {name: given[name] for name in _ENVELOPE & given.keys()} if isinstance(given, dict) else {}
    return {**told, _REQUEST_ID: sane_request_id(told.get(_REQUEST_ID) or own.get("id"))}


def job_output(values: Mapping[str, Any]) -> Output:
    """An answer of plain values; a number that is not finite becomes null.

    Raises:
        ValueError: If it holds what JSON cannot say: the SDK would log that and never post an answer.
    """
    plain: Output = from_json(write_json(values))
    return plain


def job_error(refusal: Refusal, refresh_worker: bool = False) -> Output:
    """The answer of a job that fails: RunPod marks it FAILED and shows ``error``.

    Args:
        refusal: Why. Its code and message become JSON text, because RunPod takes nothing but text there: its local
            server answers 500 to an object.
        refresh_worker: Whether the platform should replace this worker.
    """
    facts: dict[str, object] = {"code": refusal.code, "message": str(refusal)}
    if refusal.retry_after_seconds is not None:
        facts["retry_after_seconds"] = round(refusal.retry_after_seconds, 3)
    return {"error": json.dumps(facts), **({"refresh_worker": True} if refresh_worker else {})}
