"""Pictures: every value at its place, gaps as gaps, canaries dashed in the colour of stable, and all text escaped."""

from __future__ import annotations

import json
import re
from collections.abc import Sequence
from html.parser import HTMLParser
from xml.etree import ElementTree

import pytest

from monitoring.dashboards.panels import Kind, Limit, Panel, Query, Unit
from monitoring.page.charts.axes import HEIGHT, WIDTH, Scale, moments
from monitoring.page.charts.bars import bars
from monitoring.page.charts.heatmap import heatmap
from monitoring.page.charts.lines import lines
from monitoring.page.charts.states import states
from monitoring.page.charts.stats import stats
from monitoring.page.markup import Markup, tag
from monitoring.page.panel_data import Line, PanelData
from monitoring.page.window import STEPS, Window

NOW = 1_700_000_010.0
WINDOW = Window.ending(NOW)


def panel(kind: Kind = Kind.TIME_SERIES, unit: Unit = Unit.COUNT, **others: object) -> Panel:
    return Panel(id="p", title="T", shows="S.", normal="n.", action="a.", empty="e.", unit=unit, kind=kind,
                 queries=(Query("x_y", ""),), **others)  # fmt: skip


def line(name: str, values: Sequence[float | None], canary: bool = False, key: str = "", **labels: str) -> Line:
    return Line(name, key or name, canary, tuple([None] * (STEPS + 1 - len(values)) + list(values)), labels)


def parsed(picture: Markup) -> ElementTree.Element:
    return ElementTree.fromstring(f"<div>{picture}</div>")


def by_class(picture: Markup, name: str) -> list[ElementTree.Element]:
    return [one for one in parsed(picture).iter() if name in one.get("class", "").split()]


def drawn(picture: Markup) -> list[ElementTree.Element]:
    """Lines in the picture, without those of the legend."""
    (plot,) = by_class(picture, "plot")
    return [one for one in plot.iter() if "line" in one.get("class", "").split()]


def test_a_value_is_where_its_scale_and_time_say() -> None:
    (path,) = drawn(lines(panel(), PanelData((line("a", [0.0, 10.0, 5.0]),)), WINDOW))
    places = re.findall(r"[ML]([\d.]+) ([\d.]+)", path.get("d", ""))
    step = WIDTH / STEPS
    expected = [(WIDTH - 2 * step, HEIGHT), (WIDTH - step, 0.0), (WIDTH, HEIGHT / 2)]
    assert [(float(x), float(y)) for x, y in places] == [
        (pytest.approx(x, abs=0.01), pytest.approx(y)) for x, y in expected
    ]


def test_a_moment_at_the_left_edge_is_not_written_for_it_would_touch_the_next() -> None:
    window = Window.ending(NOW + 60, "15m")
    places = [place for place, _ in window.ticks()]
    assert places[0] < 0.04
    assert str(moments(window)).count("<text") == len(places) - 1


def test_a_gap_is_not_bridged_and_a_value_alone_is_a_dot() -> None:
    (path,) = drawn(lines(panel(), PanelData((line("a", [1.0, 2.0, None, 3.0, None, 4.0, 5.0]),)), WINDOW))
    assert re.sub(r"[\d. ]+", "", path.get("d", "").replace("h0", "h")) == "MLMhML"


def test_a_canary_has_the_colour_of_stable_and_is_dashed() -> None:
    data = PanelData(
        (line("a stable", [1], key="a"), line("a canary", [2], canary=True, key="a"), line("b stable", [3], key="b"))
    )
    classes = [one.get("class") for one in drawn(lines(panel(), data, WINDOW))]
    assert classes == ["line s1", "line s1 canary", "line s2"]


@pytest.mark.parametrize(("highest", "is_drawn"), [(0.0, True), (0.6, True), (0.01, False), (5.0, True)])
def test_a_limit_is_drawn_where_it_leaves_room_for_the_values_and_told_elsewhere(
    highest: float, is_drawn: bool
) -> None:
    picture = lines(panel(limit=Limit(2.0, "limit of two")), PanelData((line("a", [highest]),)), WINDOW)
    (plot,) = by_class(picture, "plot")
    assert bool([one for one in plot.iter() if one.get("class") == "limit"]) is is_drawn
    assert "limit of two" in picture
    assert ("beyond this picture" in picture) is not is_drawn


def test_among_many_lines_those_that_are_always_0_are_told_and_not_drawn() -> None:
    data = PanelData(tuple(line(name, [0.0, float(name == "e")]) for name in "abcde"))
    picture = lines(panel(), data, WINDOW)
    assert len(drawn(picture)) == 1
    assert "0 all the time: a, b, c, d" in picture
    silent = lines(panel(), PanelData(tuple(line(name, [0.0]) for name in "abcde")), WINDOW)
    assert len(drawn(silent)) == 1
    assert "0 all the time: b, c, d, e" in silent


def test_what_a_pointer_reads_is_every_value_with_its_time() -> None:
    picture = lines(panel(unit=Unit.SECONDS), PanelData((line("a", [0.5, None, 2.0]),)), WINDOW)
    told = json.loads(next(one for one in parsed(picture).iter("script")).text or "")
    assert len(told["times"]) == STEPS + 1
    assert told["series"][0]["name"] == "a"
    assert told["series"][0]["values"][-3:] == ["500 ms", "", "2 s"]


