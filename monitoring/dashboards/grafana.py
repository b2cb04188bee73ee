"""Grafana's JSON of the dashboards, made with Grafana's own builders; the one place that imports them."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from dataclasses import dataclass

from grafana_foundation_sdk.builders import common, heatmap, logs, loki, prometheus, stat, statetimeline, timeseries
from grafana_foundation_sdk.builders import dashboard as build
from grafana_foundation_sdk.cog.builder import Builder
from grafana_foundation_sdk.cog.encoder import JSONEncoder
from grafana_foundation_sdk.models import common as options
from grafana_foundation_sdk.models import dashboard as grafana
from grafana_foundation_sdk.models import heatmap as heat
from grafana_foundation_sdk.models import prometheus as prometheus_query

from monitoring.dashboards.panels import Dashboard, Kind, Panel, Query, Source, Variable
from monitoring.rules.model import PAGE_URL

COLUMNS = 24
_HEIGHTS = {Kind.STAT: 5, Kind.LOGS: 10}
_USUAL_HEIGHT = 10
_GOOD, _BAD, _PLAIN = "green", "red", "blue"
_QUERY_IDS = "ABCDEFGH"
_VARIABLES = {Source.PROMETHEUS: "datasource", Source.LOKI: "logs"}
"""The variable that says which data source answers, so that no address is in a dashboard."""
_TITLES = {Source.PROMETHEUS: "Metrics", Source.LOKI: "Logs"}


@dataclass(frozen=True)
class _Place:
    """Where a panel lies; ``number`` is its id in its dashboard."""

    number: int
    x: int
    y: int
    height: int

    def of(self, width: int) -> grafana.GridPos:
        """As Grafana writes it."""
        return grafana.GridPos(h=self.height, w=width, x=self.x, y=self.y)


def grafana_json(dashboard: Dashboard) -> str:
    """A dashboard as Grafana reads it from a file."""
    made = (
        build.Dashboard(dashboard.title)
        .uid(dashboard.id)
        .description(dashboard.says)
        .tags(["retrieval"])
        .readonly()
        .refresh("30s")
        .time("now-6h", "now")
        .timezone("browser")
        .tooltip(grafana.DashboardCursorSync.CROSSHAIR)
    )
    for link in _links():
        made = made.link(link)
    for variable in _variables(dashboard):
        made = made.with_variable(variable)
    for title, place, panel in _placed(dashboard):
        if panel is None:
            made = made.with_row(build.Row(title).id(place.number).grid_pos(place.of(COLUMNS)))
        else:
            made = made.with_panel(_panel(panel, place))
    return json.dumps(made.build(), cls=JSONEncoder, indent=2, sort_keys=True, ensure_ascii=False) + "\n"


def _placed(dashboard: Dashboard) -> Iterator[tuple[str, _Place, Panel | None]]:
    """Rows and panels, each as high up as there is room; None is a row's heading, with its title."""
    number, y = 1, 0
    for section in dashboard.sections:
        yield section.title, _Place(number, 0, y, 1), None
        number, lowest = number + 1, [y + 1] * COLUMNS
        for panel in section.panels:
            starts = range(COLUMNS - panel.width + 1)
            top, x = min((max(lowest[start : start + panel.width]), start) for start in starts)
            height = _HEIGHTS.get(panel.kind, _USUAL_HEIGHT)
            yield panel.title, _Place(number, x, top, height), panel
            number += 1
            lowest[x : x + panel.width] = [top + height] * panel.width
        y = max(lowest)


def _links() -> list[build.DashboardLink]:
    others = build.DashboardLink("Dashboards").type(grafana.DashboardLinkType.DASHBOARDS).tags(["retrieval"])
    runbooks = build.DashboardLink("Runbooks").type(grafana.DashboardLinkType.LINK).url(f"{PAGE_URL}/runbooks")
    return [others.as_dropdown(True).keep_time(True), runbooks.icon("doc").target_blank(True)]


def _variables(dashboard: Dashboard) -> Iterator[Builder[grafana.VariableModel]]:
    for source in {panel.source: None for panel in dashboard.panels}:
        yield build.DatasourceVariable(_VARIABLES[source]).label(_TITLES[source]).type(source.value)
    for variable in dashboard.variables:
        yield _choice(variable)


def _choice(variable: Variable) -> build.QueryVariable:
    return (
        build.QueryVariable(variable.name)
        .label(variable.title)
        .datasource(_source(Source.PROMETHEUS))
        .query(f"label_values({variable.metric}, {variable.name})")
        .refresh(grafana.VariableRefresh.ON_TIME_RANGE_CHANGED)
        .sort(grafana.VariableSort.ALPHABETICAL_ASC)
        .multi(True)
        .include_all(True)
        .all_value(".*")
        .current(grafana.VariableOption(selected=True, text=["All"], value=["$__all"]))
    )


def _source(source: Source) -> grafana.DataSourceRef:
    return grafana.DataSourceRef(type_val=source.value, uid=f"${{{_VARIABLES[source]}}}")


