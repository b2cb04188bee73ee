from __future__ import annotations

import pytest
import transformers


@pytest.fixture(autouse=True, scope="session")
def quiet() -> None:
    """No progress bars of transformers among the failures."""
    transformers.utils.logging.disable_progress_bar()
