"""What ``make serve`` makes of ``RETRIEVER_*`` variables: what they change, which keys open what, what is not used."""

from __future__ import annotations

import os
import secrets
from collections.abc import Mapping
from dataclasses import dataclass

from deployment.ports import GATEWAY_PORT
from deployment.settings import ServingSettings, read_settings
from retrieval.errors import ConfigError

_SHORTEST_KEY = 16
_ALONE = "make serve answers on 127.0.0.1 alone; for other machines run python -m deployment.gateway"
_STARTED_HERE = "make serve starts the services itself; for others run python -m deployment.gateway"


@dataclass(frozen=True)
class ServeSettings:
    """The user's settings, and the key with which the gateway asks the services.

    Attributes:
        settings: From the environment.
        service_key: The user's ``RETRIEVER_SERVICE_KEY``; where only other keys are set, one of this start; else none.
    """

    settings: ServingSettings
    service_key: str

    @property
    def keyed(self) -> bool:
        """Whether the user has set keys."""
        return bool(self.settings.keys())

    @property
    def of_services(self) -> dict[str, str]:
        """Variables of the services: the user's keys open them, and the gateway's; without keys they are open."""
        if not self.service_key:
            return {}
        return {"RETRIEVER_API_KEYS": ",".join([*self.settings.api_keys, self.service_key])}

    @property
    def of_gateway(self) -> dict[str, str]:
        """Variables of a gateway in front of them; the user's keys are in its environment already."""
        return {"RETRIEVER_SERVICE_KEY": self.service_key}

    def port(self, given: int | None) -> int:
        """The gateway's port: what was typed, else ``RETRIEVER_PORT``, else its own."""
        return given if given is not None else self.settings.port or GATEWAY_PORT

    def not_used(self, in_process: bool, bundle_chosen: bool) -> list[str]:
        """A line for each variable that is set and changes nothing here, with why.

        Args:
            in_process: One process for all.
            bundle_chosen: Whether options name what is served.
        """
        chosen = "--model and --zero-shot go before it"
        reasons = {
            "host": ("" if self.settings.host in {"127.0.0.1", "localhost"} else _ALONE),
            "bi_encoder_url": _STARTED_HERE,
            "cross_encoder_url": _STARTED_HERE,
            "service_key": "there are no services with --in-process" if in_process else "",
            "bundle": chosen if bundle_chosen else "",
            "jobs": "it is for RunPod workers",
        }
        set_by_user = self.settings.model_fields_set
        return [
            f"RETRIEVER_{name.upper()} is not used: {reason}"
            for name, reason in reasons.items()
            if reason and name in set_by_user and getattr(self.settings, name)
        ]

    def access(self, in_process: bool) -> list[str]:
        """Who may ask what, line by line, for people."""
        if self.keyed:
            what = "page and API take" if in_process else "search API and services take"
            return [
                f"keys           {what} those of {self._sources()} (Authorization: Bearer KEY); the page asks for one"
            ]
        if self.service_key and not in_process:
            return ["keys           none for search page and API; the two services take that of RETRIEVER_SERVICE_KEY"]
        return ["keys           none; whoever works on this machine may ask, until RETRIEVER_API_KEYS is set"]

    def _sources(self) -> str:
        found = {"RETRIEVER_API_KEYS": self.settings.api_keys, "RETRIEVER_API_KEYS_FILE": self.settings.api_keys_file}
        return " and ".join(name for name, value in found.items() if value)


def read_serve_settings(environment: Mapping[str, str] | None = None) -> ServeSettings:
    """Settings from the environment.

    Args:
        environment: Variables; default this process's.

    Raises:
        ConfigError: If a variable is unknown or its value wrong, before anything is started.
    """
    variables = os.environ if environment is None else environment
    settings = read_settings(variables)
    settings.keys()
    if settings.service_key and (len(settings.service_key) < _SHORTEST_KEY or "," in settings.service_key):
        raise ConfigError(
            "RETRIEVER_SERVICE_KEY: shorter than 16 characters, or with a comma; make one with `openssl rand -hex 24`,"
            " or leave it out, for make serve makes one itself"
        )
    return ServeSettings(settings, settings.service_key or (secrets.token_hex(24) if settings.keys() else ""))
