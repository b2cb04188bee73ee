"""The YAML files of a configuration: one, and those it extends."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from difflib import get_close_matches
from pathlib import Path
from typing import Any

import yaml

from retrieval.errors import ConfigError

EXTENDS = "extends"
"""Key of a file, beside the schema's: another file, seen from its own folder, whose keys it takes where it has none."""


@dataclass(frozen=True)
class ConfigFile:
    """What stands in one file, without ``extends``.

    Attributes:
        path: As it was asked for.
        values: Nested keys.
    """

    path: Path
    values: dict[str, Any]

    def holds(self, key: str) -> bool:
        """Whether a dotted key, or something below it, is set here."""
        node: object = self.values
        for part in key.split("."):
            if not isinstance(node, dict) or part not in node:
                return False
            node = node[part]
        return True


def read_files(path: Path) -> list[ConfigFile]:
    """A file, then the one it extends, then the one that one extends, and so on.

    Raises:
        ConfigError: If one is missing, is no mapping or no YAML, or they extend each other in a circle; one line.
    """
    files: list[ConfigFile] = []
    following: Path | None = path
    while following:
        if any(following.resolve() == file.path.resolve() for file in files):
            raise ConfigError(f"{path}: {EXTENDS} leads back to {following}; remove it from one of the files")
        values = read_yaml(following, asked_by=files[-1].path if files else None)
        parent = values.pop(EXTENDS, None)
        if parent is not None and not (isinstance(parent, str) and parent):
            raise ConfigError(f"{following}: {EXTENDS}: got {parent!r}; name one file, such as quickstart.yaml")
        files.append(ConfigFile(following, values))
        following = following.parent / parent if parent else None
    return files


def merged(files: list[ConfigFile]) -> dict[str, Any]:
    """The keys of all files; a section is joined key by key, all else is taken whole from the first that has it."""
    values: dict[str, Any] = {}
    for file in reversed(files):
        values = _over(file.values, values)
    return values


def read_yaml(path: Path, asked_by: Path | None = None) -> dict[str, Any]:
    """A file's keys; empty where nothing stands in it.

    Args:
        path: To read.
        asked_by: The file that extends it, for the error where it is missing.

    Raises:
        ConfigError: If it is missing, is no mapping or no YAML; one line.
    """
    if not path.is_file():
        source = f"{asked_by}: {EXTENDS}: " if asked_by else ""
        raise ConfigError(f"{source}{path}: no such configuration file{_nearest(path)}")
    try:
        values = yaml.safe_load(path.read_text(encoding="utf-8"))
    except UnicodeDecodeError as error:
        raise ConfigError(f"{path}: not UTF-8 at byte {error.start}; save the file as UTF-8") from error
    except yaml.YAMLError as error:
        mark = getattr(error, "problem_mark", None)
        where = f" line {mark.line + 1}:" if mark else ""
        raise ConfigError(f"{path}:{where} not YAML ({getattr(error, 'problem', error)}); correct the line") from error
    if values is None:
        return {}
    if not isinstance(values, dict):
        raise ConfigError(f"{path}: holds a {type(values).__name__}, expected keys such as 'seed: 42'")
    return values


def _nearest(path: Path) -> str:
    """``; did you mean X?`` of the files beside it and the shipped ones, or those files themselves."""
    others = sorted(str(other) for folder in {path.parent, Path("configs")} for other in folder.glob("*.y*ml"))
    near = get_close_matches(str(path), others, n=1, cutoff=0.4)
    if near:
        return f"; did you mean {near[0]}?"
    return f"; known: {', '.join(others)}" if others else ""


def _over(upper: Mapping[str, Any], lower: Mapping[str, Any]) -> dict[str, Any]:
    values = dict(lower)
    for name, value in upper.items():
        below = values.get(name)
        values[name] = _over(value, below) if isinstance(value, dict) and isinstance(below, dict) else value
    return values
