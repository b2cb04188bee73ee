"""Ask the newest trained retriever: ``python -m retrieval.search "câu hỏi"``; ``--list`` shows what is kept here."""

from __future__ import annotations

import argparse
import sys
import textwrap
from collections.abc import Sequence
from pathlib import Path

from retrieval.errors import RetrievalError
from retrieval.model_store import KEPT, kept_retriever, kept_retrievers
from retrieval.model_store.current_store import refresh_stages
from retrieval.model_store.listing import listing
from retrieval.names import RETRIEVER_SETTINGS
from retrieval.runtime import choose_runtime
from retrieval.search.results import Answer
from retrieval.search.retriever import load_retriever

_SNIPPET_CHARACTERS = 240


def _arguments(argv: Sequence[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m retrieval.search", description=__doc__)
    parser.add_argument("question", nargs="?", help="what you want to know, in Vietnamese")
    parser.add_argument(
        "--list", action="store_true", help="show what is kept on this machine, from where, and what is served"
    )
    parser.add_argument("--top", type=int, default=10, metavar="K", help="articles to show (default 10)")
    parser.add_argument(
        "--model",
        default="latest",
        metavar="VERSION|DIR",
        help="latest, production, staging, a version, a name that --list shows, or a folder",
    )
    arguments = parser.parse_args(argv)
    if arguments.question is None and not arguments.list:
        parser.error("no question; type one in quotes, or --list")
    if arguments.top < 1:
        parser.error(f"--top {arguments.top}: give at least 1")
    return arguments


def _show(position: int, answer: Answer) -> str:
    article = answer.article
    heading = f"{position:2}. [{answer.score:.3f}] {article.cid}"
    if article.title:
        heading += f"  {article.title}"
    snippet = textwrap.shorten(answer.snippet, _SNIPPET_CHARACTERS, placeholder=" …")
    lines = [
        heading,
        *([f"    {article.law}"] if article.law else []),
        textwrap.indent(textwrap.fill(snippet, 96), "    "),
    ]
    return "\n".join(lines)


def _folder_of(model: str) -> Path:
    """Folder of a model; where retrievers of several stores are kept, it is said which one it is."""
    if (Path(model) / RETRIEVER_SETTINGS).is_file():
        return Path(model)
    choice = kept_retriever(model, KEPT, refresh_stages)
    if len({one.store for one in kept_retrievers(KEPT)}) > 1:
        sys.stderr.write(f"{choice}\n")
    return choice.retriever.folder


def main(argv: Sequence[str] | None = None) -> int:
    """Print the best articles for one question; 2 on bad input."""
    arguments = _arguments(argv)
    if arguments.list:
        sys.stdout.write(listing(KEPT, refresh_stages) + "\n")
        return 0
    try:
        retriever = load_retriever(_folder_of(arguments.model), choose_runtime())
        answers = retriever.search(arguments.question, arguments.top)
    except RetrievalError as error:
        sys.stderr.write(f"error: {error}\n")
        return 2
    sys.stdout.write("\n\n".join(_show(position, answer) for position, answer in enumerate(answers, 1)) + "\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
