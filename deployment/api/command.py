"""What every service's command does before its service is imported: check the installation and the settings."""

from __future__ import annotations

import gc
import sys
from contextlib import suppress
from functools import partial
from importlib import import_module
from pathlib import Path
from threading import Thread

from retrieval.errors import ArtifactError, ConfigError
from retrieval.extras import need
from retrieval.folders import verify_folder
from retrieval.processes.supervision import end_with_supervisor


def serve(package: str, port: int, **choices: bool) -> int:
    """Serve with the settings of the environment.

    Args:
        package: Of the service; its ``app.make_app`` is called.
        port: Where it answers, unless the settings say otherwise.
        choices: Of the command line, as ``make_app`` takes them.

    Returns:
        As `deployment.api.server.run_service`; 2 also where packages are missing.
    """
    end_with_supervisor()
    try:
        need("serving", f"python -m {package}")
        from deployment.settings import read_settings

        settings = read_settings()
    except ConfigError as error:
        sys.stderr.write(f"error: {error}\n")
        return 2
    gc.disable()  # some 3,000 modules make few cycles and many objects to look through; on again when ready
    Thread(target=_read_beforehand, args=(Path(settings.bundle),), daemon=True).start()
    from deployment.api.server import run_service

    return run_service(partial(import_module(f"{package}.app").make_app, **choices), settings, port)


def _read_beforehand(folder: Path) -> None:
    """Hash a bundle's files while this process imports what it needs; whoever loads them verifies, and reports."""
    with suppress(ArtifactError, OSError):
        verify_folder(folder)
