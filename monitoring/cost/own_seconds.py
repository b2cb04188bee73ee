"""Worker-seconds and dollars as we counted them, by endpoint and day: from Prometheus, or from a file."""

from __future__ import annotations

import json
import urllib.error
import urllib.parse
import urllib.request
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any

from monitoring.cost.bills import read_bill
from retrieval.errors import ConfigError, ServerError

_DAY = timedelta(days=1)
_QUERY_SECONDS = 30.0
_LOCAL = {"localhost", "127.0.0.1", "::1"}


@dataclass(frozen=True)
class Counted:
    """What was counted of an endpoint in a day.

    Attributes:
        seconds: Of workers.
        usd: Dollars.
    """

    seconds: float
    usd: float


Counts = dict[tuple[str, date], Counted]
"""By endpoint and day (UTC)."""


def counts_in_file(path: Path) -> Counts:
    """Counts of a CSV or JSON file with endpoint, date, seconds and usd; rows of one endpoint and day are added up.

    Raises:
        ConfigError: If it is none.
    """
    counts: Counts = {}
    for row in read_bill(path):
        if row.seconds is None:
            raise ConfigError(f"{path}: has no seconds; give endpoint, date, seconds and usd")
        before = counts.get((row.endpoint, row.day), Counted(0.0, 0.0))
        counts[row.endpoint, row.day] = Counted(before.seconds + row.seconds, before.usd + row.usd)
    return counts


def counts_of_prometheus(url: str, days: Iterable[date]) -> Counts:
    """Counts of a Prometheus for some days, over all tracks, versions and replicas.

    ``increase`` looks at samples: what a process counted before it was first scraped and after it was last scraped is
    not in it, at most one scrape interval each.

    Args:
        url: Of the server.
        days: In UTC.

    Raises:
        ConfigError: If the address is none.
        ServerError: If it does not answer.
    """
    counts: Counts = {}
    for day in sorted(set(days)):
        end = datetime.combine(day, datetime.min.time(), UTC) + _DAY
        seconds = _increase(url, "endpoint_worker_seconds_total", end)
        usd = _increase(url, "endpoint_cost_usd_total", end)
        counts |= {(name, day): Counted(seconds[name], usd.get(name, 0.0)) for name in seconds}
    return counts


def _increase(url: str, metric: str, end: datetime) -> dict[str, float]:
    query = f"sum by (endpoint) (increase({metric}[{int(_DAY.total_seconds())}s]))"
    found = _answer(url, query, end.timestamp())
    return {one["metric"].get("endpoint", ""): float(one["value"][1]) for one in found}


def _answer(url: str, query: str, moment: float) -> list[dict[str, Any]]:
    parts = urllib.parse.urlsplit(url)
    if parts.scheme not in {"http", "https"} or not parts.hostname:
        raise ConfigError(f"--prometheus: got {url!r}; give an address such as http://127.0.0.1:9090")
    direct = [urllib.request.ProxyHandler({})] if parts.hostname in _LOCAL else []
    asked = urllib.parse.urlencode({"query": query, "time": f"{moment:.0f}"})
    try:
        address = f"{url.rstrip('/')}/api/v1/query?{asked}"
        with urllib.request.build_opener(*direct).open(address, timeout=_QUERY_SECONDS) as answer:
            said = json.load(answer)
        result: list[dict[str, Any]] = said["data"]["result"]
    except urllib.error.HTTPError as error:
        with error:
            words = error.read(300).decode(errors="replace")
        raise ServerError(f"Prometheus at {url}: answers {error.code}: {words}") from error
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise ServerError(f"Prometheus at {url}: {error}; start it, or mend --prometheus") from error
    return result
