"""Dockerfiles read, and carried out without an engine: a stage's instructions in order, below a folder as its root."""

from __future__ import annotations

import fnmatch
import json
import os
import re
import shutil
import subprocess
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
_FLAGS = re.compile(r"--(mount|from)=\S+\s*")


@dataclass(frozen=True)
class Instruction:
    """One instruction, its continued lines joined."""

    name: str
    text: str


@dataclass
class Stage:
    """One stage: what it starts from, and its instructions."""

    base: str
    name: str
    instructions: list[Instruction] = field(default_factory=list)

    def all(self, name: str) -> list[str]:
        return [one.text for one in self.instructions if one.name == name]

    def environment(self) -> dict[str, str]:
        pairs = (pair.split("=", 1) for text in self.all("ENV") for pair in text.split())
        return dict(pairs)  # type: ignore[arg-type]

    def command(self) -> list[str]:
        command: list[str] = json.loads(self.all("CMD")[-1])
        return command


def read_stages(path: Path) -> list[Stage]:
    lines = [line for line in path.read_text(encoding="utf-8").splitlines() if not line.lstrip().startswith("#")]
    stages: list[Stage] = []
    for line in "\n".join(lines).replace("\\\n", " ").splitlines():
        if not line.strip():
            continue
        name, text = line.split(maxsplit=1)
        if name == "FROM":
            base, _, stage = text.partition(" AS ")
            stages.append(Stage(base, stage))
        else:
            stages[-1].instructions.append(Instruction(name, re.sub(r"\s+", " ", text)))
    return stages


def in_context(name: str, ignored: Path = ROOT / ".dockerignore") -> bool:
    """Whether a path of the project is sent to the engine."""
    sent = True
    for line in ignored.read_text(encoding="utf-8").splitlines():
        pattern = line.strip().removeprefix("!")
        if pattern and not pattern.startswith("#"):
            covered = any(fnmatch.fnmatch(part, pattern) for part in (name, *map(str, Path(name).parents)))
            sent = line.startswith("!") if covered else sent
    return sent


class Machine:
    """Carries out stages on this machine; absolute paths of an image lie below ``root``."""

    def __init__(self, root: Path, arguments: Mapping[str, str], variables: Mapping[str, str]) -> None:
        self.root, self._arguments = root, arguments
        kept = {name: value for name, value in os.environ.items() if name in {"PATH", "HOME", "LANG"} or "PIP" in name}
        self.environment = {**kept, **variables}
        self.folder = root

    def place(self, text: str) -> str:
        """A text with the absolute paths that the images use put below the root."""
        return re.sub(r"(?<![\w./}])/(packages|project|models|app|cache)\b", rf"{self.root}/\1", text)

    def carry_out(self, stage: Stage) -> None:
        for one in stage.instructions:
            if one.name == "WORKDIR":
                self.folder = Path(self.place(one.text))
                self.folder.mkdir(parents=True, exist_ok=True)
            elif one.name == "ENV":
                self.environment |= {name: self._value(value) for name, value in [one.text.split("=", 1)]}
            elif one.name == "ARG":
                for name, value in (pair.split("=", 1) for pair in one.text.split()):
                    self.environment[name] = self._arguments.get(name, value.strip('"'))
            elif one.name == "COPY":
                self._copy(*one.text.split())
            elif one.name == "RUN":
                self.run(["sh", "-c", self.place(_FLAGS.sub("", one.text))])
            else:
                raise ValueError(f"{one.name}: not known here")

    def run(self, command: list[str]) -> str:
        done = subprocess.run(
            command, cwd=self.folder, env=self.environment, capture_output=True, text=True, timeout=3000, check=False
        )
        assert done.returncode == 0, f"{command}\n{done.stdout[-4000:]}\n{done.stderr[-4000:]}"
        return done.stdout

    def _value(self, value: str) -> str:
        return re.sub(r"\$(\w+)", lambda found: self.environment[found[1]], self.place(value))

    def _copy(self, *names: str) -> None:
        *sources, target = names
        for name in sources:
            assert in_context(name), f"{name} is not in the build context"
            if (ROOT / name).is_dir():
                shutil.copytree(ROOT / name, self.folder / target, ignore=shutil.ignore_patterns("__pycache__"))
            else:
                shutil.copy2(ROOT / name, self.folder / target)
