"""``python -m monitoring.alertmanager render --to FILE``: Alertmanager's configuration."""

import sys

from monitoring.alertmanager.command import main

if __name__ == "__main__":
    sys.exit(main())
