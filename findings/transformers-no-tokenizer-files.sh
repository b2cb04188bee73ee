#!/usr/bin/env bash
# A model folder without its tokenizer files loads: AutoTokenizer makes one of special tokens only, and every text gets the same ids.
#
# With transformers 5 the classes of BERT, RoBERTa, XLM-R and Qwen2 build themselves from an empty vocabulary where no file is found,
# without error or warning; Llama's raises ValueError. With RoBERTa any text is then <s></s>, so any two texts have cosine 1. The same
# happens to PhoBERT's original files where the class is not named, because RoBERTa does not know vocab.txt and bpe.codes: the vocabulary
# lies in the folder and is not read. {"tokenizer_class": "PhobertTokenizer"} in config.json or tokenizer_config.json mends that.
#
# Seen with transformers 5.23.0 on Python 3.11 (ids of "luật đất" and of "đất"):
#   bert: [[2, 1, 1, 3], [2, 1, 3]]
#   roberta: [[2, 3], [2, 3]]
#   xlm-roberta: [[0, 3, 3, 2], [0, 3, 2]]
#   qwen2: [[], []]
#   llama: ValueError
#   roberta with vocab.txt and bpe.codes: [[2, 3], [2, 3]]
#   the same, PhobertTokenizer named: [[0, 4, 5, 2], [0, 5, 2]]
#   warnings: none
set -euo pipefail
tmp=$(mktemp -d) && trap 'rm -rf "$tmp"' EXIT && cd "$tmp"
export HF_HUB_OFFLINE=1 HF_HOME="$tmp/hub"
{ python3.11 -m venv venv && venv/bin/pip install --quiet transformers==5.23.0; } || exit 2
venv/bin/python - <<'PY'
import json, logging, sys, warnings
from importlib.metadata import version
from pathlib import Path

from transformers import AutoTokenizer, logging as library_logging

warned: list[logging.LogRecord] = []
handler = logging.Handler(logging.WARNING)
handler.emit = warned.append
library_logging.add_handler(handler)


def ids(config: dict[str, str], files: dict[str, str]) -> list[list[int]] | str:
    folder = Path(f"model{len(list(Path().glob('model*')))}")
    folder.mkdir()
    for name, text in {"config.json": json.dumps(config), **files}.items():
        (folder / name).write_text(text, encoding="utf-8")
    try:
        return AutoTokenizer.from_pretrained(folder)(["luật đất", "đất"])["input_ids"]
    except ValueError as error:
        return type(error).__name__


phobert = {"vocab.txt": "luật 1\nđất 1\n", "bpe.codes": "l u 1\nlu ậ 1\nluậ t</w> 1\nđ ấ 1\nđấ t</w> 1\n"}
named = {"model_type": "roberta", "tokenizer_class": "PhobertTokenizer"}
with warnings.catch_warnings(record=True) as caught:
    warnings.simplefilter("always", UserWarning)
    seen = {kind: ids({"model_type": kind}, {}) for kind in ("bert", "roberta", "xlm-roberta", "qwen2", "llama")}
    seen["roberta with vocab.txt and bpe.codes"] = ids({"model_type": "roberta"}, phobert)
    silent = not caught and not warned
    seen["the same, PhobertTokenizer named"] = ids(named, phobert)
print(f"transformers {version('transformers')}")
print(*(f"{name}: {value}" for name, value in seen.items()), f"warnings: {'none' if silent else 'some'}", sep="\n")
wanted = [[[2, 1, 1, 3], [2, 1, 3]], [[2, 3]] * 2, [[0, 3, 3, 2], [0, 3, 2]], [[], []], "ValueError", [[2, 3]] * 2]
sys.exit("the behaviour changed" if [*seen.values()] != [*wanted, [[0, 4, 5, 2], [0, 5, 2]]] or not silent else 0)
PY
