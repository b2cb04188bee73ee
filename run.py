"""The one entry to every pipeline: python run.py --pipeline NAME [--config FILE] [--stack NAME] [--set KEY=VALUE]."""

from __future__ import annotations

import argparse
import errno
import gc
import importlib
import logging
import os
import shlex
import shutil
import sys
from collections.abc import Sequence
from difflib import get_close_matches
from pathlib import Path
from types import ModuleType
from typing import NoReturn

from retrieval.config.file import load_config
from retrieval.config.presets import load_preset
from retrieval.config.schema import Config
from retrieval.errors import ConfigError, RetrievalError
from retrieval.extras import need
from stacks.errors import StoreError

ROOT = Path(__file__).resolve().parent
PIPELINES = {
    "data": "read, clean, cut, segment, split and check law and questions",
    "training": "train both models, measure them, judge them and register versions",
    "evaluation": "score a question file with a kept retriever (--set evaluation.questions=FILE)",
    "promotion": "put the staged retriever into production, roll back, or show versions",
}
BAD_INPUT, INTERRUPTED = 2, 130
_UNWRITABLE = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG, errno.EROFS, errno.EACCES)
_UNWRITABLE_STORE = ("disk I/O error", "database or disk is full", "attempt to write a readonly database")
"""SQLite's words when it cannot write."""
_MAKE_ROOM = "free some space on its disk, or give this user the right to write"
LOCKED = "database is locked"  # SQLite's words when another process kept it from writing for a minute


class _Parser(argparse.ArgumentParser):
    def error(self, message: str) -> NoReturn:
        """One line instead of the usage."""
        raise ConfigError(f"{message}; see python run.py --help")


