"""axe-core on a page: which rules of accessibility it breaks, and where."""

from __future__ import annotations

from pathlib import Path

from playwright.sync_api import Page

_FOUND = sorted((Path(__file__).parents[2] / ".cache").glob("axe-core-*/axe.min.js"))
AXE = _FOUND[-1] if _FOUND else None
"""None where it was not fetched; `.ci/axe` does that."""


def violations(page: Page) -> list[str]:
    """Rules that are broken, each with the places; evaluated from outside, so that the page's policy stays on."""
    if AXE is None:
        raise FileNotFoundError("axe-core is not here; run .ci/axe")
    page.evaluate(AXE.read_text(encoding="utf-8") + "; undefined")
    found = page.evaluate("axe.run(document)")
    assert found["passes"], "axe looked at nothing"
    return [f"{one['id']}: {[node['html'] for node in one['nodes']]}" for one in found["violations"]]
