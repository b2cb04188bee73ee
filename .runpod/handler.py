"""What the RunPod Hub looks for in a repository: the worker that its listing runs, which is the bi-encoder's."""

from __future__ import annotations

import sys

from deployment.runpod.bi_encoder import ENDPOINT
from deployment.runpod.worker import run_worker

if __name__ == "__main__":
    sys.exit(run_worker(ENDPOINT))
