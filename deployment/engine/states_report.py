"""What a service reports of the law that its cross-encoder has read beforehand; without torch, for the gateway."""

from __future__ import annotations

from typing import Literal

from pydantic import BaseModel, Field


class PassageStatesOut(BaseModel):
    """What the cross-encoder's lower layers gave of the law, read beforehand; without it a reranking takes longer."""

    status: Literal["known", "missing", "being_looked_for"]
    known: int = Field(description="Passages that are known.")
    of: int = Field(description="Passages of the bundle.")
    make: str = Field(description="Command that makes what is missing; it is found without a new start.")
