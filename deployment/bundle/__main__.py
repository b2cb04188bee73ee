"""``python -m deployment.bundle --model production --to DIR|s3://...``: makes a bundle of a trained retriever."""

import sys

from deployment.bundle.build import main

if __name__ == "__main__":
    sys.exit(main())
