"""``python -m monitoring.monitor`` (``make monitor``): watch services from this machine, until Ctrl-C."""

import sys

from monitoring.monitor.command import main

if __name__ == "__main__":
    sys.exit(main())