_AnyPanel = timeseries.Panel | stat.Panel | heatmap.Panel | statetimeline.Panel | logs.Panel


def _panel(panel: Panel, place: _Place) -> _AnyPanel:
    drawn = _DRAWN[panel.kind](panel)
    drawn = drawn.title(panel.title).description(panel.description).id(place.number).grid_pos(place.of(panel.width))
    drawn = drawn.datasource(_source(panel.source)).no_value(panel.empty).unit(panel.unit.value)
    for letter, query in zip(_QUERY_IDS, panel.queries, strict=False):
        drawn = drawn.with_target(_target(panel, query, letter))
    return drawn.thresholds(_thresholds(panel))


def _target(panel: Panel, query: Query, letter: str) -> loki.Dataquery | prometheus.Dataquery:
    if panel.source is Source.LOKI:
        asked = loki.Dataquery().expr(query.expression).legend_format(query.legend).ref_id(letter)
        return asked.datasource(_source(panel.source))
    metric = prometheus.Dataquery().expr(query.expression).legend_format(query.legend).ref_id(letter)
    metric = metric.datasource(_source(panel.source))
    if panel.kind is Kind.HEATMAP:
        metric = metric.format(prometheus_query.PromQueryFormat.HEATMAP)
    return metric.instant() if panel.kind is Kind.STAT else metric.range().exemplar("duration" in query.expression)


def _thresholds(panel: Panel) -> build.ThresholdsConfig:
    limit = panel.limit
    if limit is None:
        steps = [grafana.Threshold(color=_PLAIN, value=None)]
    else:
        low, high = (_BAD, _GOOD) if limit.below else (_GOOD, _BAD)
        steps = [grafana.Threshold(color=low, value=None), grafana.Threshold(color=high, value=limit.value)]
    return build.ThresholdsConfig().mode(grafana.ThresholdsMode.ABSOLUTE).steps(steps)


def _stat(panel: Panel) -> stat.Panel:
    colour = options.BigValueColorMode.NONE if panel.limit is None else options.BigValueColorMode.VALUE
    shown = stat.Panel().graph_mode(options.BigValueGraphMode.NONE).color_mode(colour)
    shown = shown.text_mode(options.BigValueTextMode.VALUE_AND_NAME)
    return shown.reduce_options(common.ReduceDataOptions().calcs(["lastNotNull"]).values(False))


def _time_series(panel: Panel) -> timeseries.Panel:
    drawn = (
        timeseries.Panel()
        .line_width(2)
        .fill_opacity(0)
        .show_points(options.VisibilityMode.AUTO)
        .legend(common.VizLegendOptions().display_mode(options.LegendDisplayMode.TABLE)
                .placement(options.LegendPlacement.BOTTOM).show_legend(True).calcs(["lastNotNull", "max"]))
        .tooltip(common.VizTooltipOptions().mode(options.TooltipDisplayMode.MULTI))
        .override_by_regexp(".*canary.*", [grafana.DynamicConfigValue(
            id_val="custom.lineStyle", value={"fill": "dash", "dash": [8, 6]})])
    )  # fmt: skip
    if panel.limit is not None:
        drawn = drawn.thresholds_style(
            common.GraphThresholdsStyleConfig().mode(options.GraphThresholdsStyleMode.DASHED)
        )
    return drawn


def _bars(panel: Panel) -> timeseries.Panel:
    drawn = _time_series(panel).draw_style(options.GraphDrawStyle.BARS).fill_opacity(70).line_width(0)
    if panel.stacked:
        drawn = drawn.stacking(common.StackingConfig().mode(options.StackingMode.NORMAL).group("A"))
    return drawn


def _heatmap(panel: Panel) -> heatmap.Panel:
    del panel
    colours = heatmap.HeatmapColorOptions().mode(heat.HeatmapColorMode.SCHEME).scheme("Blues").steps(7)
    return heatmap.Panel().calculate(False).color(colours).filter_values(heatmap.FilterValueRange().le(1e-9))


def _state(panel: Panel) -> statetimeline.Panel:
    zero, one = (_GOOD, _BAD) if panel.one_is_bad else (_BAD, _GOOD)
    words = {
        "0": grafana.ValueMappingResult(text=panel.states[0], color=zero),
        "1": grafana.ValueMappingResult(text=panel.states[1], color=one),
    }
    shown = statetimeline.Panel().merge_values(True).show_value(options.VisibilityMode.AUTO)
    return shown.mappings([grafana.ValueMap(options=words)])


def _logs(panel: Panel) -> logs.Panel:
    del panel
    shown = logs.Panel().show_time(True).wrap_log_message(True).enable_log_details(True)
    return shown.sort_order(options.LogsSortOrder.DESCENDING)


_DRAWN: dict[Kind, Callable[[Panel], _AnyPanel]] = {
    Kind.STAT: _stat,
    Kind.TIME_SERIES: _time_series,
    Kind.BARS: _bars,
    Kind.HEATMAP: _heatmap,
    Kind.STATE: _state,
    Kind.LOGS: _logs,
}
