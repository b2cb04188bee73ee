"""``python -m monitoring.rules``: writes the rules and their promtool tests; ``--check`` only compares."""

import sys

from monitoring.rules.command import main

if __name__ == "__main__":
    sys.exit(main())
