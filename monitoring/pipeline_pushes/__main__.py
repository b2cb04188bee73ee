"""``python -m monitoring.pipeline_pushes``."""

import sys

from monitoring.pipeline_pushes.command import main

if __name__ == "__main__":
    sys.exit(main())
