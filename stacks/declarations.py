"""What the files stacks/*.yaml may say, and how the environment fills them in."""

from __future__ import annotations

import os
import re
from collections.abc import Iterator, Mapping
from difflib import get_close_matches
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import yaml
from pydantic import BaseModel, ConfigDict, Field, ValidationError
from zenml.enums import StackComponentType

from retrieval.errors import ConfigError

FOLDER = Path(__file__).resolve().parent
_VARIABLE = re.compile(r"\$\{([A-Z][A-Z0-9_]*)(?::-((?:[^{}]|\$\{[^{}]*\})*))?\}")


class _Part(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid", populate_by_name=True)


class SecretDeclaration(_Part):
    """A ZenML secret; its values come from the environment."""

    name: str
    values: dict[str, str]


class ComponentDeclaration(_Part):
    """A component of its own, ZenML's (``use``), or one that another file declares (``from``)."""

    name: str = ""
    flavor: str = ""
    configuration: dict[str, Any] = Field(default_factory=dict)
    secret: SecretDeclaration | None = None
    use: str = ""
    origin: str = Field("", alias="from")


class StackDeclaration(_Part):
    """One file.

    Attributes:
        name: The file's name.
        description: One line.
        extra: Extra of this project that installs the packages.
        packages: Modules that the components need.
        environment: Variables without a default, with a word on how to get them.
        components: By type.
    """

    name: str
    description: str
    extra: str = ""
    packages: tuple[str, ...] = ()
    environment: dict[str, str] = Field(default_factory=dict)
    components: dict[StackComponentType, ComponentDeclaration]

    def missing(self, environment: Mapping[str, str] | None = None) -> list[str]:
        """What this machine lacks to register the stack, with how to get it; empty where nothing."""
        there = os.environ if environment is None else environment
        install = f"pip install '.[{self.extra}]'" if self.extra else f"zenml integration install {self.name}"
        lacking = [f"package {name} is not installed: {install}" for name in self.packages if find_spec(name) is None]
        return lacking + [f"{name} is not set: {how}" for name, how in self.environment.items() if not there.get(name)]


def declared_stacks() -> list[str]:
    """Names of the stacks that have a file."""
    return sorted(path.stem for path in FOLDER.glob("*.yaml"))


def read_stack(name: str) -> StackDeclaration:
    """A stack's file, with what it takes from other files put in.

    Raises:
        ConfigError: If there is no such file or it says something it may not.
    """
    path = FOLDER / f"{name}.yaml"
    if not path.is_file():
        near = get_close_matches(name, declared_stacks(), n=1, cutoff=0.4)
        hint = f"did you mean {near[0]}?" if near else f"known: {', '.join(declared_stacks())}"
        raise ConfigError(f"{name}: no such stack; {hint}")
    try:
        declaration = StackDeclaration(name=name, **yaml.safe_load(path.read_text(encoding="utf-8")))
    except (ValidationError, yaml.YAMLError, TypeError) as error:
        raise ConfigError(f"{path}: {error}") from error
    return _with_origins(declaration)


def filled_in(value: Any, environment: Mapping[str, str] | None = None) -> Any:  # noqa: ANN401 - any YAML value
    """A value with ``${NAME}`` and ``${NAME:-default}`` replaced; what ends up empty is dropped from mappings.

    A default may hold another variable, ``${NAME:-${OTHER:-default}}``.
    """
    there = os.environ if environment is None else environment
    if isinstance(value, str):
        return _VARIABLE.sub(lambda found: there.get(found[1]) or str(filled_in(found[2] or "", there)), value)
    if isinstance(value, dict):
        filled = {key: filled_in(one, there) for key, one in value.items()}
        return {key: one for key, one in filled.items() if one not in ("", {})}
    return value


def _with_origins(declaration: StackDeclaration) -> StackDeclaration:
    components, needs, extra = dict(declaration.components), list(declaration.packages), declaration.extra
    help_by_name: dict[str, str] = {}
    for kind, other in _origins(declaration):
        components[kind] = other.components[kind]
        needs += [package for package in other.packages if package not in needs]
        help_by_name |= other.environment
        extra = extra or other.extra
    changed = {
        "components": components,
        "packages": tuple(needs),
        "environment": {**help_by_name, **declaration.environment},
        "extra": extra,
    }
    return declaration.model_copy(update=changed)


def _origins(declaration: StackDeclaration) -> Iterator[tuple[StackComponentType, StackDeclaration]]:
    for kind, component in declaration.components.items():
        if component.origin:
            yield kind, read_stack(component.origin)
