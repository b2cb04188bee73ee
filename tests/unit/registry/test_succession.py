"""Who replaced whom in production, as the ledger tells it."""

from __future__ import annotations

from datetime import datetime, timedelta

from registry.ledger import Change, Kind
from registry.version_report import succession

NOON = datetime(2026, 3, 1, 12)


def changes(*moves: tuple[str, str, Kind]) -> list[Change]:
    return [
        Change(number, version, before, kind, True, NOON + timedelta(minutes=number))
        for number, (version, before, kind) in enumerate(moves, start=1)
    ]


def test_a_version_that_came_back_by_a_rollback_tells_each_time_it_came_and_went() -> None:
    told = changes(("A", "", "promotion"), ("B", "A", "promotion"), ("A", "B", "rollback"))
    assert succession("A", told) == [
        "2026-03-01 12:01 UTC  came into an empty production (promotion)",
        "2026-03-01 12:02 UTC  gave way to B (promotion)",
        "2026-03-01 12:03 UTC  took the place of B (rollback)",
    ]
    assert succession("B", told) == [
        "2026-03-01 12:02 UTC  took the place of A (promotion)",
        "2026-03-01 12:03 UTC  gave way to A (rollback)",
    ]
    assert succession("C", told) == []


def test_a_version_that_a_hand_took_out_says_so() -> None:
    told = changes(("A", "", "promotion"), ("", "A", "by hand"), ("B", "", "by hand"))
    assert succession("A", told)[1] == "2026-03-01 12:02 UTC  was taken out (by hand)"
    assert succession("B", told) == ["2026-03-01 12:03 UTC  came into an empty production (by hand)"]


def test_a_change_that_was_left_half_done_is_not_told() -> None:
    (first,) = changes(("A", "", "promotion"))
    left = Change(2, "B", "A", "promotion", False, NOON)
    assert len(succession("A", [first, left])) == 1
    assert succession("B", [first, left]) == []
