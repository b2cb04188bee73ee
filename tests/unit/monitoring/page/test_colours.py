"""Colours of series: seen against the card, and told apart by people who see fewer colours, in light and dark."""

from __future__ import annotations

import re
from itertools import combinations
from pathlib import Path

import numpy as np
import pytest

STYLE = Path(__file__).parents[4] / "monitoring" / "page" / "web" / "style.css"
NAMES = [f"s{number}" for number in range(1, 9)]
# Machado, Oliveira and Fernandes (2009), severity 1, on linear RGB
SEEN = {
    "all": np.eye(3),
    "deuteranopia": np.array(
        [[0.367322, 0.860646, -0.227968], [0.280085, 0.672501, 0.047413], [-0.011820, 0.042940, 0.968881]]
    ),
    "protanopia": np.array(
        [[0.152286, 1.052583, -0.204868], [0.114503, 0.786281, 0.099216], [-0.003882, -0.048116, 1.051998]]
    ),
}
TO_LMS = np.array(
    [
        [0.4122214708, 0.5363325363, 0.0514459929],
        [0.2119034982, 0.6806995451, 0.1073969566],
        [0.0883024619, 0.2817188376, 0.6299787005],
    ]
)
TO_LAB = np.array(
    [
        [0.2104542553, 0.7936177850, -0.0040720468],
        [1.9779984951, -2.4285922050, 0.4505937099],
        [0.0259040371, 0.7827717662, -0.8086757660],
    ]
)


def schemes() -> dict[str, dict[str, str]]:
    text = STYLE.read_text(encoding="utf-8")
    blocks = re.findall(r"(:root[^{]*)\{([^}]*)\}", text)
    found = {selector.strip(): dict(re.findall(r"--([\w-]+): (#[0-9a-f]{6})", body)) for selector, body in blocks}
    return {
        "light": found[":root"],
        "dark": found[':root[data-theme="dark"]'],
        "dark of the system": found[':root:not([data-theme="light"])'],
    }


def linear(colour: str) -> np.ndarray:
    value = np.array([int(colour[place : place + 2], 16) for place in (1, 3, 5)]) / 255
    return np.where(value <= 0.04045, value / 12.92, ((value + 0.055) / 1.055) ** 2.4)


def luminance(colour: str) -> float:
    return float(linear(colour) @ [0.2126, 0.7152, 0.0722])


def contrast(one: str, other: str) -> float:
    high, low = sorted((luminance(one), luminance(other)), reverse=True)
    return (high + 0.05) / (low + 0.05)


def oklab(rgb: np.ndarray) -> np.ndarray:
    """Ottosson (2020): distances are about as they are seen."""
    return TO_LAB @ np.cbrt(TO_LMS @ np.clip(rgb, 0, 1))


def test_both_ways_to_dark_are_the_same() -> None:
    assert schemes()["dark"] == schemes()["dark of the system"]


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_a_line_is_seen_against_its_card(scheme: str) -> None:
    colours = schemes()[scheme]
    for name in [*NAMES, "limit", "good-fill", "bad-fill"]:
        least = 2.0 if name == "good-fill" else 3.0
        assert contrast(colours[name], colours["card"]) >= least, name


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("seen", SEEN)
def test_no_two_series_look_alike(scheme: str, seen: str) -> None:
    colours = schemes()[scheme]
    places = {name: oklab(SEEN[seen] @ linear(colours[name])) for name in NAMES}
    apart = {pair: float(np.linalg.norm(places[pair[0]] - places[pair[1]])) for pair in combinations(NAMES, 2)}
    closest = min(apart, key=apart.__getitem__)
    assert apart[closest] > 0.09, (closest, apart[closest])