def _parser() -> argparse.ArgumentParser:
    listed = "\n".join(f"  {name:12}{line}" for name, line in PIPELINES.items())
    parser = _Parser(
        prog="python run.py", epilog=f"pipelines:\n{listed}", formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--pipeline", metavar="NAME", help="which pipeline to run")
    parser.add_argument("--list", action="store_true", help="show the pipelines, one line each")
    parser.add_argument("--config", type=Path, metavar="FILE", help="YAML file (default: this machine's quickstart)")
    parser.add_argument("--stack", metavar="NAME", help="ZenML stack of this run; the active one stays as it is")
    parser.add_argument("--no-cache", action="store_true", help="run every step even if nothing changed")
    parser.add_argument(
        "--set", action="append", default=[], metavar="KEY=VALUE", help="override a key of the file; repeatable"
    )
    return parser


def main(argv: Sequence[str] | None = None) -> int:
    """Run one pipeline; 0 if it went well, 1 if it failed, 2 on bad input, 130 if interrupted."""
    try:
        arguments = _parser().parse_args(argv)
        if arguments.list:
            print("\n".join(f"{name:12}{line}" for name, line in PIPELINES.items()))
            return 0
        return _run(arguments)
    except ConfigError as error:
        print(f"error: {error}", file=sys.stderr)
        return BAD_INPUT
    except RetrievalError as error:
        print(f"error: {error}", file=sys.stderr)
        return 1
    except Exception as error:
        known = _known(error)
        if known is None:
            raise
        print(f"error: {known}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        print("\ninterrupted; type the same command again to go on where it stopped", file=sys.stderr)
        return INTERRUPTED


def _run(arguments: argparse.Namespace) -> int:
    name = _pipeline(arguments.pipeline)
    need("pipelines", f"--pipeline {name}")
    here = Path.cwd()
    os.chdir(ROOT)  # paths in YAML files start from the project, those typed from where they were typed
    config, source = _config(arguments, here)
    unread = (
        {"natural_questions", "training_questions"}
        if config.data.source == "csv"
        else {"corpus", "questions", "test_questions"}
    )
    _check_files(config.data.model_dump(exclude=unread), "data")
    _check_files(config.evaluation.model_dump(include={"questions", "corpus"}), "evaluation")
    if source:
        print(source, flush=True)

    gc.disable()  # importing makes thousands of modules and hardly a cycle among them
    try:
        module = _prepared(name, arguments.stack)
        gc.freeze()
    finally:
        gc.enable()
    from zenml.exceptions import RunInterruptedException

    from pipelines.launch import HandedOver

    try:
        outcome = module.run(config, not arguments.no_cache)
    except RunInterruptedException as error:  # what ZenML makes of a signal while a step runs
        raise KeyboardInterrupt from error
    except HandedOver as later:
        outcome = later.outcome
    print("\n".join(["", *outcome.lines]))
    if outcome.following:
        from pipelines.next_command import Typed, command_of

        typed = Typed(here, ROOT, str(arguments.config or ""), arguments.stack or "", tuple(arguments.set))
        commands = [command_of(one, typed) for one in outcome.following]
        print("\n".join(["", "Next", *(f"  {line}" for line in [*_activation(here), *commands])]))
    logging.shutdown()
    return int(outcome.code)


def _config(arguments: argparse.Namespace, here: Path) -> tuple[Config, str]:
    """The configuration, and one line that says which it is and why where none was named."""
    base = None if here == ROOT else here
    if not arguments.config:
        config, preset = load_preset(arguments.set, base)
        return config, f"Configuration {preset}"
    path = here / arguments.config
    path = path.relative_to(ROOT) if path.is_relative_to(ROOT) else path
    return load_config(path, arguments.set, base), ""


def _known(error: Exception) -> RetrievalError | None:
    """An error of ZenML's own work in words for people; None where it is none that is known."""
    from stacks.connection import refused_by_s3

    if LOCKED in str(error):
        return _locked()
    return _full_or_closed(error) or refused_by_s3(error)


def _full_or_closed(error: Exception) -> RetrievalError | None:
    """A disk that is full or closed to writing, as the system or the database of ZenML's store says it."""
    if isinstance(error, OSError) and error.errno in _UNWRITABLE:
        where = error.filename or "a disk of this machine"
        return StoreError(
            f"{where}: nothing can be written there ({error.strerror}); {_MAKE_ROOM}, and type the same command again"
        )
    reason = next((words for words in _UNWRITABLE_STORE if words in str(error)), "")
    if not reason:
        return None
    from zenml.config.global_config import GlobalConfiguration

    return StoreError(
        f"ZenML's store {GlobalConfiguration().store_configuration.url} cannot be written ({reason}); {_MAKE_ROOM}, and"
        " type the same command again"
    )


def _locked() -> StoreError:
    from zenml.config.global_config import GlobalConfiguration

    return StoreError(
        f"ZenML's store {GlobalConfiguration().store_configuration.url} is locked by another process;"
        " end what uses it (a database browser, a stopped run), and type the same command again"
    )


def _activation(here: Path) -> list[str]:
    """The command that makes `python` mean this environment's, where it does not yet."""
    found, script = shutil.which("python"), Path(sys.prefix) / "bin/activate"
    if (found and Path(found).parent == Path(sys.executable).parent) or not script.is_file():
        return []
    return [f"source {shlex.quote(os.path.relpath(script, here))}"]


def _prepared(name: str, stack_name: str | None) -> ModuleType:
    """The module of a pipeline, with telemetry off, output quiet and the stack chosen."""
    from retrieval.telemetry import telemetry_off

    telemetry_off()
    from pipelines.console import quiet

    quiet()  # before ZenML sets up its logging
    from stacks.checks import require_store
    from stacks.choice import choose_stack, use_for_this_process

    stack = choose_stack(stack_name)
    require_store(stack)
    use_for_this_process(stack)
    return importlib.import_module(f"pipelines.{name}")


def _pipeline(name: str | None) -> str:
    if name in PIPELINES:
        return str(name)
    if name is None:
        raise ConfigError(f"--pipeline is missing; give one of {', '.join(PIPELINES)}")
    near = get_close_matches(name, PIPELINES, n=1, cutoff=0.4)
    hint = f"did you mean {near[0]}?" if near else f"known: {', '.join(PIPELINES)}"
    raise ConfigError(f"--pipeline {name}: no such pipeline; {hint}")


def _check_files(section: dict[str, object], prefix: str) -> None:
    """Refuse a file that is not there before anything heavy is loaded."""
    for key, path in section.items():
        if isinstance(path, Path) and not path.is_file():
            if path.is_dir():
                inside = sorted(str(other) for other in path.glob("*.csv*"))[:3]
                hint = f"name a file in it, such as {', '.join(inside)}" if inside else "name a CSV file"
                raise ConfigError(f"{prefix}.{key}: {path}: is a folder; {hint}")
            near = get_close_matches(path.name, [other.name for other in path.parent.glob("*")], n=1, cutoff=0.4)
            hint = f"did you mean {path.parent / near[0]}?" if near else "check the path"
            raise ConfigError(f"{prefix}.{key}: {path}: no such file; {hint}")


if __name__ == "__main__":
    sys.exit(main())
