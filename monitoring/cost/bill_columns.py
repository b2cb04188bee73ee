"""How columns of bills are called, in RunPod's API of today and of before, and in tables of consoles.

Names are compared without case, blanks and punctuation: ``Start Time``, ``start_time`` and ``startTime`` are one.
``GET /v2/billing/serverless`` gives ``{"records": [{startTime, endTime, serverlessId, totalAmount, gpuAmount,
cpuAmount, diskAmount, feeAmount}], "metadata": ...}`` and no seconds; the API before it gave a list of ``{time,
endpointId, gpuTypeId, amount, timeBilledMs, diskSpaceBilledGb}``. The console's table has no published form.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping

ENDPOINT, DAY, END, MACHINE, CURRENCY = "endpoint", "day", "end", "machine", "currency"
TOTAL, GPU, CPU, DISK, FEE = "total", "gpu", "cpu", "disk", "fee"
AMOUNTS = (TOTAL, GPU, CPU, DISK, FEE)
SECONDS, MILLISECONDS, HOURS = "seconds", "milliseconds", "hours"
SECONDS_OF: Mapping[str, float] = {SECONDS: 1.0, MILLISECONDS: 0.001, HOURS: 3600.0}
"""Seconds in one of the unit that a column is in."""
NAMES: Mapping[str, tuple[str, ...]] = {
    ENDPOINT: ("serverlessid", "endpointid", "endpoint", "endpointname", "resourceid", "resource"),
    DAY: ("starttime", "time", "date", "day", "startdate", "billingdate", "periodstart"),
    END: ("endtime", "enddate", "periodend"),
    MACHINE: ("gputypeid", "gputype", "gpu", "cputype", "machine", "workertype", "instancetype"),
    CURRENCY: ("currency", "currencycode"),
    TOTAL: ("totalamount", "amount", "total", "cost", "totalcost", "charge", "usd", "price"),
    GPU: ("gpuamount", "gpucost"),
    CPU: ("cpuamount", "cpucost"),
    DISK: ("diskamount", "diskcost", "storageamount", "storagecost"),
    FEE: ("feeamount", "fee", "platformfee"),
    SECONDS: ("seconds", "timebilledseconds", "billedseconds", "workerseconds", "durationseconds", "duration"),
    MILLISECONDS: ("timebilledms", "timebilledmilliseconds", "billedms", "durationms"),
    HOURS: ("hours", "timebilledhours", "billedhours", "gpuhours", "durationhours"),
}
"""Names of each column, the one that is taken first being the first."""
_UNIT = re.compile(r"\s*[(\[]\s*(usd|\$|us\$|seconds|secs|sec|s|milliseconds|ms|hours|hrs|h|utc)\s*[)\]]\s*$", re.I)
_IN_UNIT = {"ms": "ms", "milliseconds": "ms", "h": "hours", "hrs": "hours", "hours": "hours"}


def columns_of(header: Iterable[str]) -> dict[str, str]:
    """Which column of a bill is which of ours.

    Args:
        header: Its names.

    Returns:
        Name in the bill by name here; without those that it does not have.
    """
    plain = {_plain(name): name for name in reversed(list(header))}
    return {
        ours: plain[known[0]] for ours, names in NAMES.items() if (known := [name for name in names if name in plain])
    }


def _plain(name: str) -> str:
    """``Amount (USD)`` is an amount; ``Duration (ms)`` are milliseconds."""
    unit = _UNIT.search(name)
    suffix = _IN_UNIT.get(unit[1].lower(), "") if unit else ""
    return re.sub(r"[^a-z0-9]", "", _UNIT.sub("", name).lower()) + suffix
