"""Optional parts of the installation: which packages each brings, and one line where they lack."""

from __future__ import annotations

from importlib.util import find_spec

from retrieval.errors import ConfigError

EXTRAS = {
    "pipelines": ("zenml", "mlflow", "matplotlib", "jinja2", "scipy"),
    "serving": ("fastapi", "uvicorn", "httptools", "prometheus_client", "httpx"),
    "runpod": ("runpod",),
    "s3": ("boto3",),
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
    lacking = [module for module in EXTRAS[extra] if find_spec(module) is None]
    if lacking:
        raise ConfigError(f"{purpose} needs {', '.join(lacking)}, not installed here; pip install -e '.[{extra}]'")
