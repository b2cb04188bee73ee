"""Which definitions of the project a function can reach, read from the syntax of its files without running them."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
_LEFT_OUT = frozenset({"retrieval.config.schema", "retrieval.config.models", "steps.library_step"})
"""Modules no result depends on: configuration counts by its values, which are parameters; the other only wraps."""
_LOADING = ("load", "read")
_STORED_TYPES = "ASSOCIATED_TYPES"

Target = tuple[str, str]
"""A module's dotted name and one of its definitions (``Class.method`` too); "" is the module itself."""


@dataclass
class Module:
    """A parsed source file.

    Attributes:
        name: Dotted name.
        path: Its file.
        definitions: Statements by the name they define at the top level, and methods by ``Class.method``.
        loose: Top-level statements that define nothing but run on import.
        imports: What local names stand for, where that is the project's own.
    """

    name: str
    path: Path
    definitions: dict[str, list[ast.stmt]] = field(default_factory=dict)
    loose: list[ast.stmt] = field(default_factory=list)
    imports: dict[str, Target] = field(default_factory=dict)


def reachable(start: Target) -> list[Target]:
    """Every definition that ``start`` can reach by name, itself included, sorted.

    The types it names bring the loading methods of their materializer with them.
    """
    seen: set[Target] = set()
    waiting = [start, *_loaders(start)]
    while waiting:
        target = waiting.pop()
        if target not in seen:
            seen.add(target)
            waiting.extend(_references(target))
    return sorted(seen)


def statements(target: Target) -> list[ast.stmt]:
    """Syntax behind a target; what a module runs on import belongs to each of its definitions."""
    module = parse(target[0])
    if module is None:
        return []
    if target[1] == "":
        return [node for nodes in module.definitions.values() for node in nodes] + module.loose
    return [*module.definitions.get(target[1], []), *module.loose]


@cache
def parse(name: str) -> Module | None:
    """The module of a dotted name, without its docstrings; None where it is not one of the project's."""
    path = _file_of(name)
    if path is None:
        return None
    module = Module(name, path)
    for statement in _without_docstrings(ast.parse(path.read_text(encoding="utf-8")).body):
        _sort_in(statement, module)
    return module


def _is_own(name: str) -> bool:
    """Whether a module is the project's: its top-level package or file lies beside this package, whatever its name."""
    top = ROOT / name.partition(".")[0]
    return top.is_dir() or top.with_suffix(".py").is_file()


def _file_of(name: str) -> Path | None:
    if not _is_own(name) or name in _LEFT_OUT:
        return None
    base = ROOT.joinpath(*name.split("."))
    choices = (base.with_suffix(".py"), base / "__init__.py")
    return next((path for path in choices if path.is_file()), None)


def _sort_in(statement: ast.stmt, module: Module) -> None:
    """File a top-level statement under the names it defines, or as loose where it defines none."""
    if isinstance(statement, ast.Import | ast.ImportFrom):
        module.imports.update(_imported(statement, module))
    elif isinstance(statement, ast.FunctionDef | ast.AsyncFunctionDef):
        module.definitions.setdefault(statement.name, []).append(statement)
    elif isinstance(statement, ast.ClassDef):
        module.definitions.setdefault(statement.name, []).append(statement)
        for method in statement.body:
            if isinstance(method, ast.FunctionDef | ast.AsyncFunctionDef):
                module.definitions.setdefault(f"{statement.name}.{method.name}", []).append(method)
    elif isinstance(statement, ast.Assign | ast.AnnAssign | ast.AugAssign):
        targets = statement.targets if isinstance(statement, ast.Assign) else [statement.target]
        for name in {node.id for target in targets for node in ast.walk(target) if isinstance(node, ast.Name)}:
            module.definitions.setdefault(name, []).append(statement)
    elif isinstance(statement, ast.If | ast.Try):
        for inner in ast.iter_child_nodes(statement):
            if isinstance(inner, ast.stmt):
                _sort_in(inner, module)
    else:
        module.loose.append(statement)


