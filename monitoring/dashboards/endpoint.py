"""The two models' dashboards: the same panels for both, and what only one of them has."""

from __future__ import annotations

from monitoring.dashboards import promql
from monitoring.dashboards.capacity import NOBODY_ASKED, NOT_SCRAPED, machine, queue
from monitoring.dashboards.panels import Dashboard, Kind, Limit, Panel, Query, Section, Unit, Variable
from monitoring.dashboards.promql import LATELY
from monitoring.slo import ServiceLevels
from retrieval.names import BI_ENCODER, CROSS_ENCODER

_LABELS = (("track", "Track"), ("model_version", "Model version"), ("instance", "Instance"))
_TITLES = {BI_ENCODER: "Bi-encoder", CROSS_ENCODER: "Cross-encoder"}
_SAYS = {
    BI_ENCODER: "How the first stage does: requests, time, queue, vectors and cost of the bi-encoder.",
    CROSS_ENCODER: "How reranking does: requests, time, queue, scores and cost of the cross-encoder.",
}


def endpoint(name: str, levels: ServiceLevels) -> Dashboard:
    """A model's dashboard.

    Args:
        name: Its endpoint, which is the dashboard's id and begins the ids of its panels.
        levels: Objectives and limits, which the panels draw.
    """
    chosen = f'endpoint="{name}", ' + ", ".join(f'{label}=~"${label}"' for label, _ in _LABELS)
    of_one = {BI_ENCODER: (_dimension(name, chosen),), CROSS_ENCODER: _scores(name, chosen)}[name]
    return Dashboard(
        id=name,
        title=_TITLES[name],
        says=_SAYS[name],
        variables=tuple(
            Variable(label, title, f'endpoint_requests_total{{endpoint="{name}"}}') for label, title in _LABELS
        ),
        sections=(
            Section("Requests", _requests(name, chosen, levels)),
            Section("Model", (*_model(name, chosen), *of_one)),
            Section("Queue", queue(name, chosen, levels)),
            Section("Machine", machine(name, chosen)),
        ),
    )  # fmt: skip


def _requests(name: str, chosen: str, levels: ServiceLevels) -> tuple[Panel, ...]:
    bad, seconds, waited = levels.errors.bad_share, levels.latency.threshold_seconds, promql.waited_for(levels)
    timed = "endpoint_request_duration_seconds"
    return (
        Panel(
            id=f"{name}-requests",
            title="Requests by action",
            shows="Requests answered each second, by what was asked.",
            normal="the usual curve of a day.",
            action="at 0 see whether the gateway is up and knows this service; a peak explains a full queue.",
            empty=NOT_SCRAPED,
            unit=Unit.REQUESTS_PER_SECOND,
            kind=Kind.TIME_SERIES,
            queries=(Query(promql.rate("endpoint_requests_total", LATELY, "action", chosen), "{{action}}"),),
        ),
        Panel(
            id=f"{name}-error-rate",
            title="Error rate",
            shows="Share of requests answered with an error of ours, by track, and all errors by type.",
            normal=f"errors of ours below {100 * bad:g} %.",
            action="model_fault is the model, overloaded and deadline_passed are the load, not_ready is a start.",
            empty="Nobody asked in this time, so that there is no share to tell.",
            unit=Unit.SHARE,
            kind=Kind.TIME_SERIES,
            queries=(
                Query(promql.error_share(LATELY, "track", chosen), "{{track}} ours"),
                Query(promql.errors_by_type(chosen), "{{type}}"),
            ),
            limit=Limit(bad, f"alert at {100 * bad:g} % of ours"),
        ),
        Panel(
            id=f"{name}-latency",
            title="Latency",
            shows="Time in which half, 95 % and 99 % of the requests were answered that a person waits for.",
            normal=f"95 % within {seconds:g} s; most of it is inference.",
            action="compare with queue wait and inference below.",
            empty=NOBODY_ASKED,
            unit=Unit.SECONDS,
            kind=Kind.TIME_SERIES,
            queries=tuple(
                Query(promql.quantile(share, timed, "track", waited, chosen), f"p{100 * share:g} {{{{track}}}}")
                for share in (0.5, 0.95, 0.99)
            ),
            limit=Limit(seconds, f"objective {seconds:g} s for p95"),
            width=24,
        ),
    )


