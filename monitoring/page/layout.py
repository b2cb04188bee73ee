"""The page around the panels: head, ways to the dashboards, choices, alerts, and each panel's frame."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

from monitoring.dashboards.panels import Dashboard, Kind, Panel, Source
from monitoring.page.alert_list import alert_list
from monitoring.page.alerts import AlertsNow
from monitoring.page.charts.bars import bars
from monitoring.page.charts.heatmap import heatmap
from monitoring.page.charts.lines import lines
from monitoring.page.charts.states import states
from monitoring.page.charts.stats import stats
from monitoring.page.choices import Choices
from monitoring.page.markup import Markup, join, tag
from monitoring.page.panel_data import PanelData
from monitoring.page.window import RANGES, Window

_OVER_TIME = {Kind.TIME_SERIES: lines, Kind.BARS: bars, Kind.HEATMAP: heatmap, Kind.STATE: states}
REFRESH_SECONDS = 30


@dataclass(frozen=True)
class Shown:
    """All that a page shows.

    Attributes:
        dashboard: Which one.
        choices: Of whoever looks.
        options: Values that each of its variables has.
        window: The time.
        data: By panel.
        alerts: That fire.
    """

    dashboard: Dashboard
    choices: Choices
    options: Mapping[str, Sequence[str]]
    window: Window
    data: Mapping[str, PanelData]
    alerts: AlertsNow


def dashboard_page(shown: Shown, dashboards: Sequence[Dashboard]) -> str:
    """A dashboard as a whole page."""
    dashboard = shown.dashboard
    sections = [
        tag(
            "section",
            tag("h2", section.title),
            tag("div", *(_panel(panel, shown) for panel in drawn), class_="panels"),
            class_="group",
        )
        for section in dashboard.sections
        if (drawn := [panel for panel in section.panels if panel.source is Source.PROMETHEUS])
    ]
    title = tag("div", tag("h1", dashboard.title), tag("p", dashboard.says, class_="lead"), class_="title")
    main = tag(
        "main", tag("div", title, _controls(shown), class_="top"), alert_list(shown.alerts), *sections, id="main"
    )
    return whole(dashboard.title, dashboards, dashboard.id, shown.choices, main, _foot(shown.window))


def whole(
    title: str, dashboards: Sequence[Dashboard], here: str, choices: Choices, main: Markup, foot: str = ""
) -> str:
    """A page.

    Args:
        title: Of the window.
        dashboards: To lead to.
        here: Id of the dashboard shown, or another last part of the address.
        choices: That the links keep.
        main: Its content, a ``main`` element.
        foot: Below it.
    """
    head = tag(
        "head",
        tag("meta", charset="utf-8"),
        tag("meta", name="viewport", content="width=device-width, initial-scale=1"),
        tag("meta", name="color-scheme", content="light dark"),
        tag("title", f"{title} – Monitoring"),
        tag("link", rel="icon", href="/static/icon.svg", type="image/svg+xml"),
        tag("link", rel="stylesheet", href="/static/style.css"),
        tag("script", src="/static/theme.js"),
        tag("script", type="module", src="/static/page.js"),
    )
    body = tag(
        "body",
        tag("a", "To the panels", class_="skip", href="#main"),
        _masthead(dashboards, here, choices),
        tag("p", id="trouble", class_="banner", role="status", hidden=True),
        main,
        tag("footer", tag("p", foot or "Metrics of this machine; nothing is kept here."), class_="footer"),
    )
    return f"<!doctype html>\n{tag('html', head, body, lang='en')}\n"


def _masthead(dashboards: Sequence[Dashboard], here: str, choices: Choices) -> Markup:
    kept = Choices(choices.range)
    pages = [(one.id, one.title, kept.address(f"/{one.id}")) for one in dashboards]
    pages.append(("runbooks", "Runbooks", "/runbooks"))
    ways = [
        tag("li", tag("a", title, href=address, aria_current="page" if name == here else None))
        for name, title, address in pages
    ]
    brand = tag("a", tag("span", class_="mark", aria_hidden="true"), "Monitoring", class_="brand", href="/overview")
    dark = tag("button", tag("span", "◐", aria_hidden="true"), tag("span", "Dark", class_="wide"), id="theme",
               class_="quiet", type="button", aria_pressed="false", aria_label="Dark")  # fmt: skip
    return tag("header", brand, tag("nav", tag("ul", *ways), aria_label="Dashboards"), dark, class_="masthead")


def _controls(shown: Shown) -> Markup:
    path, choices = f"/{shown.dashboard.id}", shown.choices
    ranges = [
        tag("a", name, href=choices.address(path, range=name), aria_current="true" if name == choices.range else None)
        for name in RANGES
    ]
    selects = [
        _select(variable.name, variable.title, shown.options.get(variable.name, ()), choices)
        for variable in shown.dashboard.variables
    ]
    form = tag(
        "form",
        tag("input", type="hidden", name="range", value=choices.range),
        *selects,
        tag("button", "Show", class_="quiet", type="submit"),
        method="get",
        action=path,
        id="choices",
    )
    live = tag("button", "Pause", id="live", class_="quiet", type="button", data_seconds=REFRESH_SECONDS, hidden=True)
    said = tag("span", f"{datetime.fromtimestamp(shown.window.now).astimezone():%H:%M:%S}", id="updated")
    updated = tag("p", "as of ", said, class_="updated")
    return tag("div", tag("nav", *ranges, aria_label="Time range", class_="ranges"), form, live, updated,
               class_="controls")  # fmt: skip


def _select(name: str, title: str, known: Sequence[str], choices: Choices) -> Markup:
    chosen = choices.values.get(name, "")
    values = [*known, *([chosen] if chosen and chosen not in known else [])]
    every = tag("option", "all", value="", selected=not chosen)
    options = [tag("option", value, value=value, selected=value == chosen) for value in values]
    return tag("label", title, tag("select", every, *options, name=name))


def _panel(panel: Panel, shown: Shown) -> Markup:
    data = shown.data.get(panel.id, PanelData(reason="Not asked."))
    link = tag("a", panel.title, href=f"#{panel.id}")
    heading = tag("h3", link, id=f"{panel.id}-title")
    return tag(
        "section",
        heading,
        _about(panel, shown),
        _drawn(panel, data, shown.window),
        class_=f"panel w{panel.width} {'low' if panel.kind is Kind.STAT else 'tall'}",
        id=panel.id,
        aria_labelledby=f"{panel.id}-title",
    )


def _about(panel: Panel, shown: Shown) -> Markup:
    """What the panel says of itself, and its queries as they were asked, to be typed elsewhere."""
    rate_seconds = shown.window.rate_seconds
    queries = [
        tag("pre", tag("code", shown.choices.filled(query.expression, shown.dashboard, rate_seconds)), tabindex="0")
        for query in panel.queries
    ]
    summary = tag("summary", tag("span", "?", aria_hidden="true"), tag("span", f"About {panel.title}", class_="unseen"))
    return tag(
        "details",
        summary,
        tag("p", panel.shows),
        tag("p", tag("b", "Normal: "), panel.normal),
        tag("p", tag("b", "If not: "), panel.action),
        *queries,
        class_="about",
    )


def _drawn(panel: Panel, data: PanelData, window: Window) -> Markup:
    if not data.lines:
        kind = "empty failed" if data.failed else "empty"
        title = "This cannot be told now" if data.failed else "No data"
        return tag("div", tag("p", title, class_="empty-title"), tag("p", data.reason), class_=kind)
    if panel.kind is Kind.STAT:
        return stats(panel, data)
    return _OVER_TIME[panel.kind](panel, data, window)


def _foot(window: Window) -> str:
    zone = datetime.fromtimestamp(window.now).astimezone().tzname() or "local time"
    return f"Times are {zone}. A value every {window.step:g} s, rates over {window.rate_seconds} s."


def message_page(title: str, text: str, dashboards: Sequence[Dashboard]) -> str:
    """A page that says what went wrong."""
    said = join(tag("h1", title), tag("p", text, class_="lead"))
    return whole(title, dashboards, "", Choices(), tag("main", tag("div", said, class_="title"), id="main"))