def _imported(statement: ast.Import | ast.ImportFrom, module: Module) -> Iterator[tuple[str, Target]]:
    """Local names that an import binds to things of the project."""
    if isinstance(statement, ast.Import):
        for alias in statement.names:
            if _file_of(alias.name):
                whole = alias.name if alias.asname else alias.name.partition(".")[0]
                yield alias.asname or whole, (whole, "")
        return
    origin = statement.module or ""
    if statement.level:
        parts = module.name.split(".")
        kept = len(parts) - statement.level + (1 if module.path.name == "__init__.py" else 0)
        origin = ".".join([*parts[:kept], *([origin] if origin else [])])
    if _is_own(origin):
        for alias in statement.names:
            inner = f"{origin}.{alias.name}"
            yield alias.asname or alias.name, (inner, "") if _file_of(inner) else (origin, alias.name)


@cache
def _references(target: Target) -> tuple[Target, ...]:
    """Definitions of the project that a target names directly."""
    module = parse(target[0])
    if module is None:
        return ()
    if target[1] in module.imports and target[1] not in module.definitions:
        return (module.imports[target[1]],)  # a name handed on from elsewhere
    return tuple(sorted({found for node in statements(target) for found in _named(node, module)} - {target}))


def _named(node: ast.AST, module: Module) -> Iterator[Target]:
    """Targets that a piece of syntax names, through the module's imports and its own."""
    names = dict(module.imports)
    for inner in ast.walk(node):
        if isinstance(inner, ast.Import | ast.ImportFrom):
            names.update(_imported(inner, module))
    covered: set[int] = set()
    for inner in ast.walk(node):
        if isinstance(inner, ast.Attribute):
            target = _through(inner, names)
            if target is not None:
                covered.update(id(part) for part in ast.walk(inner.value))
                yield target
        elif isinstance(inner, ast.Name) and id(inner) not in covered:
            if inner.id in names:
                yield names[inner.id]
            elif inner.id in module.definitions:
                yield module.name, inner.id


def _through(node: ast.Attribute, names: dict[str, Target]) -> Target | None:
    """``cleaning.clean_text`` as a definition of the module that ``cleaning`` stands for; None for other attributes."""
    inside = None
    if isinstance(node.value, ast.Name):
        inside = names.get(node.value.id)
    elif isinstance(node.value, ast.Attribute):
        inside = _through(node.value, names)
    if inside is None or inside[1] != "":
        return None
    deeper = f"{inside[0]}.{node.attr}"
    return (deeper, "") if _file_of(deeper) else (inside[0], node.attr)


def _loaders(start: Target) -> list[Target]:
    """What loads the types that a step names."""
    direct = set(_references(start))
    return [loader for loaders, stored in _materializers() if direct & set(stored) for loader in loaders]


@cache
def _materializers() -> tuple[tuple[tuple[Target, ...], tuple[Target, ...]], ...]:
    """The loading methods of every materializer with the types it stores."""
    found = []
    for path in sorted((ROOT / "materializers").glob("*.py")):
        module = parse(f"materializers.{path.stem}")
        for node in [node for nodes in module.definitions.values() for node in nodes] if module else ():
            if isinstance(node, ast.ClassDef) and module:
                stored = tuple(target for part in node.body if _declares_types(part) for target in _named(part, module))
                found.append((tuple((module.name, f"{node.name}.{method}") for method in _LOADING), stored))
    return tuple(found)


def _declares_types(statement: ast.stmt) -> bool:
    targets = getattr(statement, "targets", [getattr(statement, "target", None)])
    return any(isinstance(target, ast.Name) and target.id == _STORED_TYPES for target in targets)


def _without_docstrings(block: list[ast.stmt]) -> list[ast.stmt]:
    """A block without bare strings, those in its inner blocks too; the nodes are changed."""
    kept = [node for node in block if not _is_bare_string(node)]
    for node in kept:
        for name in ("body", "orelse", "finalbody"):
            inner = getattr(node, name, None)
            if isinstance(inner, list):
                setattr(node, name, _without_docstrings(inner))
    return kept


def _is_bare_string(node: ast.stmt) -> bool:
    return isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant) and isinstance(node.value.value, str)
