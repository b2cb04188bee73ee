"""Pipeline `data`: from a source of law to a split, checked dataset."""

from __future__ import annotations

from typing import Any

from zenml import pipeline
from zenml.enums import ExecutionMode

from pipelines.inputs import base_inputs, data_inputs, ingest_section, split_section
from pipelines.launch import launched
from pipelines.next_command import Following
from pipelines.results import Outcome, load_output
from pipelines.with_pushes import failures_pushed, pushing, with_pushes
from retrieval.config.schema import Config
from steps.data.ingest_articles import ingest_articles
from steps.data.preprocess_text import preprocess_text
from steps.data.segment_text import segment_text
from steps.data.split_queries import split_queries
from steps.data.validate_data import validate_data
from steps.monitoring.push_run_metrics import push_run


def dataset_steps(config: Config) -> tuple[Any, Any]:  # ZenML's own handles of artifacts to come
    """Wire ingest, preprocess, segment, split and validate.

    Returns:
        The dataset and the validation's report. Steps that only read the dataset do not wait for the report by
        themselves: give it to them as ``after``, or a dataset that does not hold together is trained on first.
    """
    data, base = config.data, config.bi_encoder.base
    # On a schedule the fingerprint is that of the day the pipeline was handed over, so files are read each time.
    ingest = ingest_articles.with_options(enable_cache=False) if config.orchestration.schedule else ingest_articles
    raw = ingest(ingest_section(data), config.seed, data_inputs(data))
    cut = preprocess_text(raw, base, base_inputs(base), data.passage_tokens, data.passage_overlap_tokens)
    segmented = segment_text(cut, data.workers)
    dataset = split_queries(segmented, split_section(data), config.seed)
    names = (str(data.questions or data.source), str(data.corpus or ""))
    return dataset, validate_data(dataset, *names, config.mining.first_rank)


@pipeline(name="data", execution_mode=ExecutionMode.FAIL_FAST)
def data_pipeline(config: Config) -> None:
    """Law and questions, cleaned, cut, segmented, split and checked."""
    _, valid = dataset_steps(config)
    pushing(push_run, config, after=valid)


def run(config: Config, cache: bool) -> Outcome:
    """Run the pipeline and tell what the dataset holds."""
    with failures_pushed(data_pipeline, config):
        response = launched(with_pushes(data_pipeline, config), config, cache)
    report = load_output(response, "validate_data", "validation_report")
    lines = [
        f"{report.articles:,} articles in {report.passages:,} passages, {report.queries:,} queries",
        *(f"  {split or 'unsplit'}: {count:,}" for split, count in report.queries_by_split.items()),
        *(f"  warning: {warning}" for warning in report.warnings),
    ]
    return Outcome(lines, [Following("training")])
