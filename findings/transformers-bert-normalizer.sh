#!/usr/bin/env bash
# A BERT folder's tokenizer.json says "cased, keep the marks"; AutoTokenizer lower-cases and strips the marks of Vietnamese all the same.
#
# transformers 5 takes only the vocabulary from tokenizer.json and builds BertTokenizer's normaliser anew from flags, whose default is
# do_lower_case=True. A folder without tokenizer_config.json, or whose tokenizer_config.json names BertTokenizer without that flag, so
# gives other tokens than the `tokenizers` library gives for the same file: "Luật" becomes "luat", which another word may be, or nothing.
# With {"do_lower_case": false} in tokenizer_config.json, or the class PreTrainedTokenizerFast, the file is obeyed.
#
# Seen with transformers 5.23.0, tokenizers 0.23.3 on Python 3.11 (tokens of "Luật đất"):
#   tokenizers: ['Luật', 'đất']
#   no tokenizer_config.json: ['luat', '[UNK]']
#   BertTokenizer: ['luat', '[UNK]']
#   BertTokenizer, do_lower_case false: ['Luật', 'đất']
#   PreTrainedTokenizerFast: ['Luật', 'đất']
set -euo pipefail
tmp=$(mktemp -d) && trap 'rm -rf "$tmp"' EXIT && cd "$tmp"
export HF_HUB_OFFLINE=1 HF_HOME="$tmp/hub"
{ python3.11 -m venv venv && venv/bin/pip install --quiet transformers==5.23.0 tokenizers==0.23.3; } || exit 2
venv/bin/python -W ignore - <<'PY' 2>log || { tail -3 log; exit 1; }
import json, sys
from importlib.metadata import version
from pathlib import Path

from tokenizers import Tokenizer, models, normalizers, pre_tokenizers
from transformers import AutoTokenizer

TEXT = "Luật đất"
words = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", "Luật", "luật", "luat", "đất"]
tokenizer = Tokenizer(models.WordPiece({word: i for i, word in enumerate(words)}, unk_token="[UNK]"))
tokenizer.normalizer = normalizers.BertNormalizer(lowercase=False, strip_accents=False)
tokenizer.pre_tokenizer = pre_tokenizers.BertPreTokenizer()
seen = {"tokenizers": tokenizer.encode(TEXT).tokens}
settings = {
    "no tokenizer_config.json": None,
    "BertTokenizer": {"tokenizer_class": "BertTokenizer"},
    "BertTokenizer, do_lower_case false": {"tokenizer_class": "BertTokenizer", "do_lower_case": False},
    "PreTrainedTokenizerFast": {"tokenizer_class": "PreTrainedTokenizerFast"},
}
for number, (name, setting) in enumerate(settings.items()):
    folder = Path(f"model{number}")
    folder.mkdir()
    (folder / "config.json").write_text(json.dumps({"model_type": "bert"}))
    tokenizer.save(str(folder / "tokenizer.json"))
    if setting:
        (folder / "tokenizer_config.json").write_text(json.dumps(setting))
    seen[name] = AutoTokenizer.from_pretrained(folder).tokenize(TEXT)

print(f"transformers {version('transformers')}, tokenizers {version('tokenizers')}")
print(*(f"{name}: {tokens}" for name, tokens in seen.items()), sep="\n")
obeyed, rebuilt = ["Luật", "đất"], ["luat", "[UNK]"]
sys.exit("the behaviour changed" if list(seen.values()) != [obeyed, rebuilt, rebuilt, obeyed, obeyed] else 0)
PY
