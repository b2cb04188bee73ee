"""The law as the gateway shows it: places, snippets with marked words, whole articles and their neighbours."""

from __future__ import annotations

from collections import Counter
from functools import cached_property

from deployment.errors import NotFound
from deployment.gateway.highlighting import Span, best_part, common_syllables, matching_spans
from deployment.gateway.payloads import ArticleOut, HeadOut, LawOut, LawsOut, LineOut, NeighbourOut
from retrieval.data.layout import heading_of, laid_out, law_number_of
from retrieval.records import Article, Corpus

SNIPPET_CHARACTERS = 320


class ArticleView:
    """Articles to be read.

    Attributes:
        corpus: What is searched.
    """

    def __init__(self, corpus: Corpus) -> None:
        self.corpus = corpus

    @cached_property
    def common(self) -> frozenset[str]:
        """Syllables that are not worth marking by themselves."""
        return common_syllables(self.corpus.articles)

    def marks(self, text: str, question: str) -> list[Span]:
        """Where a text has words of a clean question."""
        return matching_spans(text, question, self.common) if question else []

    def snippet(self, passage: str, question: str) -> tuple[str, list[Span]]:
        """The part of a passage that answers to a question's words, and where they stand in it."""
        return best_part(passage, self.marks(passage, question), SNIPPET_CHARACTERS)

    def find(self, cid: str) -> Article:
        """An article.

        Raises:
            NotFound: If there is none of this id.
        """
        row = self.corpus.row_of.get(cid)
        if row is None:
            raise NotFound(f"no article {cid[:80]!r} here; take a cid from the answer to a search")
        return self.corpus.articles[row]

    def page(self, cid: str, question: str = "") -> ArticleOut:
        """A whole article, with the words of a clean question marked.

        Raises:
            NotFound: If there is none of this id.
        """
        article = self.find(cid)
        lines = [
            LineOut(kind=line.kind, label=line.label, text=line.text, marks=self.marks(line.text, question))
            for line in laid_out(article.body)
        ]
        return ArticleOut(
            **head(article).model_dump(),
            title_marks=self.marks(article.title, question),
            lines=lines,
            previous=self._neighbour(article, -1),
            next=self._neighbour(article, 1),
        )

    def laws(self) -> LawsOut:
        """The laws and how many articles each has, in the order of the corpus."""
        counts = Counter(article.law for article in self.corpus.articles)
        laws = [LawOut(name=name, articles=count) for name, count in counts.items()]
        return LawsOut(laws=laws, articles=len(self.corpus.articles))

    def _neighbour(self, article: Article, step: int) -> NeighbourOut | None:
        """The next article of the same law in one direction."""
        row = self.corpus.row_of[article.cid] + step
        if not 0 <= row < len(self.corpus.articles) or self.corpus.articles[row].law != article.law:
            return None
        other = self.corpus.articles[row]
        return NeighbourOut(cid=other.cid, heading=heading_of(other.cid), title=other.title)


def head(article: Article) -> HeadOut:
    """An article's place in the law."""
    return HeadOut(
        cid=article.cid,
        heading=heading_of(article.cid),
        title=article.title,
        law=article.law,
        law_number=law_number_of(article.cid),
        path=list(article.path),
    )
