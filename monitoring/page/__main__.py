"""``python -m monitoring.page``."""

import sys

from monitoring.page.command import main

if __name__ == "__main__":
    sys.exit(main())
