"""How soon people are told: real services, Prometheus, Alertmanager and a stub of Telegram, at their true pace.

    python -m benchmarks.alerting [--soak-seconds 600]

First nothing is wrong for a while and nobody may be told anything; then every fifth request to the bi-encoder fails;
then the gateway is killed. A little model serves, for what is measured is the watching. Takes about twenty minutes.
"""

from __future__ import annotations

import argparse
import json
import sys
import tempfile
import time
from pathlib import Path

ERRORS_WITHIN_SECONDS, OUTAGE_WITHIN_SECONDS = 300.0, 90.0
_LONGEST_SECONDS = 900.0


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--soak-seconds", type=float, default=600.0)
    given = parser.parse_args()
    figures = measured(given.soak_seconds)
    print(json.dumps(figures))
    reached = (
        figures["told_in_soak"] == 0
        and figures["errors_told_seconds"] <= ERRORS_WITHIN_SECONDS
        and figures["outage_told_seconds"] <= OUTAGE_WITHIN_SECONDS
    )
    return 0 if reached else 1


def measured(soak_seconds: float) -> dict[str, float]:
    """Seconds until a message, and how many messages came while nothing was wrong."""
    from tests.helpers.monitoring_stack import until
    from tests.helpers.tiny_bundle import tiny_bundle
    from tests.helpers.watched_services import watched_services

    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        with watched_services(tiny_bundle(folder), folder) as watched:
            bot = watched.stack.bot
            time.sleep(soak_seconds)
            figures: dict[str, float] = {"soak_seconds": soak_seconds, "told_in_soak": len(bot.delivered)}
            print(f"  {soak_seconds:.0f} s of health: {len(bot.delivered)} messages")
            before = len(bot.delivered)
            watched.services.proxy.fail_every = 5
            figures["errors_told_seconds"] = round(until(lambda: len(bot.delivered) > before, 900, "errors"), 1)
            print(f"  every fifth request fails: {figures['errors_told_seconds']} s, {bot.shown[-1].splitlines()[0]}")
            watched.services.proxy.heal()
            quiet = until(
                lambda: all(one.endswith("BudgetBurnSlow") for one in watched.stack.firing()),  # these look at hours
                _LONGEST_SECONDS,
                "everything is over",
            )
            print(f"  over after {quiet:.0f} s")
            before = len(bot.delivered)
            watched.services.stop("gateway")
            told = until(lambda: any("EndpointDown" in text for text in bot.shown[before:]), 900, "the outage is told")
            figures["outage_told_seconds"] = round(told, 1)
            print(f"  the gateway is gone: {told:.1f} s")
    return figures


if __name__ == "__main__":
    sys.exit(main())
