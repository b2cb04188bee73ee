"""Default places of what is kept, below the folder commands are typed in."""

from __future__ import annotations

from pathlib import Path

from retrieval.names import LEGAL_RETRIEVER

CACHE = Path(".cache")
"""What can be made again."""
CHECKPOINTS = CACHE / "checkpoints"
HIDDEN_STATES = CACHE / "hidden-states"
REPORTS_IN_WORK = CACHE / "reports"
TRACKING = CACHE / "tracking"
SERVE_LOGS = CACHE / "serve"
MONITORING_TOOLS = CACHE / "monitoring/usr/bin"

MONITORING = Path("runs/monitoring")
"""What was watched."""
MONITORING_DATA = MONITORING / "servers"
DROPPED_PUSHES = MONITORING / "pipelines"

MODELS = Path("models")
"""What was trained, bundled or fetched."""
KEPT = MODELS / LEGAL_RETRIEVER
BUNDLES = MODELS / "bundles"
PULLED = MODELS / "pulled"
