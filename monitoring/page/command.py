"""``python -m monitoring.page --prometheus URL [--alertmanager URL] [--port PORT]``: serve the page until Ctrl-C."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path
from urllib.parse import urlsplit

from retrieval.errors import ConfigError, RetrievalError
from retrieval.extras import need
from retrieval.processes.servers import LOCALHOST, stopping_signals
from retrieval.processes.supervision import end_with_supervisor

PORT = 8110
COMMAND = "python -m monitoring.page"


def main(argv: Sequence[str] | None = None) -> int:
    """Serve; 0 after a signal, 1 if the port is taken, 2 on bad input."""
    given = _arguments(argv)
    end_with_supervisor()
    try:
        need("monitoring", COMMAND)
        return _serve(given)
    except RetrievalError as error:
        sys.stderr.write(f"error: {error}\n")
        return 2 if isinstance(error, ConfigError) else 1


def _serve(given: argparse.Namespace) -> int:
    import uvicorn

    from monitoring.page.app import Sources, make_app
    from monitoring.page.prometheus import Server
    from monitoring.page.runbooks import RUNBOOKS

    alertmanager = (
        Server("Alertmanager", _address(given.alertmanager, "--alertmanager")) if given.alertmanager else None
    )
    sources = Sources(
        Server("Prometheus", _address(given.prometheus, "--prometheus")), alertmanager, given.runbooks or RUNBOOKS
    )
    app = make_app(sources, (LOCALHOST, "localhost", given.host, *given.name))
    server = uvicorn.Server(
        uvicorn.Config(app, given.host, given.port, log_level="warning", access_log=False, server_header=False)
    )
    sys.stdout.write(f"monitoring page  http://{given.host}:{given.port}/\nCtrl-C to stop\n")
    sys.stdout.flush()
    # the port is taken, which uvicorn has said; or a signal, which it raises again after its end
    with stopping_signals(), suppress(SystemExit, KeyboardInterrupt):
        server.run()
    return 0 if server.started else 1


def _address(text: str, option: str) -> str:
    """An address of a server.

    Raises:
        ConfigError: If it is none.
    """
    try:
        parts = urlsplit(text)
        good = parts.scheme in {"http", "https"} and bool(parts.hostname) and (parts.port is None or parts.port > 0)
    except ValueError:
        good = False
    if not good:
        raise ConfigError(f"{option}: got {text!r}; give an address such as http://{LOCALHOST}:9090")
    return text


def _arguments(argv: Sequence[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog=COMMAND, description="Draws the dashboards from Prometheus, without Grafana.")
    parser.add_argument("--prometheus", default=f"http://{LOCALHOST}:9090", metavar="URL", help="default: %(default)s")
    parser.add_argument("--alertmanager", default="", metavar="URL", help="says which alerts are silenced")
    parser.add_argument("--port", type=int, default=PORT, help="default: %(default)s")
    parser.add_argument("--host", default=LOCALHOST, help="address to listen on; anybody who reaches it may look")
    parser.add_argument("--name", action="append", default=[], help="a name under which it may be asked, besides these")
    parser.add_argument("--runbooks", type=Path, metavar="FILE", help="default: docs/runbooks.md of the repository")
    return parser.parse_args(argv)
