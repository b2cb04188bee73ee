"""``python -m monitoring.cost``."""

import sys

from monitoring.cost.command import main

if __name__ == "__main__":
    sys.exit(main())
