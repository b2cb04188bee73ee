"""Samples of a service's metrics, asked for by the labels that matter."""

from __future__ import annotations

from prometheus_client.parser import text_string_to_metric_families

from monitoring.endpoint_metrics import EndpointMetrics


def value_of(metrics: EndpointMetrics, name: str, **labels: str) -> float | None:
    """A sample under the labels of what is counted now; labels given go before these."""
    own = {"endpoint": metrics.endpoint, "track": metrics.track, "model_version": metrics.model_version}
    return metrics.families.registry.get_sample_value(name, own | labels)


def scraped(text: str, name: str, **labels: str) -> float:
    """The sum of a metric's samples on a ``/metrics`` page that have these labels, whatever others they have."""
    return sum(
        sample.value
        for family in text_string_to_metric_families(text)
        for sample in family.samples
        if sample.name == name and labels.items() <= sample.labels.items()
    )
