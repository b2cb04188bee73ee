"""Jobs for a worker over a tiny bundle, run by RunPod's own SDK."""

from __future__ import annotations

import asyncio
import json
from pathlib import Path
from typing import Any

from runpod.serverless.modules.rp_job import run_job

from deployment.runpod.worker import Worker
from deployment.settings import ServingSettings
from tests.helpers.tiny_bundle import QUESTION

PAIR = {"query": QUESTION, "document": "Người lao động được nghỉ hằng năm."}


def settings(folder: Path, **given: Any) -> ServingSettings:
    return ServingSettings(bundle=str(folder), precision="float32", threads=1, **given)


def jobs(worker: Worker[Any], *inputs: object) -> list[dict[str, Any]]:
    """What RunPod's SDK makes of the handler's answers, all jobs at once."""

    async def together() -> list[dict[str, Any]]:
        return await asyncio.gather(
            *(run_job(worker.handle, {"id": f"job-{n}", "input": one}) for n, one in enumerate(inputs))
        )

    return asyncio.run(together())


def error_of(result: dict[str, Any]) -> dict[str, Any]:
    assert "output" not in result
    told: dict[str, Any] = json.loads(result["error"])
    return told