def test_bars_stand_on_each_other() -> None:
    picture = bars(panel(Kind.BARS), PanelData((line("a", [3.0]), line("b", [1.0]))), WINDOW)
    first, second = (one.get("d", "") for one in by_class(picture, "bar"))
    places = [re.search(r"M[\d.]+ ([\d.]+)V([\d.]+)", path) for path in (first, second)]
    (bottom, top), (next_bottom, next_top) = ((float(found[1]), float(found[2])) for found in places if found)
    assert (bottom, next_top) == (HEIGHT, 0.0)
    assert top == next_bottom == pytest.approx(HEIGHT / 4)


def test_a_heat_map_shows_what_lies_between_two_bounds() -> None:
    counted = {"1.0": 2.0, "4.0": 2.0, "+Inf": 9.0, "2.0": 2.0}
    data = PanelData(tuple(line(bound, [value], le=bound) for bound, value in counted.items()))
    picture = heatmap(panel(Kind.HEATMAP), data, WINDOW)
    told = json.loads(next(one for one in parsed(picture).iter("script")).text or "")
    assert [(one["name"], one["values"][-1]) for one in told["series"]] == [
        ("above 4", "7"),
        ("2 to 4", ""),
        ("1 to 2", ""),
        ("0 to 1", "2"),
    ]
    heights = {one.get("class"): re.search(r"v([\d.]+)", one.get("d", "")) for one in by_class(picture, "heat")}
    assert heights["heat h6"] is not None
    assert float(heights["heat h6"][1]) == HEIGHT / 4
    assert len(heights) == 2


def test_states_are_told_in_words_and_a_series_that_ended_is_gone() -> None:
    words = panel(Kind.STATE, Unit.STATE, states=("down", "up"))
    data = PanelData((line("a", [1, 1, 0]), line("b", [0, 1, 1]), line("c", [1, 1, None, None, None])))
    picture = states(words, data, WINDOW)
    assert [one.text for one in by_class(picture, "now")] == ["down", "up", "gone"]
    assert [one.get("class") for one in by_class(picture, "state")][:2] == ["state good", "state bad"]
    fires = states(panel(Kind.STATE, Unit.STATE, states=("silent", "firing"), one_is_bad=True), data, WINDOW)
    assert [one.get("class") for one in by_class(fires, "now")] == ["now good", "now bad", "now none"]
    assert [one.text for one in by_class(fires, "now")] == ["silent", "firing", "silent"]


def test_a_number_says_in_words_whether_it_is_good() -> None:
    limited = panel(Kind.STAT, Unit.SHARE, limit=Limit(0.99, "objective 99 %", below=True))
    picture = stats(limited, PanelData((line("a", [0.999]), line("b", [0.5]))))
    assert [one.get("class") for one in parsed(picture).iter("li")] == ["good", "bad"]
    assert [one.text for one in by_class(picture, "unseen")] == ["good", "not good"]


@pytest.mark.parametrize(
    ("lowest", "highest", "unit", "ticks"),
    [
        (0.0, 7.3, Unit.COUNT, (0, 2, 4, 6, 8)),
        (0.0, 0.0, Unit.COUNT, (0, 1)),
        (0.2, 0.93, Unit.SHARE, (0.0, 0.25, 0.5, 0.75, 1.0)),
        (-0.5, 0.9, Unit.SCORE, (-0.5, 0.0, 0.5, 1.0)),
        (0.0, 700.0, Unit.SECONDS, (0, 300, 600, 900)),
    ],
)
def test_a_scale_has_round_numbers_that_hold_all_values(
    lowest: float, highest: float, unit: Unit, ticks: tuple[float, ...]
) -> None:
    scale = Scale.around(lowest, highest, unit)
    assert scale.ticks == pytest.approx(ticks)
    assert scale.low <= lowest
    assert scale.high >= highest


class _Collector(HTMLParser):
    def __init__(self) -> None:
        super().__init__()
        self.tags: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)


@pytest.mark.parametrize("name", ["</script><img src=x>", '"><img src=x onerror=y>', "<b>&amp;</b>"])
def test_a_label_is_text_wherever_it_is_put(name: str) -> None:
    collector = _Collector()
    collector.feed(lines(panel(), PanelData((line(name, [1.0]),)), WINDOW))
    collector.feed(states(panel(Kind.STATE, Unit.STATE, states=("a", "b")), PanelData((line(name, [1.0]),)), WINDOW))
    collector.feed(stats(panel(Kind.STAT), PanelData((line(name, [1.0]),))))
    assert not {"img", "b"} & set(collector.tags)
    assert collector.tags.count("script") == 1


def test_markup_escapes_text_and_attributes() -> None:
    assert tag("a", "1 < 2", Markup("<i></i>"), href='/?q="x"', hidden=True, id=None) == (
        '<a href="/?q=&quot;x&quot;" hidden>1 &lt; 2<i></i></a>'
    )
