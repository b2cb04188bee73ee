"""``python -m deployment.serve`` (``make serve``): search on this machine, until Ctrl-C."""

import sys

from deployment.serve.command import main

if __name__ == "__main__":
    sys.exit(main())
