"""What serving costs: list prices with dates, a worker's seconds by what it did, and the provider's bill beside them.

A machine is billed from its start to its stop, so cold starts and idle seconds cost as much as requests do.
"""

from monitoring.cost.prices import PRICED_ON, USD_PER_SECOND, Price, price_of
from monitoring.cost.worker_time import PHASES, WorkerTime

__all__ = [
    "PHASES",
    "PRICED_ON",
    "USD_PER_SECOND",
    "Price",
    "WorkerTime",
    "price_of",
]
