"""Optional parts of the installation: which packages each brings, and one line where they lack."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from importlib.util import find_spec

from retrieval.errors import ConfigError

EXTRAS = {
    "pipelines": ("zenml", "mlflow", "matplotlib", "jinja2", "scipy"),
    "serving": ("fastapi", "uvicorn", "httptools", "prometheus_client", "httpx", "pydantic_settings"),
    "monitoring": ("fastapi", "uvicorn", "httpx", "markdown_it"),
    "runpod": ("runpod",),
    "s3": ("boto3",),
    "adapters": ("peft",),
    "tracing": ("opentelemetry.sdk", "opentelemetry.exporter.otlp.proto.http"),
    "ngrok": ("ngrok",),
}
"""Modules that a command needs from each extra of pyproject.toml."""


def need(extra: str, purpose: str) -> None:
    """Refuse to go on without the packages of an extra; called by a command before it imports them.

    Args:
        extra: Key of `EXTRAS`.
        purpose: What cannot be done without it, for the message.

    Raises:
        ConfigError: If one of its packages is not installed.
    """
    lacking = [module for module in EXTRAS[extra] if not _is_there(module)]
    if lacking:
        raise ConfigError(f"{purpose} needs {', '.join(lacking)}, not installed here; pip install -e '.[{extra}]'")


def _is_there(module: str) -> bool:
    try:
        return find_spec(module) is not None
    except ModuleNotFoundError:  # not even the package that would hold it
        return False


@contextmanager
def hidden(*names: str) -> Iterator[None]:
    """Let what is imported in the block do without packages that it takes where it finds them and can spare.

    Args:
        names: Top-level packages; one that is loaded already stays visible.
    """
    absent = [name for name in names if name not in sys.modules]
    sys.modules |= dict.fromkeys(absent)  # type: ignore[arg-type]  # None says: not to be found
    try:
        yield
    finally:
        for name in absent:
            sys.modules.pop(name, None)
