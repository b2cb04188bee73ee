"""Our losses against those of sentence-transformers: values and gradients."""

from __future__ import annotations

import pytest
import torch
from torch import nn
from torch.nn.functional import normalize

from retrieval.models.losses import (
    binary_cross_entropy,
    cached_multiple_negatives_ranking,
    multiple_negatives_ranking,
)

st = pytest.importorskip("sentence_transformers")
TOLERANCE = 1e-5


class Embedder(nn.Module):
    """Stands in for a SentenceTransformer: takes a dict of rows, gives unit vectors; has dropout."""

    def __init__(self, dropout=0.0):
        super().__init__()
        torch.manual_seed(3)
        self.layers = nn.Sequential(nn.Linear(5, 12), nn.Tanh(), nn.Dropout(dropout), nn.Linear(12, 6))

    def __getitem__(self, index):
        return self.layers[index]

    def embed(self, rows):
        return normalize(self.layers(rows), dim=-1)

    def forward(self, features):
        return {"sentence_embedding": self.embed(features["input_ids"])}


def gradients(model):
    return torch.cat([parameter.grad.flatten() for parameter in model.parameters()])


def columns(negatives, size=9):
    generator = torch.Generator().manual_seed(11)
    return [torch.randn(size, 5, generator=generator) for _ in range(2 + negatives)]


def masks(negatives, size=9):
    positives = torch.eye(size, dtype=torch.bool).repeat(1, 1 + negatives)
    positives[:, size:] = False
    return positives, torch.zeros_like(positives)


@pytest.mark.parametrize("negatives", [0, 2])
@pytest.mark.parametrize("temperature", [0.02, 0.05, 0.3])
def test_ranking_loss_and_gradients_match_sentence_transformers(negatives, temperature):
    from sentence_transformers.sentence_transformer.losses import MultipleNegativesRankingLoss

    ours, theirs = Embedder(), Embedder()
    rows = columns(negatives)
    expected = MultipleNegativesRankingLoss(theirs, scale=1 / temperature)([{"input_ids": r} for r in rows], None)
    expected.backward()
    got = multiple_negatives_ranking(
        ours.embed(rows[0]), ours.embed(torch.cat(rows[1:])), *masks(negatives), temperature
    )
    got.backward()
    assert got.item() == pytest.approx(expected.item(), abs=TOLERANCE)
    assert torch.allclose(gradients(ours), gradients(theirs), atol=TOLERANCE)
    assert gradients(ours).abs().max() > 100 * TOLERANCE


@pytest.mark.parametrize("negatives", [0, 2])
@pytest.mark.parametrize("dropout", [0.0, 0.3])
def test_cached_ranking_loss_and_gradients_match_sentence_transformers(negatives, dropout):
    from sentence_transformers.sentence_transformer.losses import CachedMultipleNegativesRankingLoss

    ours, theirs = Embedder(dropout), Embedder(dropout)
    rows = columns(negatives)
    torch.manual_seed(21)
    loss = CachedMultipleNegativesRankingLoss(theirs, scale=20.0, mini_batch_size=4)
    expected = loss([{"input_ids": r, "attention_mask": torch.ones_like(r)} for r in rows], None)
    expected.backward()
    torch.manual_seed(21)
    got = cached_multiple_negatives_ranking(
        ours.embed, rows[0].split(4), [chunk for r in rows[1:] for chunk in r.split(4)], *masks(negatives), 0.05
    )
    assert got.item() == pytest.approx(expected.item(), abs=TOLERANCE)
    assert torch.allclose(gradients(ours), gradients(theirs), atol=TOLERANCE)
    assert gradients(ours).abs().max() > 100 * TOLERANCE


@pytest.mark.parametrize("weight", [1.0, 3.5])
def test_pair_loss_and_gradients_match_sentence_transformers(weight, tmp_path):
    from sentence_transformers import CrossEncoder
    from sentence_transformers.cross_encoder.losses import BinaryCrossEntropyLoss
    from transformers import BertConfig, BertForSequenceClassification, BertTokenizer

    words = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", *"abcdefgh"]
    (tmp_path / "vocab.txt").write_text("\n".join(words))
    BertTokenizer(str(tmp_path / "vocab.txt")).save_pretrained(tmp_path)
    torch.manual_seed(0)
    config = BertConfig(
        vocab_size=len(words),
        hidden_size=16,
        num_hidden_layers=1,
        num_attention_heads=2,
        intermediate_size=16,
        num_labels=1,
        hidden_dropout_prob=0.0,
        attention_probs_dropout_prob=0.0,
    )
    BertForSequenceClassification(config).save_pretrained(tmp_path)
    model = CrossEncoder(str(tmp_path), device="cpu")
    pairs = (["a b", "c", "d e f", "g"], ["b a c", "h h", "e", "f g"])
    labels = torch.tensor([1.0, 1.0, 1.0, 0.0])
    expected = BinaryCrossEntropyLoss(model, pos_weight=torch.tensor(weight))(list(pairs), labels)
    expected.backward()
    theirs = gradients(model)
    model.zero_grad()
    logits = model(model.preprocess(list(zip(*pairs, strict=True))))["scores"].view(-1)
    got = binary_cross_entropy(logits, labels, weight)
    got.backward()
    assert got.item() == pytest.approx(expected.item(), abs=TOLERANCE)
    assert torch.allclose(gradients(model), theirs, atol=TOLERANCE)
    assert theirs.abs().max() > 100 * TOLERANCE
