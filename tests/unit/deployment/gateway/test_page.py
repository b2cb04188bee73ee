"""The search page's files: complete, from here alone, and free of what its own policy forbids."""

import re
from pathlib import Path

import pytest

import deployment.gateway

WEB = Path(deployment.gateway.__file__).parent / "web"
FILES = sorted(path.name for path in WEB.iterdir())


@pytest.mark.parametrize("name", FILES)
def test_every_file_is_served_with_its_type_and_comes_only_once(client, name):
    address = "/" if name == "index.html" else f"/static/{name}"
    answer = client.get(address)
    assert answer.content == (WEB / name).read_bytes()
    kinds = {".html": "text/html", ".js": "text/javascript", ".css": "text/css", ".svg": "image/svg+xml"}
    assert answer.headers["content-type"].startswith(kinds[Path(name).suffix])
    again = client.get(address, headers={"if-none-match": answer.headers["etag"]})
    assert (again.status_code, again.content) == (304, b"")
    assert client.head(address).status_code == 200


def test_the_policy_allows_this_origin_alone_and_nothing_inline(client):
    policy = client.get("/").headers["content-security-policy"]
    assert "default-src 'none'" in policy
    assert "script-src 'self';" in policy
    assert "unsafe" not in policy


@pytest.mark.parametrize("name", FILES)
def test_no_asset_comes_from_elsewhere(name):
    text = (WEB / name).read_text(encoding="utf-8").replace("http://www.w3.org/2000/svg", "")
    assert not re.findall(r"https?://|//cdn|@import|url\(", text)


@pytest.mark.parametrize("name", [name for name in FILES if name.endswith((".html", ".js"))])
def test_nothing_becomes_markup_that_was_text(name):
    text = (WEB / name).read_text(encoding="utf-8")
    assert not re.findall(r"innerHTML|outerHTML|insertAdjacentHTML|document\.write|eval\(|\son\w+=|\sstyle=", text)


def test_what_the_page_asks_for_is_there(client):
    html = client.get("/").text
    scripts = "".join((WEB / name).read_text(encoding="utf-8") for name in FILES if name.endswith(".js"))
    asked = re.findall(r'(?:href|src)="(/static/[^"]+)"', html)
    asked += [f"/static/{name}" for name in re.findall(r'from "\./([^"]+)"', scripts)]
    assert len(asked) > 6
    assert {client.get(address).status_code for address in asked} == {200}
    assert set(re.findall(r'part\("([a-z-]+)"\)', scripts)) <= set(re.findall(r'id="([a-z-]+)"', html))


def test_the_page_is_in_vietnamese(client):
    assert '<html lang="vi">' in client.get("/").text
