"""Alerts on what clients get: errors, slow answers, a queue that refuses, targets that are gone."""

from __future__ import annotations

from monitoring.rules.model import OF, SERVICE_JOBS, Alert, Group, Panel, Record, Severity
from monitoring.rules.objectives import OUR_ERRORS
from monitoring.slo import ServiceLevels

WHO = "{{ $labels.endpoint }} ({{ $labels.track }})"
_SUSTAINED = "2m"
_BY_JOB = '"endpoint", "$1", "job", "(.+)"'


def requests(levels: ServiceLevels) -> Group:
    """Rules on requests and on the queue that they wait in."""
    return Group(
        "requests",
        "errors, slow answers and full queues",
        (*_errors(levels), *_latency(levels), *_queue(levels)),
    )


def targets(levels: ServiceLevels) -> Group:
    """Rules on what is scraped."""
    return Group("targets", "services that are down, gone or without metrics", _targets(levels))


def _errors(levels: ServiceLevels) -> tuple[Alert, ...]:
    fewest = levels.minimum_bad_requests - 0.5
    errors = f'sum by ({OF}) (rate(endpoint_errors_total{{type=~"{"|".join(OUR_ERRORS)}"}}[1m]))'
    recorded = 'endpoint_track:slo_bad_requests:{}{{slo="availability"}}'
    return (
        Alert(
            name="MostRequestsFail",
            expression=f"{errors}\n/\nsum by ({OF}) (rate(endpoint_requests_total[1m]))\n"
            f"> {levels.errors.outage_share:g}\nand\n{errors} * 60 > {fewest:g}",
            severity=Severity.PAGE,
            summary=f"{WHO} answers most requests with errors",
            description="{{ $value | humanizePercentage }} of the requests of the last minute got an error of ours.",
            action="See which service fails and restart it; if it began with a new version, roll back.",
            panel=Panel("overview", "error-rate"),
        ),
        Alert(
            name="ErrorRateHigh",
            expression=f"{recorded.format('ratio_rate5m')} > {levels.errors.bad_share:g}\nand\n"
            f"{recorded.format('rate5m')} * 300 > {fewest:g}",
            hold="1m",
            severity=Severity.PAGE,
            summary=f"{WHO} answers too many requests with errors",
            description="{{ $value | humanizePercentage }} of the requests of the last 5 minutes got an error of ours;"
            f" {levels.errors.bad_share * 100:g} % is the limit.",
            action="Read which error it is in endpoint_errors_total by type; if a new version began it, roll back.",
            panel=Panel("overview", "error-rate"),
            labels={"slo": "availability"},
        ),
    )


def _latency(levels: ServiceLevels) -> tuple[Record | Alert, ...]:
    waited_for = f'action!~"{"|".join(levels.latency.bulk_actions)}"'
    fewest = levels.minimum_bad_requests - 0.5
    name, seconds = "endpoint_track:endpoint_request_duration_seconds", levels.latency_p95.seconds
    return (
        Record(
            f"{name}:p95_rate5m",
            "histogram_quantile(0.95,\n"
            f"  sum by ({OF}, le) (rate(endpoint_request_duration_seconds_bucket{{{waited_for}}}[5m])))",
        ),
        Alert(
            name="LatencyHigh",
            expression=f"{name}:p95_rate5m > {seconds:g}\nand\n"
            f"{_above('endpoint_request_duration_seconds', seconds, waited_for)} > {fewest:g}",
            hold=_SUSTAINED,
            severity=Severity.PAGE,
            summary=f"{WHO} is slow",
            description="95 % of the requests of the last 5 minutes were answered within"
            f" {{{{ $value | humanizeDuration }}}}; {seconds:g} s is the limit.",
            action="Compare queue wait with inference time: a full queue needs capacity or fewer clients, slow"
            " inference a look at the machine.",
            panel=Panel("overview", "latency", per_model="latency"),
        ),
    )


