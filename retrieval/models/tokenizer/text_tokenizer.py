"""Text to token ids and back to character offsets, the same way in training and in serving."""

from __future__ import annotations

import copy
import json
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any

from tokenizers import Tokenizer, normalizers

from retrieval.errors import ModelError
from retrieval.models.tokenizer.unigram import Unigram
from retrieval.names import TOKENIZER

TOKENIZER_FILE = TOKENIZER
SIDECAR = "text_tokenizer.json"


@dataclass(frozen=True)
class _Template:
    """Special tokens around one text and around a pair; read off the tokenizer itself."""

    first: tuple[int, ...]
    middle: tuple[int, ...]
    last: tuple[int, ...]
    pair_types: bool
    usual_types: bool


class TextTokenizer:
    """A `tokenizers.Tokenizer` with our truncation, special tokens and pair layout.

    Attributes:
        pad_id: Fills short rows where another library makes batches of them.
        pair_types: Whether the second text of a pair has token type 1 (BERT; not RoBERTa or XLM-R).
        usual_types: Whether token types are all 0, or those of BERT in a pair; others are not given here.
        separator_id: Last special token of a text.
    """

    def __init__(
        self,
        core: Tokenizer,
        pad_id: int,
        vocabulary: int = 0,
        unknown_id: int = 0,
        unigram: Unigram | None = None,
    ) -> None:
        """Wrap ``core``.

        Args:
            core: Anything that encodes one text and pairs with special tokens.
            pad_id: Id of the padding token.
            vocabulary: Ids from here on stand for nothing the model knows and become ``unknown_id``; 0 keeps all.
            unknown_id: Id of the unknown token; used only with ``vocabulary``.
            unigram: Segments in the place of ``core``'s model, which then need not hold the whole vocabulary.
        """
        core.no_truncation()
        core.no_padding()
        self._core = core
        self._unigram = unigram
        self._vocabulary = vocabulary
        self._unknown_id = unknown_id
        self._template = _read_template(core)
        self.pad_id = pad_id
        self.pair_types = self._template.pair_types
        self.usual_types = self._template.usual_types
        self.separator_id = self._template.last[0] if self._template.last else pad_id

    def lower_cased(self) -> TextTokenizer:
        """The same tokenizer with texts lower-cased first."""
        core = Tokenizer.from_str(self._core.to_str())
        before = [] if core.normalizer is None else [core.normalizer]
        core.normalizer = normalizers.Sequence([normalizers.Lowercase(), *before])
        return TextTokenizer(core, self.pad_id, self._vocabulary, self._unknown_id, self._unigram)

    def bounded(self, vocabulary: int) -> TextTokenizer:
        """The same tokenizer for a model with so many ids; others become the padding token, as does their text."""
        return TextTokenizer(self._core, self.pad_id, vocabulary, self.pad_id, self._unigram)

    @property
    def learnt_ids(self) -> int:
        """Ids of the vocabulary, without tokens that were added to it later."""
        return int(self._core.get_vocab_size(with_added_tokens=False))

    def with_one_type(self) -> TextTokenizer:
        """The same tokenizer for a model that is given no token types, so that all are 0."""
        other = copy.copy(self)
        other.pair_types = False
        return other

    def __len__(self) -> int:
        """Ids the tokenizer can give."""
        return self._vocabulary or (len(self._unigram) if self._unigram else int(self._core.get_vocab_size()))

    @property
    def _whole(self) -> Tokenizer:
        """``core`` with all its vocabulary: for what `Unigram` does not do."""
        return self._core if self._unigram is None else _with_pieces(self._core, self._unigram)

    def _contents(self, texts: Sequence[str]) -> list[list[int]]:
        if self._unigram:
            rows = [self._unigram.encode(self._core.normalizer.normalize_str(text)) for text in texts]
        else:
            rows = [encoding.ids for encoding in self._core.encode_batch_fast(list(texts), add_special_tokens=False)]
        if not self._vocabulary:
            return rows
        return [[i if i < self._vocabulary else self._unknown_id for i in row] for row in rows]

    def encode(self, texts: Sequence[str], max_tokens: int) -> list[list[int]]:
        """Token ids of each text between its special tokens; a row longer than ``max_tokens`` loses its end.

        Raises:
            ModelError: If ``max_tokens`` leaves no room beside the special tokens.
        """
        return self.encode_counted(texts, max_tokens)[0]

    def encode_counted(self, texts: Sequence[str], max_tokens: int) -> tuple[list[list[int]], list[int]]:
        """Token ids of each text between its special tokens, and how many there are before the end is cut off.

        Args:
            texts: Any strings, prefix included.
            max_tokens: Longest row, special tokens included; longer texts lose their end.

        Returns:
            One row a text, and the length that each row would have without a limit.

        Raises:
            ModelError: If ``max_tokens`` leaves no room beside the special tokens.
        """
        template = self._template
        around = len(template.first) + len(template.last)
        room = max_tokens - around
        if room < 1:
            raise ModelError(f"max_tokens: got {max_tokens}, which leaves no room beside special tokens; raise it")
        contents = self._contents(texts)
        rows = [[*template.first, *row[:room], *template.last] for row in contents]
        return rows, [len(row) + around for row in contents]

    def encode_plain(self, texts: Sequence[str]) -> list[list[int]]:
        """Token ids of each text with no special tokens but those that stand in it, whole."""
        return self._contents(texts)

    def encode_pairs_counted(
        self, queries: Sequence[str], passages: Sequence[str], max_tokens: int, max_query_tokens: int
    ) -> tuple[list[list[int]], list[int]]:
        """Token ids of query and passage read together, and how many there are before anything is cut off.

        Args:
            queries: One a pair; repeated texts are tokenised once.
            passages: One a pair, as many as queries.
            max_tokens: Longest row, special tokens included.
            max_query_tokens: Query tokens kept, special tokens not counted; the passage fills what is left. From
                ``max_tokens`` on the longer of the two is cut first, as transformers cuts pairs.

        Returns:
            One row a pair, and the length that each row would have without limits.

        Raises:
            ModelError: If the numbers of queries and passages differ, or nothing is left for the passage.
        """
        if len(queries) != len(passages):
            raise ModelError(f"pairs: got {len(queries)} queries and {len(passages)} passages; give one of each a pair")
        template = self._template
        around = len(template.first) + len(template.middle) + len(template.last)
        room = max_tokens - around
        together = max_query_tokens >= max_tokens
        if room <= max_query_tokens and not together:
            raise ModelError(
                f"max_tokens {max_tokens} leaves no room for a passage after {max_query_tokens} query tokens;"
                " raise max_tokens or lower max_query_tokens"
            )
        unique = list(dict.fromkeys([*queries, *passages]))
        ids = dict(zip(unique, self._contents(unique), strict=True))
        rows, counts = [], []
        for query, passage in zip(queries, passages, strict=True):
            kept = _longest_first(len(ids[query]), len(ids[passage]), room) if together else max_query_tokens
            head = ids[query][:kept]
            rows.append([*template.first, *head, *template.middle, *ids[passage][: room - len(head)], *template.last])
            counts.append(len(ids[query]) + len(ids[passage]) + around)
        return rows, counts

    def row_types(self, rows: Sequence[Sequence[int]]) -> list[list[int]] | None:
        """Token types of encoded pairs: 1 after the first separator in BERT, None where all are 0."""
        if not self.pair_types:
            return None
        firsts = (row.index(self.separator_id) + 1 if self.separator_id in row else len(row) for row in rows)
        return [[0] * first + [1] * (len(row) - first) for row, first in zip(rows, firsts, strict=True)]

    def offsets(self, texts: Sequence[str]) -> list[list[tuple[int, int]]]:
        """Start and end character of every token of each text, special tokens left out."""
        return [encoding.offsets for encoding in self._whole.encode_batch(list(texts), add_special_tokens=False)]

    def save(self, folder: Path) -> None:
        """Write the tokenizer into ``folder``, in the form transformers reads, with our own notes beside it."""
        values = _described(self._core, self._unigram)
        (folder / TOKENIZER_FILE).write_text(json.dumps(values, ensure_ascii=False) + "\n", encoding="utf-8")
        notes = {"pad_id": self.pad_id, "vocabulary": self._vocabulary, "unknown_id": self._unknown_id}
        (folder / SIDECAR).write_text(json.dumps(notes, indent=2) + "\n", encoding="utf-8")
        names = {
            "bos_token": self._template.first[:1],
            "cls_token": self._template.first[:1],
            "eos_token": self._template.last[:1],
            "sep_token": self._template.last[:1],
            "pad_token": (self.pad_id,),
        }
        pieces = self._unigram.pieces() if self._unigram else None
        config: dict[str, Any] = {
            name: pieces[ids[0]][0] if pieces else self._core.id_to_token(ids[0]) for name, ids in names.items() if ids
        }
        config["tokenizer_class"] = "PreTrainedTokenizerFast"
        if self._template.pair_types and not self.pair_types:
            config["model_input_names"] = ["input_ids", "attention_mask"]
        text = json.dumps(config, indent=2, ensure_ascii=False)
        (folder / "tokenizer_config.json").write_text(text + "\n", encoding="utf-8")


