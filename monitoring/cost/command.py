"""``python -m monitoring.cost``: the price table, and a provider's bill beside what we counted."""

from __future__ import annotations

import argparse
import math
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path

from monitoring.cost.bills import read_bill
from monitoring.cost.own_seconds import counts_in_file, counts_of_prometheus
from monitoring.cost.prices import Price, price_of, price_table
from monitoring.cost.reconciliation import reconciled, renamed, report
from retrieval.errors import ConfigError, RetrievalError

PROMETHEUS = "http://127.0.0.1:9090"
DIFFERS, BAD_INPUT = 1, 2


def main(argv: Sequence[str] | None = None) -> int:
    """Print a table; 1 if the bill differs by more than the tolerance, 2 on bad input."""
    given = _arguments(argv)
    try:
        if given.action == "table":
            lines, code = price_table(), 0
        else:
            lines, code = _reconcile(given)
    except RetrievalError as error:
        sys.stderr.write(f"error: {error}\n")
        return BAD_INPUT
    sys.stdout.write("\n".join([*lines, ""]))
    return code


def _reconcile(given: argparse.Namespace) -> tuple[list[str], int]:
    if not (math.isfinite(given.tolerance) and 0.0 <= given.tolerance < 1.0):
        raise ConfigError(f"--tolerance: got {given.tolerance}; give a share such as 0.05")
    bill, price = read_bill(given.bill), _price(given)
    names, elsewhere = _names(given.endpoint)
    if given.worker_seconds is not None:
        counts = counts_in_file(given.worker_seconds)
    else:
        counts = counts_of_prometheus(given.prometheus, {row.day for row in bill})
    lines = reconciled(bill, counts, names, price, elsewhere)
    if not lines:
        raise ConfigError(f"{given.bill}: every endpoint is left out; name one with --endpoint ID=NAME")
    other = sum(row.other_usd for row in renamed(bill, counts, names))
    agreed = all(line.agrees(given.tolerance) for line in lines)
    return report(lines, other, given.tolerance), 0 if agreed else DIFFERS


def _price(given: argparse.Namespace) -> Price | None:
    return price_of(given.machine, given.usd_per_hour) if given.machine else None


def _names(given: Sequence[str]) -> tuple[Mapping[str, str], set[str]]:
    """Our name by the bill's, and our endpoints that are not on the bill."""
    for text in given:
        if "=" not in text or text == "=":
            raise ConfigError(f"--endpoint: got {text!r}; give ID=NAME, such as jpnw0v75y3qoql=bi-encoder")
    pairs = [(text.partition("=")[0], text.partition("=")[2]) for text in given]
    return {theirs: ours for theirs, ours in pairs if theirs}, {ours for theirs, ours in pairs if not theirs}


def _arguments(argv: Sequence[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m monitoring.cost", description="What serving costs.")
    actions = parser.add_subparsers(dest="action", required=True)
    actions.add_parser("table", help="list prices, with their date and source")
    reconcile = actions.add_parser("reconcile", help="compare a provider's bill with the worker-seconds we counted")
    reconcile.add_argument("bill", type=Path, metavar="FILE", help="JSON of GET /v2/billing/serverless, or CSV")
    source = reconcile.add_mutually_exclusive_group()
    source.add_argument("--prometheus", default=PROMETHEUS, metavar="URL", help=f"our counts (default {PROMETHEUS})")
    source.add_argument("--worker-seconds", type=Path, metavar="FILE", help="our counts: endpoint,date,seconds,usd")
    reconcile.add_argument(
        "--endpoint",
        action="append",
        default=[],
        metavar="ID=NAME",
        help="our name of an endpoint of the bill; ID= leaves that one out, =NAME says that ours is not on this bill",
    )
    reconcile.add_argument("--tolerance", type=float, default=0.05, help="share of the bill (default 0.05)")
    reconcile.add_argument(
        "--machine", default="", metavar="NAME", help="of the price table, where the bill names none"
    )
    reconcile.add_argument("--usd-per-hour", type=float, metavar="USD", help="its price, where the table has none")
    return parser.parse_args(argv)
