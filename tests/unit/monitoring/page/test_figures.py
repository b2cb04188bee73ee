"""Numbers as people read them."""

from __future__ import annotations

import pytest

from monitoring.dashboards.panels import Unit
from monitoring.page.figures import figure


@pytest.mark.parametrize(
    ("value", "unit", "said"),
    [
        (0.9987, Unit.SHARE, "99.87 %"),
        (1.0, Unit.SHARE, "100 %"),
        (0.99996, Unit.SHARE, "99.996 %"),
        (-0.5, Unit.SHARE, "-50 %"),
        (0.0, Unit.SECONDS, "0 s"),
        (0.00042, Unit.SECONDS, "0.42 ms"),
        (0.0123, Unit.SECONDS, "12.3 ms"),
        (1.5, Unit.SECONDS, "1.5 s"),
        (412.5, Unit.SECONDS, "6 min 52 s"),
        (93_600, Unit.AGE, "1 d 2 h"),
        (86_399.9, Unit.AGE, "1 d"),
        (3_600, Unit.AGE, "1 h"),
        (12_345, Unit.COUNT, "12,345"),
        (2.5, Unit.REQUESTS_PER_SECOND, "2.5/s"),
        (0.2, Unit.DOLLARS_PER_HOUR, "$0.2/h"),
        (0.000012, Unit.DOLLARS, "$1.2e-05"),
        (0.7231, Unit.SCORE, "0.723"),
    ],
)
def test_a_value_is_said_with_its_unit(value: float, unit: Unit, said: str) -> None:
    assert figure(value, unit) == said


def test_a_share_just_below_an_objective_is_not_rounded_up_to_it() -> None:
    assert figure(0.99994, Unit.SHARE) != "100 %"
