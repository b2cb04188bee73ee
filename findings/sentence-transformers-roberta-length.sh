#!/usr/bin/env bash
# Without a recorded length sentence-transformers cuts texts of RoBERTa models two tokens too late, and the first long text raises.
#
# Where the tokenizer names no longest input (PhoBERT's original files do not), the length becomes max_position_embeddings. RoBERTa's
# positions start behind the padding id, at 2, so PhoBERT's 258 positions hold 256 tokens: everything works until a text of 257 tokens or
# more comes, in production rather than in a test of short texts. CrossEncoder does the same. Set `max_seq_length` two lower.
#
# Seen with sentence-transformers 6.2.0, transformers 5.23.0, torch 2.13.0 on Python 3.11 (a model of 40 positions):
#   SentenceTransformer takes 40 tokens: 38 tokens encoded, 500 words RuntimeError
#   CrossEncoder takes 40 tokens: 38 tokens encoded, 500 words RuntimeError
#   max_seq_length = 38: 500 words encoded
set -euo pipefail
tmp=$(mktemp -d) && trap 'rm -rf "$tmp"' EXIT && cd "$tmp"
export HF_HUB_OFFLINE=1 HF_HOME="$tmp/hub"
python3.11 -m venv venv || exit 2
venv/bin/pip install --quiet torch==2.13.0 sentence-transformers==6.2.0 transformers==5.23.0 || exit 2
venv/bin/python -W ignore - 2>log <<'PY' || { tail -3 log; exit 1; }
import sys
from collections.abc import Callable
from importlib.metadata import version
from pathlib import Path

from sentence_transformers import CrossEncoder, SentenceTransformer
from transformers import PhobertTokenizer, RobertaConfig, RobertaModel

Path("vocab.txt").write_text("luật 1\n", encoding="utf-8")
Path("bpe.codes").write_text("l u 1\nlu ậ 1\nluậ t</w> 1\n", encoding="utf-8")
PhobertTokenizer("vocab.txt", "bpe.codes").save_pretrained("model")
size = {"hidden_size": 8, "num_hidden_layers": 1, "num_attention_heads": 1, "intermediate_size": 8}
RobertaModel(RobertaConfig(vocab_size=10, max_position_embeddings=40, pad_token_id=1, **size)).save_pretrained("model")


def outcome(work: Callable[[], object]) -> str:
    try:
        work()
    except (RuntimeError, IndexError) as error:
        return type(error).__name__
    return "encoded"


def words(count: int) -> str:
    return " ".join(["luật"] * count)


bi, cross = SentenceTransformer("model"), CrossEncoder("model", num_labels=1)
# 38 tokens are <s> 36 words </s>, and <s> 1 word </s></s> 33 words </s>.
texts = [outcome(lambda count=count: bi.encode(words(count))) for count in (36, 500)]
pairs = [outcome(lambda count=count: cross.predict([("luật", words(count))])) for count in (33, 500)]
seen = [(bi.max_seq_length, *texts), (cross.max_seq_length, *pairs)]
bi.max_seq_length = 38
lowered = outcome(lambda: bi.encode(words(500)))
print(*(f"{name} {version(name)}" for name in ("sentence-transformers", "transformers", "torch")), sep=", ")
for name, (length, short, long) in zip(("SentenceTransformer", "CrossEncoder"), seen, strict=True):
    print(f"{name} takes {length} tokens: 38 tokens {short}, 500 words {long}")
print(f"max_seq_length = 38: 500 words {lowered}")
kept = all(length == 40 and short == "encoded" and long != "encoded" for length, short, long in seen)
sys.exit(0 if kept and lowered == "encoded" else "the behaviour changed")
PY
