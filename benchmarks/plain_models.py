"""What benchmarks of serving share: law of a given length, and a reranker that other servers can load."""

from __future__ import annotations

import json
import random
from pathlib import Path

import torch
from transformers import BertConfig, BertForSequenceClassification

from retrieval.data.sources.bundled_codes import load_bundled
from retrieval.models.io.pretrained import load

QUESTION = "Người lao động được nghỉ phép năm bao nhiêu ngày?"


def law_texts(count: int, syllables: int, seed: int = 0) -> list[str]:
    """Different stretches of law, each within a tenth of so many syllables."""
    draw = random.Random(seed)
    texts: list[str] = []
    bodies = [article.body.split() for article in load_bundled() if len(article.body.split()) > 1.1 * syllables]
    while len(texts) < count:
        words = draw.choice(bodies)
        length = draw.randint(int(0.9 * syllables), int(1.1 * syllables))
        start = draw.randint(0, max(0, len(words) - length))
        texts.append(" ".join(words[start : start + length]))
    return texts


def write_plain_reranker(folder: Path) -> Path:
    """The bundled encoder with a head of random weights, as transformers saves a sequence classifier of one label."""
    base = load("bundled:multilingual-e5-small")
    folder.mkdir(parents=True, exist_ok=True)
    base.backbone.config.write(folder)
    config = BertConfig.from_pretrained(folder, num_labels=1, architectures=["BertForSequenceClassification"])
    torch.manual_seed(0)
    model = BertForSequenceClassification(config)
    model.bert.load_state_dict(base.backbone.weights(), strict=False)
    with torch.no_grad():
        model.classifier.weight.normal_(std=1.0)  # scores that differ, so that equal ones mean something
    model.save_pretrained(folder)
    base.tokenizer.save(folder)
    path = folder / "tokenizer_config.json"
    limited = json.loads(path.read_text(encoding="utf-8")) | {"model_max_length": config.max_position_embeddings}
    path.write_text(json.dumps(limited), encoding="utf-8")
    return folder
