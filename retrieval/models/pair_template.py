"""The text in which a reranker made from a language model reads a pair: instructions around query and document."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from itertools import takewhile

from retrieval.errors import ModelError
from retrieval.models.tokenizer.text_tokenizer import TextTokenizer

QUERY, DOCUMENT = "{query}", "{document}"


@dataclass(frozen=True)
class PairTemplate:
    """A text with a place for the query and, after it, one for the document.

    Attributes:
        before: Up to the query.
        between: From the query to the document.
        after: From the document on; it is kept whole where a pair is cut.
    """

    before: str
    between: str
    after: str

    @classmethod
    def parse(cls, text: str) -> PairTemplate:
        """Read ``…{query}…{document}…``.

        Raises:
            ModelError: If one of the two places is not there once, in this order.
        """
        before, query, rest = text.partition(QUERY)
        between, document, after = rest.partition(DOCUMENT)
        if not query or not document or QUERY in rest or DOCUMENT in after:
            raise ModelError(
                f"pair_template: got {text!r}, which does not have {QUERY} and then {DOCUMENT}, each once; copy the"
                " folder from where it was saved"
            )
        return cls(before, between, after)

    def __str__(self) -> str:
        return f"{self.before}{QUERY}{self.between}{DOCUMENT}{self.after}"

    def fill(self, query: str, document: str) -> str:
        """The text of one pair."""
        return f"{self.before}{query}{self.between}{document}{self.after}"

    def rows(
        self,
        tokenizer: TextTokenizer,
        queries: Sequence[str],
        passages: Sequence[str],
        max_tokens: int,
        max_query_tokens: int,
    ) -> tuple[list[list[int]], list[int]]:
        """Token ids of pairs, and how many each has before anything is cut off.

        Args:
            tokenizer: Of the model.
            queries: One a pair.
            passages: One a pair, as many as queries.
            max_tokens: Longest row. A longer one loses the end of what stands before ``after``.
            max_query_tokens: Query tokens kept; from ``max_tokens`` on all are.

        Raises:
            ModelError: If ``max_tokens`` leaves no room beside the template.
        """
        bare = len(tokenizer.encode_plain([self.fill("", "")])[0])
        if bare >= max_tokens:
            raise ModelError(
                f"max_tokens: got {max_tokens}, but the text around query and document has {bare} tokens; raise it"
            )
        if max_query_tokens < max_tokens:
            queries = _shortened(tokenizer, queries, max_query_tokens)
        ids = tokenizer.encode_plain([self.fill(*pair) for pair in zip(queries, passages, strict=True)])
        last = _last_tokens(self, tokenizer)
        rows = [row if len(row) <= max_tokens else [*row[: max_tokens - len(last)], *last] for row in ids]
        return rows, [len(row) for row in ids]


@lru_cache(maxsize=8)
def _last_tokens(template: PairTemplate, tokenizer: TextTokenizer) -> tuple[int, ...]:
    """Tokens that every filled template ends with, whatever the document."""
    one, other = (row[::-1] for row in tokenizer.encode_plain([template.fill("0", "0"), template.fill("1 2", "3 4")]))
    same = [token for token, _ in takewhile(lambda pair: pair[0] == pair[1], zip(one, other, strict=False))]
    return tuple(same[::-1])


def _shortened(tokenizer: TextTokenizer, texts: Sequence[str], tokens: int) -> list[str]:
    """Texts of at most so many tokens each."""
    distinct = list(dict.fromkeys(texts))
    ends = {
        text: text[: offsets[tokens - 1][1]] if len(offsets) > tokens else text
        for text, offsets in zip(distinct, tokenizer.offsets(distinct), strict=True)
    }
    return [ends[text] for text in texts]
