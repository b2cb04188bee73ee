"""What a second of a machine costs: a dated table of list prices, and the cost of requests."""

from __future__ import annotations

from dataclasses import dataclass

from retrieval.errors import ConfigError

PRICED_ON = "2026-08"
"""Month in which the list prices were read (RunPod serverless, flex workers)."""

USD_PER_SECOND = {
    "local": 0.0,
    "runpod-16gb": 0.00016,
    "runpod-l4": 0.00019,
    "runpod-a5000": 0.00019,
    "runpod-3090": 0.00019,
    "runpod-4090": 0.00031,
    "runpod-a6000": 0.00034,
    "runpod-a40": 0.00034,
    "runpod-l40s": 0.00053,
    "runpod-a100": 0.00076,
    "runpod-h100": 0.00116,
}
"""List price of one second of each machine; one's own machine is not billed by the second."""


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
