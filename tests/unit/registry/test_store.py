"""How the ZenML store in use is told apart and named."""

from __future__ import annotations

from types import SimpleNamespace

import pytest

from registry import store


@pytest.mark.parametrize(
    ("url", "project", "told"),
    [
        ("sqlite:////home/me@here/zenml.db", "default", "sqlite:////home/me@here/zenml.db"),
        ("mysql://me:secret@host:3306/zenml", "default", "mysql://host:3306/zenml"),
        ("https://zenml.team.vn", "laws", "https://zenml.team.vn, project laws"),
    ],
)
def test_a_store_is_named_by_its_address_without_a_login_and_known_by_its_project(monkeypatch, url, project, told):
    client = SimpleNamespace(
        active_project=SimpleNamespace(id="id-1", name=project), zen_store=SimpleNamespace(url=url)
    )
    monkeypatch.setattr(store, "Client", lambda: client)
    assert store.store_facts() == {"store": "id-1", "store_url": told}
