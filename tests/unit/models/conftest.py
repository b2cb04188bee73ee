from __future__ import annotations

import pytest
import torch

from retrieval.models.bi_encoder import BiEncoder, load_bi_encoder
from retrieval.runtime import Runtime
from tests.helpers.tiny_models import FAMILIES, backbone_of, write_multilingual_encoder


@pytest.fixture
def runtime():
    return Runtime(torch.device("cpu"), torch.float32, 2)


@pytest.fixture(scope="session")
def encoder_folder(tmp_path_factory):
    """A tiny bare encoder, as another library writes one; never changed."""
    folder = tmp_path_factory.mktemp("models") / "multilingual-e5-small"
    write_multilingual_encoder(folder)
    return folder


@pytest.fixture
def encoder(encoder_folder) -> BiEncoder:
    return load_bi_encoder(encoder_folder)


@pytest.fixture(params=FAMILIES)
def theirs(request):
    """A tiny bare model of transformers, of each family, its weights large enough to tell forwards apart."""
    torch.manual_seed(0)
    model = FAMILIES[request.param]().eval()
    with torch.no_grad():
        for parameter in model.parameters():
            parameter.normal_(std=0.2)
    return model


@pytest.fixture
def backbone(theirs):
    return backbone_of(theirs)
