"""ZenML's source root for every test: it would look at the main module, and a worker of pytest-xdist has none."""

from pathlib import Path

from zenml.utils.source_utils import set_custom_source_root

set_custom_source_root(str(Path(__file__).resolve().parents[1]))
