#!/usr/bin/env bash
# `encode_document` never uses a model's "passage" prompt, though its documentation says it does: an empty "document" prompt stands before it.
#
# The prompts {"query": "query: ", "passage": "passage: "} are the constructor's own example and what E5 models want, and encode_document
# is documented to take the first of "document", "passage", "corpus" that there is. But every SentenceTransformer gets empty prompts
# "query" and "document" that nobody gave, so "document" always is there: queries get their prefix, passages get none. The empty prompt is
# written into config_sentence_transformers.json by save(). `default_prompt_name="passage"` changes encode() and not encode_document()
# (that one is documented). What helps: name the prompt "document", or call encode(..., prompt_name="passage").
#
# Seen with sentence-transformers 6.2.0, transformers 5.23.0, torch 2.13.0 on Python 3.11:
#   prompts: {'query': 'query: ', 'document': '', 'passage': 'passage: '}
#   encode_query puts "query: " before the text: True
#   encode_document puts "passage: " before the text: False; with default_prompt_name="passage": False
#   the same with the prompt named "document": True
set -euo pipefail
tmp=$(mktemp -d) && trap 'rm -rf "$tmp"' EXIT && cd "$tmp"
export HF_HUB_OFFLINE=1 HF_HOME="$tmp/hub"
python3.11 -m venv venv || exit 2
venv/bin/pip install --quiet torch==2.13.0 sentence-transformers==6.2.0 transformers==5.23.0 || exit 2
venv/bin/python -W ignore - 2>log <<'PY' || { tail -3 log; exit 1; }
import sys
from importlib.metadata import version

import numpy as np
import torch
from sentence_transformers import SentenceTransformer
from tokenizers import Tokenizer, models, pre_tokenizers
from transformers import BertConfig, BertModel, PreTrainedTokenizerFast

torch.manual_seed(0)
words = ["[PAD]", "[UNK]", "query", "passage", ":", "đất", "đai"]
tokenizer = Tokenizer(models.WordLevel({word: i for i, word in enumerate(words)}, "[UNK]"))
tokenizer.pre_tokenizer = pre_tokenizers.BertPreTokenizer()
size = {"hidden_size": 8, "num_hidden_layers": 1, "num_attention_heads": 1, "intermediate_size": 8}
PreTrainedTokenizerFast(tokenizer_object=tokenizer, pad_token="[PAD]", unk_token="[UNK]").save_pretrained("model")
BertModel(BertConfig(vocab_size=len(words), **size)).save_pretrained("model")
TEXT = "đất đai"


def prefixed(vector: np.ndarray, model: SentenceTransformer, prefix: str) -> bool:
    """Whether a vector is that of the prefixed text (and, if not, that of the bare one)."""
    same = np.allclose(vector, model.encode(TEXT, prompt=prefix), atol=1e-6)
    assert same or np.allclose(vector, model.encode(TEXT, prompt=""), atol=1e-6)
    return same


e5 = {"query": "query: ", "passage": "passage: "}
model = SentenceTransformer("model", prompts=e5)
by_default = SentenceTransformer("model", prompts=e5, default_prompt_name="passage")
renamed = SentenceTransformer("model", prompts={"query": "query: ", "document": "passage: "})
seen = [prefixed(model.encode_query(TEXT), model, "query: ")]
seen += [prefixed(m.encode_document(TEXT), m, "passage: ") for m in (model, by_default, renamed)]
print(*(f"{name} {version(name)}" for name in ("sentence-transformers", "transformers", "torch")), sep=", ")
print(f"prompts: {model.prompts}")
print(f'encode_query puts "query: " before the text: {seen[0]}')
print(f'encode_document puts "passage: " before the text: {seen[1]}; with default_prompt_name="passage": {seen[2]}')
print(f'the same with the prompt named "document": {seen[3]}')
if seen != [True, False, False, True] or model.prompts.get("document") != "":
    sys.exit("the behaviour changed")
PY
