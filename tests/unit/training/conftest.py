"""The toy training as a fixture."""

from __future__ import annotations

import importlib.util
import sys
from pathlib import Path

import pytest


@pytest.fixture(scope="module", autouse=True)
def one_thread():
    """Tiny tensors: a second thread only waits."""
    import torch

    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


@pytest.fixture(scope="session")
def toy():
    path = Path(__file__).with_name("toy_training.py")
    spec = importlib.util.spec_from_file_location("toy_training", path)
    module = importlib.util.module_from_spec(spec)
    sys.modules["toy_training"] = module
    spec.loader.exec_module(module)
    return module


@pytest.fixture
def tiny():
    """A tiny bi-encoder over an alphabet of words w0 ... w59."""
    import torch
    from tokenizers import Tokenizer, models, pre_tokenizers, processors
    from transformers import BertConfig, BertModel

    from retrieval.models.bi_encoder import BiEncoder
    from retrieval.models.io.model_settings import ModelSettings
    from retrieval.models.tokenizer.text_tokenizer import TextTokenizer
    from tests.helpers.tiny_models import backbone_of

    words = ["<pad>", "<s>", "</s>", "<unk>", *(f"w{i}" for i in range(60))]
    core = Tokenizer(models.WordLevel({word: row for row, word in enumerate(words)}, unk_token="<unk>"))
    core.pre_tokenizer = pre_tokenizers.WhitespaceSplit()
    core.post_processor = processors.TemplateProcessing(
        single="<s> $A </s>", pair="<s> $A </s> $B </s>", special_tokens=[("<s>", 1), ("</s>", 2)]
    )
    config = BertConfig(
        vocab_size=len(words),
        hidden_size=16,
        num_hidden_layers=3,
        num_attention_heads=2,
        intermediate_size=32,
        max_position_embeddings=64,
    )
    with torch.random.fork_rng():
        torch.manual_seed(0)
        backbone = backbone_of(BertModel(config, add_pooling_layer=False))
    settings = ModelSettings(base="tiny", max_query_tokens=16, max_passage_tokens=32, max_tokens=64, dimension=16)
    return BiEncoder(backbone, TextTokenizer(core, 0), settings)


@pytest.fixture
def dataset():
    """Forty articles of two passages; the title of each is the start of its first one."""
    import numpy as np

    from retrieval.records import Article, Corpus, Dataset, Passage, Query

    random = np.random.default_rng(0)

    def text(count):
        return " ".join(f"w{number}" for number in random.integers(60, size=count))

    articles, passages, queries = [], [], []
    for number in range(40):
        first, second = text(4 + number % 17), text(9)
        cid, title = f"law:{number}", " ".join(first.split()[:4])
        articles.append(Article(cid, title, f"{first} {second}"))
        passages += [Passage(cid, 0, first), Passage(cid, 1, second)]
        split = "train" if number < 28 else "validation" if number < 34 else "test"
        queries.append(Query(f"q{number}", title, (cid,), source="title", split=split))
    queries.append(Query("n0", text(5), ("law:30", "law:31"), source="natural", split="validation"))
    return Dataset(Corpus(tuple(articles), tuple(passages)), tuple(queries))
