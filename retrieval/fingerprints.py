"""What a result depends on besides its arguments: the project code a function reaches, and the contents of input files.

A step's cache must be dropped when a function it calls, at any depth, changes, and kept when unrelated code or only
comments, docstrings or layout change. So the fingerprint of a function covers every top-level definition it can reach
by name, followed through the imports of the project's own packages, and the data files those definitions name.
"""

from __future__ import annotations

import ast
import hashlib
import json
from collections.abc import Callable, Iterable, Iterator
from functools import cache
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

from retrieval.code_graph import ROOT, Target, parse, reachable, statements
from retrieval.folders import content_hash, sha256_of

_LONGEST_NAME = 100


def code_fingerprint(function: Callable[..., object]) -> str:
    """SHA-256 over the project code a function can reach, comments, docstrings and layout aside.

    Args:
        function: A top-level function of one of the project's packages.

    Returns:
        64 hexadecimal digits.
    """
    digest = hashlib.sha256()
    for target in reachable((function.__module__, function.__qualname__)):
        digest.update(f"{target[0]}:{target[1]}\0{_source_hash(target)}\n".encode())
    return digest.hexdigest()


def files_fingerprint(paths: Iterable[Path | None], packages: Iterable[str] = ()) -> str:
    """SHA-256 over the contents of files and folders and the versions of packages that carry data.

    A path that does not exist counts as absent: whoever reads it says so better.
    """
    facts = {f"package {package}": _version(package) for package in packages}
    for number, path in enumerate(paths):
        if path is not None and path.exists():
            facts[f"path {number}"] = content_hash(path) if path.is_dir() else sha256_of(path)
    return hashlib.sha256(json.dumps(facts, sort_keys=True).encode()).hexdigest()


def _version(package: str) -> str:
    try:
        return version(package)
    except PackageNotFoundError:
        return "absent"


@cache
def _source_hash(target: Target) -> str:
    digest = hashlib.sha256()
    for node in statements(target):
        digest.update(_statement_hash(node, target[0]))
    return digest.hexdigest()


@cache
def _statement_hash(node: ast.stmt, module_name: str) -> bytes:
    """Of one statement and the data files it names; what runs on import belongs to many targets."""
    digest = hashlib.sha256(ast.dump(node).encode())
    for path in _data_files(node, module_name):
        digest.update(sha256_of(path).encode())
    return digest.digest()


def _data_files(node: ast.stmt, module_name: str) -> Iterator[Path]:
    """Files beside a module, such as page templates, that its code names in a string."""
    module = parse(module_name)
    for inner in ast.walk(node) if module else ():
        name = inner.value if isinstance(inner, ast.Constant) else None
        if module is None or not isinstance(name, str) or not 0 < len(name) < _LONGEST_NAME or not name.isprintable():
            continue
        path = module.path.parent / name
        if not path.exists():  # almost all strings: told apart before the slower resolving
            continue
        path = path.resolve()
        if path.is_relative_to(ROOT) and path not in module.path.parents:
            yield from [path] if path.is_file() else sorted(part for part in path.rglob("*.*") if _is_data(part))


def _is_data(path: Path) -> bool:
    return path.is_file() and path.suffix not in {".py", ".pyc"}
