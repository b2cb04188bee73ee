"""What a second of a machine costs: a dated table of list prices by type, and a price of one's own."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType

from retrieval.errors import ConfigError

PRICED_ON = "2026-08"
"""Month in which the list prices were read."""
SOURCE = "docs.runpod.io/serverless/pricing, flex workers"
"""Where. Later versions of that page name no prices and point to runpod.io/pricing."""
NOT_LISTED = (
    "CPU workers have no list price in those pages, only in the account's catalog (GET /v2/catalog/cpus): give theirs,"
    " and that of any machine not listed here, as RETRIEVER_MACHINE_USD_PER_HOUR"
)


@dataclass(frozen=True)
class ListPrice:
    """A row of the table.

    Attributes:
        machine: Its name here, as RETRIEVER_MACHINE has it.
        types: What the provider calls the GPUs sold at this price.
        usd_per_second: Of one worker with one of them, busy or idle.
    """

    machine: str
    types: tuple[str, ...]
    usd_per_second: float


LIST_PRICES = (
    ListPrice("runpod-16gb", ("RTX A4000", "RTX A4500", "RTX 4000"), 0.00016),
    ListPrice("runpod-l4", ("L4",), 0.00019),
    ListPrice("runpod-a5000", ("RTX A5000",), 0.00019),
    ListPrice("runpod-3090", ("RTX 3090",), 0.00019),
    ListPrice("runpod-4090", ("RTX 4090",), 0.00031),
    ListPrice("runpod-a6000", ("RTX A6000",), 0.00034),
    ListPrice("runpod-a40", ("A40",), 0.00034),
    ListPrice("runpod-l40s", ("L40S",), 0.00053),
    ListPrice("runpod-a100", ("A100",), 0.00076),
    ListPrice("runpod-h100", ("H100",), 0.00116),
)
OWN = "local"
"""A machine of one's own, which nobody bills by the second; with a price an hour it costs that."""
USD_PER_SECOND: Mapping[str, float] = MappingProxyType(
    {OWN: 0.0, **{price.machine: price.usd_per_second for price in LIST_PRICES}}
)
"""List price of one second of each machine."""


@dataclass(frozen=True)
class Price:
    """What the machine that a service runs on costs.

    Attributes:
        machine: Its name.
        usd_per_second: Of the whole machine, busy or idle.
        priced_on: Month of the price; empty where the operator gave it.
    """

    machine: str
    usd_per_second: float
    priced_on: str

    def usd(self, worker_seconds: float) -> float:
        """Cost of some seconds of the whole machine."""
        return worker_seconds * self.usd_per_second


def price_of(machine: str, usd_per_hour: float | None = None) -> Price:
    """Price of a machine.

    Args:
        machine: A name of the table, or any name with a price of one's own.
        usd_per_hour: One's own price, which goes before the table's.

    Raises:
        ConfigError: If the name is not in the table and no price is given.
    """
    if usd_per_hour is not None:
        return Price(machine, usd_per_hour / 3600.0, "")
    if machine not in USD_PER_SECOND:
        raise ConfigError(
            f"machine: got {machine!r}; use one of {', '.join(USD_PER_SECOND)}, or give its price an hour as well"
        )
    return Price(machine, USD_PER_SECOND[machine], PRICED_ON)


def listed(text: str) -> Price | None:
    """List price of what a provider's bill calls a machine, such as ``NVIDIA L4``; None where no row is meant for sure.

    Args:
        text: A name of this table, or a GPU type of the provider's.
    """
    if text in USD_PER_SECOND:
        return price_of(text)
    words = set(text.replace("-", " ").upper().split())
    met = [price for price in LIST_PRICES if any(set(kind.upper().split()) <= words for kind in price.types)]
    return price_of(met[0].machine) if len(met) == 1 else None


def price_table() -> list[str]:
    """The list prices, a line each, with date and source."""
    lines = [f"{'machine':14}{'GPU types':34}{'USD/s':>9}{'USD/hour':>10}"]
    for price in LIST_PRICES:
        hour = price.usd_per_second * 3600
        lines.append(f"{price.machine:14}{', '.join(price.types):34}{price.usd_per_second:>9.5f}{hour:>10.3f}")
    own = f"{OWN:14}{'your own; 0 without RETRIEVER_MACHINE_USD_PER_HOUR':43}"
    return [*lines, own, f"read {PRICED_ON}: {SOURCE}", NOT_LISTED]
