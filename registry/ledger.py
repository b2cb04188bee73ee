"""The order in which versions came into production, kept as versions of a ZenML model of its own.

Each change takes the next number before it does anything. ZenML's store gives a number only once, on every machine that
shares it, so of two promotions that were judged against the same production one gets the number and the other is told.
A change that was cut short is seen by its missing mark and finished, or left, by the next command.
"""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime
from typing import Literal

from zenml.client import Client
from zenml.exceptions import EntityExistsError

from registry.errors import PromotionError
from registry.versions import RETRIEVER, name_of, record, versions

CHANGES = "legal-retriever-production"
_DESCRIPTION = f"Changes of what is in production, oldest first; each version is one change of {RETRIEVER}"
_NAME = "change-"
Kind = Literal["promotion", "rollback", "by hand"]


@dataclass(frozen=True)
class Change:
    """One change of production.

    Attributes:
        number: 1 for the first.
        version: Of legal-retriever that came; empty where production was emptied, or nothing was said before a kill.
        before: Version that was there; empty where none was.
        kind: How it came.
        done: Whether it is complete.
        at: When its number was taken, UTC.
    """

    number: int
    version: str
    before: str
    kind: str
    done: bool
    at: datetime


def changes() -> list[Change]:
    """Every change, oldest first."""
    found = [_change(name_of(one), one.run_metadata, one.created) for one in versions(CHANGES)]
    return sorted(found, key=lambda change: change.number)


def next_number() -> int:
    """The number that the next change has to take."""
    return max((change.number for change in changes()), default=0) + 1


def claim(number: int, version: str, before: str, kind: Kind) -> None:
    """Take a number for a change that is about to happen.

    Args:
        number: As `next_number` gave it when the change was judged.
        version: That comes.
        before: That is there.
        kind: How it comes.

    Raises:
        PromotionError: If another change took the number.
    """
    client = Client()
    if not client.list_models(name=CHANGES).items:
        with suppress(EntityExistsError):
            client.create_model(name=CHANGES, description=_DESCRIPTION)
    try:
        made = client.create_model_version(CHANGES, name=f"{_NAME}{number}")
    except EntityExistsError as error:
        raise lost(version, before) from error
    record(made, {"version": version, "before": before, "kind": kind})


def finish(number: int) -> None:
    """Mark a change as complete."""
    record(Client().get_model_version(CHANGES, f"{_NAME}{number}"), {"done": True})


def lost(version: str, before: str) -> PromotionError:
    """What the one is told that came second."""
    judged = f"against {before}" if before else "with nothing in production"
    return PromotionError(
        f"{RETRIEVER} {version}: not moved, because production changed in the meantime; it was judged {judged},"
        " so type the same command again to have it judged anew"
    )


def _change(name: str, facts: Mapping[str, object], at: datetime) -> Change:
    version, before, kind = (str(facts.get(fact, "")) for fact in ("version", "before", "kind"))
    return Change(int(name.removeprefix(_NAME)), version, before, kind, bool(facts.get("done")), at)