def _read_template(core: Tokenizer) -> _Template:
    """Find the special tokens by encoding a probe with and without them."""
    content = core.encode("a", add_special_tokens=False).ids
    alone, pair = core.encode("a"), core.encode("a", "a")
    single = alone.ids
    start = next((i for i in range(len(single)) if single[i : i + len(content)] == content), 0)
    first, last = single[:start], single[start + len(content) :]
    middle = pair.ids[start + len(content) : len(pair.ids) - len(last) - len(content)]
    ended = start + len(content) + (1 if middle else 0)
    of_bert = [0] * ended + [1] * (len(pair.ids) - ended)
    usual = not any(alone.type_ids) and pair.type_ids in (of_bert, [0] * len(pair.ids))
    return _Template(tuple(first), tuple(middle), tuple(last), pair.type_ids == of_bert, usual)


def _longest_first(query: int, passage: int, room: int) -> int:
    """Query tokens that stay where the longer text loses its end first, as ``longest_first`` of `tokenizers` does."""
    shorter = min(query, passage)
    if shorter + max(shorter, min(max(query, passage), room - shorter)) > room:  # both lose their ends
        return room // 2 + (room % 2 if query > passage else 0)
    return query if query <= passage else min(query, room - passage)


@lru_cache(maxsize=1)
def _with_pieces(core: Tokenizer, unigram: Unigram) -> Tokenizer:
    """``core`` with all the pieces of ``unigram``, as it was in its file."""
    return Tokenizer.from_str(json.dumps(_described(core, unigram)))


def _described(core: Tokenizer, unigram: Unigram | None) -> dict[str, Any]:
    """What a ``tokenizer.json`` says; log probabilities stay what they are, which `Tokenizer.save` rounds."""
    values: dict[str, Any] = json.loads(core.to_str())
    if unigram:
        values["model"]["vocab"] = unigram.pieces()
    return values
