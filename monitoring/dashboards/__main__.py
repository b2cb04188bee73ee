"""``python -m monitoring.dashboards``: Grafana's files written from the definition, or compared with it."""

import sys

from monitoring.dashboards.command import main

if __name__ == "__main__":
    sys.exit(main())