def _queue(levels: ServiceLevels) -> tuple[Record | Alert, ...]:
    fewest = levels.minimum_bad_requests - 0.5
    refused = f'sum by ({OF}) (rate(endpoint_rejections_total{{reason=~"overloaded|deadline_passed"}}[5m]))'
    wait = "endpoint_track:endpoint_queue_wait_seconds:p95_rate5m"
    return (
        Alert(
            name="QueueRejects",
            expression=f"{refused}\n/\nsum by ({OF}) (rate(endpoint_requests_total[5m]))\n"
            f"> {levels.queue.rejected_share:g}\nand\n{refused} * 300 > {fewest:g}",
            hold=_SUSTAINED,
            severity=Severity.TICKET,
            summary=f"{WHO} refuses requests, for its queue is full",
            description="{{ $value | humanizePercentage }} of the requests of the last 5 minutes were refused before"
            " any compute.",
            action="Find out who sends so much; limit it with RETRIEVER_REQUESTS_PER_MINUTE or add an instance.",
            panel=Panel("overview", "requests", per_model="rejections"),
        ),
        Record(wait, f"histogram_quantile(0.95, sum by ({OF}, le) (rate(endpoint_queue_wait_seconds_bucket[5m])))"),
        Alert(
            name="QueueWaitHigh",
            expression=f"{wait} > {levels.queue.wait_p95_seconds:g}\nand\n"
            f"{_above('endpoint_queue_wait_seconds', levels.queue.wait_p95_seconds)} > {fewest:g}",
            hold=_SUSTAINED,
            severity=Severity.TICKET,
            summary=f"requests wait long for {WHO}",
            description="5 % of the requests of the last 5 minutes waited more than {{ $value | humanizeDuration }} for"
            " the model.",
            action="Find out who sends so much; limit it with RETRIEVER_REQUESTS_PER_MINUTE or add an instance.",
            panel=Panel("overview", "latency", per_model="queue-wait"),
        ),
    )


def _above(histogram: str, seconds: float, selector: str = "") -> str:
    """How many observations of 5 minutes were longer than one of the bounds."""
    below = f'{selector}, le="{seconds}"' if selector else f'le="{seconds}"'
    every = f"{{{selector}}}" if selector else ""
    return (
        f"(\n  sum by ({OF}) (rate({histogram}_count{every}[5m]))\n  -\n"
        f"  sum by ({OF}) (rate({histogram}_bucket{{{below}}}[5m]))\n) * 300"
    )


def _targets(levels: ServiceLevels) -> tuple[Alert, ...]:
    services = f'up{{job=~"{SERVICE_JOBS}"}}'
    panel = Panel("overview", "targets-up")
    missing = "\nor\n".join(f'label_replace(absent(up{{job="{job}"}}), {_BY_JOB})' for job in levels.expected_jobs)
    always = (
        Alert(
            name="EndpointDown",
            expression=f"label_replace(max by (job) ({services}) == 0, {_BY_JOB})",
            hold="30s",
            severity=Severity.PAGE,
            summary="no {{ $labels.endpoint }} answers",
            description="Of all targets of {{ $labels.job }} {{ $value }} can be scraped.",
            action="Look at the service's log for why it ended, start it again, and then look at why.",
            panel=panel,
        ),
        Alert(
            name="TargetDown",
            expression=f"label_replace(\n  {services} == 0 and on (job) (max by (job) ({services}) == 1), {_BY_JOB})",
            hold="3m",
            severity=Severity.TICKET,
            summary="{{ $labels.endpoint }} at {{ $labels.instance }} does not answer",
            description="Its last scrapes failed (up is {{ $value }}), while others of {{ $labels.job }} answer.",
            action="Look at that process; if it was taken away on purpose, take it out of the targets file.",
            panel=panel,
        ),
        Alert(
            name="MetricsAbsent",
            expression=f"label_replace(\n  {services} == 1 unless on (job, instance) endpoint_requests_total,\n"
            f"  {_BY_JOB})",
            hold="5m",
            severity=Severity.TICKET,
            summary="{{ $labels.instance }} answers but has no metrics of {{ $labels.endpoint }}",
            description="The target is up ({{ $value }}), yet endpoint_requests_total is not among what it shows.",
            action="See what listens at that address, and mend the targets file.",
            panel=panel,
        ),
    )
    if not missing:
        return always
    absent = Alert(
        name="TargetsAbsent",
        expression=missing,
        hold="2m",
        severity=Severity.PAGE,
        summary="Prometheus has no target of {{ $labels.endpoint }}",
        description="The scrape job {{ $labels.job }} has had no target for 2 minutes: nothing of it is watched.",
        action="See that the targets file of that job is there and names the service.",
        panel=panel,
    )
    return (*always, absent)
