"""The browser of the page tests: headless, without network of its own, closed behind each module."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from contextlib import contextmanager

import pytest
from playwright.sync_api import Browser, expect, sync_playwright

CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
FLAGS = (
    "--no-sandbox", "--disable-gpu", "--disable-background-networking", "--disable-component-update", "--disable-sync",
)  # fmt: skip


@contextmanager
def opened_browser(patience_milliseconds: int) -> Iterator[Browser]:
    """Open no longer than a module needs it: its event loop would be in the way of other tests' own."""
    if CHROMIUM is None:
        pytest.skip("no chromium on this machine; run .ci/browser")
    expect.set_options(timeout=patience_milliseconds)
    with sync_playwright() as playwright:
        opened = playwright.chromium.launch(executable_path=CHROMIUM, args=FLAGS)
        yield opened
        opened.close()
