from __future__ import annotations

import pytest
import torch

from retrieval.models.encoder import BiEncoder, load_bi_encoder
from retrieval.runtime import Runtime
from tests.tiny_models import write_multilingual_encoder


@pytest.fixture
def runtime():
    return Runtime(torch.device("cpu"), torch.float32, 2)


@pytest.fixture(scope="session")
def encoder_folder(tmp_path_factory):
    """A tiny bare encoder, as another library writes one; never changed."""
    folder = tmp_path_factory.mktemp("models") / "tiny-e5"
    write_multilingual_encoder(folder)
    return folder


@pytest.fixture
def encoder(encoder_folder) -> BiEncoder:
    return load_bi_encoder(encoder_folder)
