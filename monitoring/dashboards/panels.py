"""What a dashboard is, as data: panels with their queries, units and limits, whatever draws them."""

from __future__ import annotations

import re
from dataclasses import dataclass
from enum import Enum, unique

_STRINGS = re.compile(r'"(?:[^"\\]|\\.)*"')
_METRIC = re.compile(r"(?<![$\w:.])[a-zA-Z_:][\w:]*_[\w:]*|(?<![$\w:.])(?:up|ALERTS)(?![\w:(])")
_GROUPING = re.compile(r"\b(?:by|without|on|ignoring|group_left|group_right)\s*\([^)]*\)")
_FUNCTIONS = frozenset(
    {
        "histogram_quantile", "clamp_min", "sum_over_time", "max_over_time", "min_over_time", "avg_over_time",
        "last_over_time", "label_replace", "count_over_time", "group_left", "group_right",
    }
)  # fmt: skip


class Kind(Enum):
    """How a panel is drawn."""

    STAT = "stat"
    TIME_SERIES = "time series"
    BARS = "bars"
    HEATMAP = "heatmap"
    STATE = "state"
    LOGS = "logs"


@unique
class Unit(Enum):
    """What a number counts; the value is Grafana's name for it."""

    SHARE = "percentunit"
    SECONDS = "s"
    AGE = "dtdurations"
    COUNT = "short"
    REQUESTS_PER_SECOND = "reqps"
    TOKENS_PER_SECOND = "suffix: tokens/s"
    ROWS = "suffix: rows"
    DOLLARS = "currencyUSD"
    DOLLARS_PER_HOUR = "suffix: USD/h"
    SCORE = "none"
    STATE = "bool"


class Source(Enum):
    """Who answers a query."""

    PROMETHEUS = "prometheus"
    LOKI = "loki"


@dataclass(frozen=True)
class Query:
    """One expression of a panel.

    Attributes:
        expression: PromQL, or LogQL in a panel of logs. ``$NAME`` stands for a variable of the dashboard's,
            ``$__rate_interval`` for a time that holds at least four scrapes, ``$__range`` for the time that is shown.
        legend: Name of each series, with ``{{label}}`` for the value of a label.
    """

    expression: str
    legend: str

    @property
    def metrics(self) -> tuple[str, ...]:
        """Names of the metrics and recorded series that it reads, in order."""
        bare = _GROUPING.sub(" ", re.sub(r"\{[^}]*\}", " ", _STRINGS.sub('""', self.expression)))
        names = (found[0] for found in _METRIC.finditer(bare))
        return tuple(dict.fromkeys(name for name in names if name not in _FUNCTIONS))


@dataclass(frozen=True)
class Limit:
    """A line that should not be crossed.

    Attributes:
        value: In the panel's unit.
        says: What it is, for the legend.
        below: Whether values below it are the bad ones; else those above.
    """

    value: float
    says: str
    below: bool = False

    def is_crossed(self, value: float) -> bool:
        """Whether a value is on the bad side."""
        return value < self.value if self.below else value > self.value


@dataclass(frozen=True, kw_only=True)
class Panel:
    """One picture.

    Attributes:
        id: Unique among all dashboards; alerts link to it.
        title: A few words.
        shows: What it shows, in a sentence.
        normal: What is normal, in a sentence.
        action: What to do when it is not.
        empty: What it means when there is nothing to draw.
        unit: Of its values.
        kind: How it is drawn.
        queries: At least one.
        limit: Drawn as a line, or colours the value.
        states: Words for the values 0 and 1 of a panel of states; the second one is the good one, unless
            ``one_is_bad``.
        one_is_bad: As for an alert that fires.
        width: Of the 24 columns of a row.
        source: Who answers its queries.
        stacked: Whether values are drawn on top of each other, as parts of a sum.
    """

    id: str
    title: str
    shows: str
    normal: str
    action: str
    empty: str
    unit: Unit
    kind: Kind
    queries: tuple[Query, ...]
    limit: Limit | None = None
    states: tuple[str, str] = ("", "")
    one_is_bad: bool = False
    width: int = 12
    source: Source = Source.PROMETHEUS
    stacked: bool = False

    @property
    def description(self) -> str:
        """What it shows, what is normal, and what to do."""
        return f"{self.shows} Normal: {self.normal} If not: {self.action}"

    @property
    def metrics(self) -> tuple[str, ...]:
        """Names of the metrics and recorded series that its queries read; none for logs."""
        if self.source is Source.LOKI:
            return ()
        return tuple(dict.fromkeys(name for query in self.queries for name in query.metrics))


@dataclass(frozen=True)
class Section:
    """Panels that belong together, under a heading."""

    title: str
    panels: tuple[Panel, ...]


@dataclass(frozen=True)
class Variable:
    """What whoever looks may choose.

    Attributes:
        name: Of the label, and of the variable in queries.
        title: For people.
        metric: Its values are those that the label has on this metric.
    """

    name: str
    title: str
    metric: str


@dataclass(frozen=True, kw_only=True)
class Dashboard:
    """A page of panels.

    Attributes:
        id: In its address, and its uid in Grafana.
        title: For people.
        says: What it is for, in a sentence.
        variables: What may be chosen on it.
        sections: From top to bottom.
    """

    id: str
    title: str
    says: str
    variables: tuple[Variable, ...]
    sections: tuple[Section, ...]

    @property
    def panels(self) -> tuple[Panel, ...]:
        """All of them, in order."""
        return tuple(panel for section in self.sections for panel in section.panels)
