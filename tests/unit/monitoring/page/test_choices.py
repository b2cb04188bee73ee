"""What a client may choose: a range and plain values, which reach PromQL as values and never as an expression."""

from __future__ import annotations

import pytest

from monitoring.dashboards import all_dashboards
from monitoring.dashboards.panels import Dashboard
from monitoring.page.choices import Choices
from monitoring.page.window import STEPS, Window
from retrieval.errors import ConfigError


@pytest.fixture
def dashboard() -> Dashboard:
    return next(one for one in all_dashboards() if one.id == "bi-encoder")


def test_nothing_chosen_is_an_hour_of_everything(dashboard: Dashboard) -> None:
    choices = Choices.of({}, dashboard)
    filled = choices.filled('x{track=~"$track"}[$__rate_interval] y[$__range]', dashboard, 60)
    assert filled == 'x{track=~".*"}[60s] y[1h]'


def test_a_value_stands_for_itself_alone(dashboard: Dashboard) -> None:
    choices = Choices.of({"instance": "127.0.0.1:8101", "range": "6h"}, dashboard)
    assert choices.filled('x{instance=~"$instance"}', dashboard, 60) == r'x{instance=~"127\\.0\\.0\\.1:8101"}'


@pytest.mark.parametrize(
    "value",
    ['"} or up', "a|b", ".*", "a b", "a\n", "$track", "{}", "x" * 129, "ả", "a\\"],
)
def test_what_is_no_plain_value_is_refused(value: str, dashboard: Dashboard) -> None:
    with pytest.raises(ConfigError, match="track: got"):
        Choices.of({"track": value}, dashboard)


def test_an_unknown_range_is_refused_and_unknown_parameters_are_left_aside(dashboard: Dashboard) -> None:
    with pytest.raises(ConfigError, match="range: got '2h'; choose one of 15m, 1h, 6h, 24h, 7d"):
        Choices.of({"range": "2h"}, dashboard)
    assert Choices.of({"query": "up", "expr": "up", "pipeline": "x"}, dashboard) == Choices()


def test_an_address_keeps_what_was_chosen_and_changes_one_thing(dashboard: Dashboard) -> None:
    choices = Choices.of({"track": "canary", "range": "24h"}, dashboard)
    assert choices.address("/bi-encoder", range="7d") == "/bi-encoder?range=7d&track=canary"
    assert choices.address("/bi-encoder", range="1h") == "/bi-encoder?track=canary"
    assert Choices().address("/overview") == "/overview"


def test_a_window_ends_at_most_a_scrape_ago_and_its_rates_hold_four_scrapes() -> None:
    for name, step, rate in (("15m", 7.5, 60), ("1h", 30, 60), ("6h", 180, 195), ("24h", 720, 735), ("7d", 5040, 5055)):
        window = Window.ending(1_700_000_007.0, name)
        assert 0 <= window.now - window.end < 15
        assert (window.step, window.rate_seconds, len(window.times)) == (step, rate, STEPS + 1)
        assert window.times[-1] == pytest.approx(window.end)
        places = [place for place, _ in window.ticks()]
        assert 3 <= len(places) <= 6
        assert all(0 <= place <= 1 for place in places)
