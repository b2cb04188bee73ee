"""Settings of everything that serves: one frozen object, read from ``RETRIEVER_*`` variables in one place."""

from __future__ import annotations

import os
from collections.abc import Mapping
from difflib import get_close_matches
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import BeforeValidator, Field, ValidationError
from pydantic_settings import (
    BaseSettings,
    EnvSettingsSource,
    NoDecode,
    PydanticBaseSettingsSource,
    SettingsConfigDict,
)

from monitoring.logs import LogFormat
from retrieval.errors import ConfigError
from retrieval.paths import HIDDEN_STATES, PULLED

PREFIX = "RETRIEVER_"
_SECRET = ("api_keys", "service_key")


def _parted(value: object) -> object:
    """The parts of a text, by comma; anything else as it is."""
    return tuple(filter(None, map(str.strip, value.split(",")))) if isinstance(value, str) else value


Listed = Annotated[tuple[str, ...], NoDecode, BeforeValidator(_parted)]
"""Several texts, in a variable parted by commas."""


class ServingSettings(BaseSettings):
    """Every setting; the variable of ``api_keys`` is ``RETRIEVER_API_KEYS``, and so on."""

    model_config = SettingsConfigDict(frozen=True, extra="forbid", env_prefix=PREFIX)

    bundle: str = Field("", description="Bundle folder, or its s3:// address.")
    cache: Path = Field(PULLED, description="Where what is fetched from S3 is kept.")
    host: str = Field("127.0.0.1", description="Address to listen on; 0.0.0.0 in a container.")
    port: int = Field(0, ge=0, le=65535, description="Port; 0 takes the service's own.")
    precision: Literal["auto", "float32", "bfloat16"] = Field("auto", description="Of the arithmetic.")
    threads: int = Field(0, ge=0, description="Compute threads; 0 takes one a core.")
    api_keys: Listed = Field((), description="Keys that open the doors, by comma; none leaves them open.")
    api_keys_file: Path | None = Field(None, description="File with one more key a line; # starts a comment.")
    requests_per_minute: int = Field(0, ge=0, description="Of one key, or of one address without keys; 0: no limit.")
    max_body_bytes: int = Field(8 << 20, ge=1024, description="Largest request body: 2,048 texts of 4 KiB.")
    body_timeout_seconds: float = Field(10.0, gt=0, description="Time for a whole request body to arrive.")
    head_timeout_seconds: float = Field(10.0, gt=0, description="Time for a request's line and headers to arrive.")
    deadline_seconds: float = Field(
        30.0, gt=0, description="Longest wait for the model; X-Deadline-Seconds shortens it."
    )
    stop_seconds: float = Field(30.0, gt=0, description="Time for requests in flight after SIGTERM.")
    jobs: int = Field(32, ge=1, le=1024, description="Jobs that a RunPod worker takes at once, for batches to form.")
    queue_tokens: int = Field(200_000, ge=1, description="Tokens that may wait; more are answered with 429.")
    known_text_megabytes: int = Field(
        256, ge=0, description="Cross-encoder: memory for what its lower layers gave of law read before; 0 keeps none."
    )
    states: Path = Field(HIDDEN_STATES, description="Cross-encoder: folder of what was read of the law beforehand.")
    cors_origins: Listed = Field((), description="Origins whose pages may call, by comma; none by default.")
    log_questions: bool = Field(False, description="Write questions into the log; they can be personal.")
    log_format: LogFormat = Field("auto", description="Lines of the log: json, text, or text on a terminal alone.")
    otlp_endpoint: str = Field("", description="Trace collector, as in http://127.0.0.1:4318; empty: no traces.")
    trace_ratio: float = Field(1.0, ge=0, le=1, description="Share of the traces begun here that is kept.")
    bi_encoder_url: str = Field("", description="Gateway: address of the bi-encoder service.")
    cross_encoder_url: str = Field("", description="Gateway: address of the cross-encoder service.")
    service_key: str = Field("", description="Gateway: API key of the two services; empty sends none.")
    rerank_budget_seconds: float = Field(
        1.0, gt=0, le=60, description="Gateway: longest wait for the reranker; then the first stage's order stands."
    )
    rerank_depth: int = Field(0, ge=0, le=100, description="Gateway: articles reranked; 0 takes the retriever's own.")
    track: Literal["stable", "canary"] = Field("stable", description="Label of its metrics: what it is a version of.")
    machine: str = Field("local", description="Name in the price table of monitoring/cost/prices.py.")
    machine_usd_per_hour: float | None = Field(None, ge=0, description="Price of a machine that is not in the table.")

    @classmethod
    def settings_customise_sources(
        cls,
        settings_cls: type[BaseSettings],
        init_settings: PydanticBaseSettingsSource,
        env_settings: PydanticBaseSettingsSource,
        dotenv_settings: PydanticBaseSettingsSource,
        file_secret_settings: PydanticBaseSettingsSource,
    ) -> tuple[PydanticBaseSettingsSource, ...]:
        """What is given and nothing else: `read_settings` alone reads variables, and no ``.env`` file counts."""
        return (init_settings,)

    def keys(self) -> tuple[str, ...]:
        """Every key, from both sources.

        Raises:
            ConfigError: If the file cannot be read or a key is shorter than 16 characters.
        """
        lines: list[str] = []
        if self.api_keys_file is not None:
            try:
                lines = self.api_keys_file.read_text(encoding="utf-8").splitlines()
            except (OSError, UnicodeDecodeError) as error:
                raise ConfigError(f"{self.api_keys_file}: API keys cannot be read ({error}); mend the file") from error
        written = (line.partition("#")[0].strip() for line in lines)
        keys = (*self.api_keys, *(key for key in written if key))
        if any(len(key) < 16 for key in keys):
            raise ConfigError("API keys: one is shorter than 16 characters; make keys with `openssl rand -hex 24`")
        if self.api_keys_file is not None and not keys:
            raise ConfigError(f"{self.api_keys_file}: holds no API key, which would leave the doors open; add one")
        return keys


def read_settings(environment: Mapping[str, str] | None = None, **given: Any) -> ServingSettings:  # noqa: ANN401
    """Settings from the environment.

    Args:
        environment: Variables; default this process's.
        **given: Values that go before those of the environment; None leaves a value out.

    Raises:
        ConfigError: If a variable has an unknown name or a wrong value.
    """
    variables = os.environ if environment is None else environment
    own = {name.lower(): text for name, text in variables.items() if name.startswith(PREFIX)}
    known = {f"{PREFIX}{field}".lower() for field in ServingSettings.model_fields}
    if unknown := [name for name in own if name not in known]:
        raise _unknown(unknown[0].upper())
    source = EnvSettingsSource(ServingSettings)
    source.env_vars = own
    try:
        return ServingSettings(**source() | {name: value for name, value in given.items() if value is not None})
    except ValidationError as error:
        first = error.errors()[0]
        name = f"{PREFIX}{str(first['loc'][0]).upper()}"
        if first["type"] == "extra_forbidden":
            raise _unknown(name) from error
        got = "" if first["loc"][0] in _SECRET else f"got {first['input']!r}; "
        raise ConfigError(f"{name}: {got}{first['msg']}; mend its value") from error


def _unknown(name: str) -> ConfigError:
    known = [f"{PREFIX}{field.upper()}" for field in ServingSettings.model_fields]
    near = get_close_matches(name, known, n=1, cutoff=0.75)
    hint = f"did you mean {near[0]}? " if near else ""
    return ConfigError(f"{name}: no such setting; {hint}known are {', '.join(known)}")