def _model(name: str, chosen: str) -> tuple[Panel, ...]:
    rows = "endpoint_batch_size_bucket"
    return (
        Panel(
            id=f"{name}-inference",
            title="Inference",
            shows="Time of one forward of the model, whatever the size of its batch.",
            normal="steady; longer with longer texts and larger batches.",
            action="if it grew without larger batches, see whether the machine is shared or throttled.",
            empty="The model computed nothing in this time.",
            unit=Unit.SECONDS,
            kind=Kind.TIME_SERIES,
            queries=tuple(
                Query(
                    promql.quantile(share, "endpoint_inference_duration_seconds", "track", chosen),
                    f"p{100 * share:g} {{{{track}}}}",
                )
                for share in (0.5, 0.95)
            ),
        ),
        Panel(
            id=f"{name}-batch-size",
            title="Batch size",
            shows="How many forwards had how many rows; darker is more.",
            normal="few rows while there is little traffic, more under load, which is cheaper a row.",
            action="if all stay at one row under load, clients may be waiting for each other.",
            empty="The model computed nothing in this time.",
            unit=Unit.ROWS,
            kind=Kind.HEATMAP,
            queries=(Query(f"sum by (le) (increase({rows}{{{chosen}}}[{LATELY}]))", "{{le}}"),),
        ),
        Panel(
            id=f"{name}-tokens",
            title="Tokens",
            shows="Tokens that the model read each second.",
            normal="follows the requests.",
            action="many tokens of few requests are long texts: see Truncations.",
            empty=NOT_SCRAPED,
            unit=Unit.TOKENS_PER_SECOND,
            kind=Kind.TIME_SERIES,
            queries=(Query(promql.rate("endpoint_tokens_total", LATELY, "track", chosen), "{{track}}"),),
        ),
        Panel(
            id=f"{name}-truncations",
            title="Truncations",
            shows="Texts a second that were longer than the model reads and lost their end.",
            normal="few; long articles are read in passages, long questions are rare.",
            action="if there are many, send passages instead of whole documents.",
            empty=NOT_SCRAPED,
            unit=Unit.REQUESTS_PER_SECOND,
            kind=Kind.TIME_SERIES,
            queries=(Query(promql.rate("endpoint_truncations_total", LATELY, "track", chosen), "{{track}}"),),
        ),
    )


def _dimension(name: str, chosen: str) -> Panel:
    return Panel(
        id=f"{name}-dimension",
        title="Embedding dimension",
        shows="Numbers in one vector, by version of the model.",
        normal="one line; stable and canary may differ only if each has an index of its own.",
        action="if nobody changed the model on purpose, serve the bundle before; its vectors fit no index of today.",
        empty="No bi-encoder has loaded its model in this time.",
        unit=Unit.COUNT,
        kind=Kind.TIME_SERIES,
        queries=(
            Query(
                f"max by (track, model_version) (endpoint_embedding_dimension{{{chosen}}})",
                "{{track}} {{model_version}}",
            ),
        ),
        width=24,
    )


def _scores(name: str, chosen: str) -> tuple[Panel, ...]:
    return (
        Panel(
            id=f"{name}-scores",
            title="Scores",
            shows="How many documents got which score; darker is more.",
            normal="the same bands from day to day.",
            action="if they move, see what changed: model and index should not have; other questions are no fault.",
            empty="Nothing was scored in this time.",
            unit=Unit.SCORE,
            kind=Kind.HEATMAP,
            queries=(Query(f"sum by (le) (increase(endpoint_score_value_bucket{{{chosen}}}[{LATELY}]))", "{{le}}"),),
        ),
        Panel(
            id=f"{name}-score-range",
            title="Lowest and highest score",
            shows="The least and the greatest score given in five minutes.",
            normal="wide apart: good documents near 1, others near 0.",
            action="if both meet, the model tells documents apart no more: compare it with the version before.",
            empty="Nothing was scored in this time.",
            unit=Unit.SCORE,
            kind=Kind.TIME_SERIES,
            queries=(
                Query(f"min by (track) (endpoint_score_min{{{chosen}}})", "lowest {{track}}"),
                Query(f"max by (track) (endpoint_score_max{{{chosen}}})", "highest {{track}}"),
            ),
        ),
    )
