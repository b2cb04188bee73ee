#!/usr/bin/env bash
# `do_lower_case: true` in sentence_bert_config.json lower-cases for fast tokenizers and silently does nothing for PhoBERT's.
#
# sentence-transformers puts a Lowercase step before a fast tokenizer's normaliser. For a slow one it sets the attribute `do_lower_case`,
# which PhobertTokenizer accepts like any attribute and does not read; a comment there says that transformers 5 has fast tokenizers only.
# The module still reports do_lower_case True. A vocabulary of lower-case words then meets capitals and gives unknown tokens.
#
# Seen with sentence-transformers 6.2.0, transformers 5.23.0, torch 2.13.0 on Python 3.11 (ids of "Luật" and of "luật"):
#   TokenizersBackend, do_lower_case True: the same ids True
#   PhobertTokenizer, do_lower_case True: the same ids False
set -euo pipefail
tmp=$(mktemp -d) && trap 'rm -rf "$tmp"' EXIT && cd "$tmp"
export HF_HUB_OFFLINE=1 HF_HOME="$tmp/hub"
python3.11 -m venv venv || exit 2
venv/bin/pip install --quiet torch==2.13.0 sentence-transformers==6.2.0 transformers==5.23.0 || exit 2
venv/bin/python -W ignore - 2>log <<'PY' || { tail -3 log; exit 1; }
import json, sys
from importlib.metadata import version
from pathlib import Path

from sentence_transformers import SentenceTransformer
from tokenizers import Tokenizer, models, pre_tokenizers
from transformers import PhobertTokenizer, PreTrainedTokenizerFast, RobertaConfig, RobertaModel

Path("vocab.txt").write_text("luật 1\nLuật 1\n", encoding="utf-8")
Path("bpe.codes").write_text("l u 1\nlu ậ 1\nluậ t</w> 1\nL u 1\nLu ậ 1\nLuậ t</w> 1\n", encoding="utf-8")
words = ["<s>", "<pad>", "</s>", "<unk>", "luật", "Luật", "<mask>"]
fast = Tokenizer(models.WordLevel({word: i for i, word in enumerate(words)}, "<unk>"))
fast.pre_tokenizer = pre_tokenizers.WhitespaceSplit()
tokenizers = [
    PreTrainedTokenizerFast(tokenizer_object=fast, pad_token="<pad>", unk_token="<unk>"),
    PhobertTokenizer("vocab.txt", "bpe.codes"),
]
size = {"hidden_size": 8, "num_hidden_layers": 1, "num_attention_heads": 1, "intermediate_size": 8}
config = RobertaConfig(vocab_size=10, max_position_embeddings=34, pad_token_id=1, **size)
print(*(f"{name} {version(name)}" for name in ("sentence-transformers", "transformers", "torch")), sep=", ")
seen = {}
for number, tokenizer in enumerate(tokenizers):
    folder = Path(f"model{number}")
    RobertaModel(config).save_pretrained(folder)
    tokenizer.save_pretrained(folder)
    SentenceTransformer(str(folder)).save(str(folder))
    settings = folder / "sentence_bert_config.json"
    settings.write_text(json.dumps(json.loads(settings.read_text()) | {"do_lower_case": True}))
    model = SentenceTransformer(str(folder))
    kind = type(model.tokenizer).__name__
    seen[kind] = model.tokenizer("Luật")["input_ids"] == model.tokenizer("luật")["input_ids"]
    print(f"{kind}, do_lower_case {model[0].do_lower_case}: the same ids {seen[kind]}")
sys.exit("the behaviour changed" if seen != {"TokenizersBackend": True, "PhobertTokenizer": False} else 0)
PY
