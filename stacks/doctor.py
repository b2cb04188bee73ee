"""``python -m stacks.doctor``: which stacks work on this machine, and what the others lack."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence

from stacks.command import run_command, say


def main(arguments: Sequence[str] | None = None) -> int:
    """Examine; 0 if every registered stack of this project answers, else 1."""
    argparse.ArgumentParser(prog="python -m stacks.doctor", description=__doc__).parse_args(arguments)
    return run_command(_examine)


def _examine() -> int:
    from zenml.client import Client

    from stacks.checks import check_stack
    from stacks.declarations import declared_stacks, read_stack

    healthy = True
    for name in declared_stacks():
        declaration = read_stack(name)
        found = Client().list_stacks(name=name).items
        if not found:
            lacking = declaration.missing()
            say(f"{name:12}{'cannot be registered yet' if lacking else f'ready: python -m stacks.register {name}'}")
            for line in lacking:
                say(f"{'':12}- {line}")
            continue
        checks = check_stack(found[0])
        good = all(check.answers for check in checks)
        healthy &= good
        say(f"{name:12}{'works' if good else 'does not work'}: {declaration.description}")
        for check in checks:
            say(f"{'':12}{'ok' if check.answers else 'FAILS':6}{check.component} {check.name}: {check.message}")
    return 0 if healthy else 1


if __name__ == "__main__":
    sys.exit(main())
