"""``python -m stacks.register [NAME ...]``: registers stacks from stacks/*.yaml and asks their components.

Without a name it takes every stack that this machine has everything for. It may be run again at any time.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence

from stacks.command import run_command, say


def main(arguments: Sequence[str] | None = None) -> int:
    """Register; 0 if every stack asked for is registered and answers, 1 if one does not, 2 on bad input."""
    parser = argparse.ArgumentParser(prog="python -m stacks.register", description=__doc__)
    parser.add_argument("names", nargs="*", metavar="NAME", help="stacks to register; default all that can be")
    parser.add_argument("--create-bucket", action="store_true", help="make the bucket where it is missing")
    given = parser.parse_args(arguments)
    return run_command(lambda: _register(given.names, given.create_bucket))


def _register(names: Sequence[str], create: bool) -> int:
    from stacks.declarations import declared_stacks, read_stack

    declarations = [read_stack(name) for name in names or declared_stacks()]
    answers = True
    for declaration in declarations:
        lacking = declaration.missing()
        if lacking and not names:
            say(f"{declaration.name}: not registered")
            for line in lacking:
                say(f"  - {line}")
            continue
        answers &= _register_one(declaration.name, create)
    return 0 if answers else 1


def _register_one(name: str, create: bool) -> bool:
    from stacks.checks import check_stack
    from stacks.declarations import read_stack
    from stacks.registration import register_stack

    stack = register_stack(read_stack(name))
    if create:
        _create_bucket()
    checks = check_stack(stack)
    good = all(check.answers for check in checks)
    use = f"use it with `python run.py --stack {name}` or `zenml stack set {name}`"
    say(f"{name}: registered; {use if good else 'but not all of it answers'}")
    for check in checks:
        say(f"  {'ok' if check.answers else 'FAILS':6}{check.component} {check.name}: {check.message}")
    return good


def _create_bucket() -> None:
    from retrieval.s3.buckets import make_bucket
    from stacks.connection import registered_store

    s3, bucket = registered_store()
    make_bucket(s3, bucket)


if __name__ == "__main__":
    sys.exit(main())
