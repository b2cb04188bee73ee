"""The text that is pushed for a run."""

from __future__ import annotations

from monitoring.pipeline_pushes.run_metrics import NAMES, EvaluationValue, RunMetrics

GOOD = RunMetrics(
    "training",
    True,
    12.5,
    1_700_000_000.0,
    (EvaluationValue("mrr@10", "reranked", "questions", 0.75), EvaluationValue("mrr@10", "bm25", "titles", 0.5)),
    {"all": True, "latency": False},
)


def samples(text: str) -> list[str]:
    return [line for line in text.splitlines() if not line.startswith("#")]


def test_a_run_that_ended_well_tells_everything():
    assert samples(GOOD.text(3)) == [
        "pipeline_run_success 1.0",
        "pipeline_run_duration_seconds 12.5",
        "pipeline_run_timestamp_seconds 1700000000.0",
        "pipeline_pushes_dropped_total 3.0",
        "pipeline_last_success_timestamp_seconds 1700000000.0",
        'pipeline_evaluation_value{metric="mrr@10",stage="reranked",queries="questions"} 0.75',
        'pipeline_evaluation_value{metric="mrr@10",stage="bm25",queries="titles"} 0.5',
        'pipeline_gate_passed{gate="all"} 1.0',
        'pipeline_gate_passed{gate="latency"} 0.0',
    ]


def test_a_failed_run_says_nothing_under_the_names_of_success():
    failed = RunMetrics("training", False, 1.0, 2.0, GOOD.evaluation, GOOD.gates)
    assert [line.partition(" ")[0] for line in samples(failed.text(0))] == [
        "pipeline_run_success",
        "pipeline_run_duration_seconds",
        "pipeline_run_timestamp_seconds",
        "pipeline_pushes_dropped_total",
    ]


def test_every_name_has_its_help_and_type_before_its_samples():
    lines = GOOD.text(0).splitlines()
    for name, (kind, _) in NAMES.items():
        at = lines.index(f"# TYPE {name} {kind}")
        assert lines[at - 1].startswith(f"# HELP {name} ")
        assert lines[at + 1].startswith(name)


def test_no_sample_carries_a_time():
    assert all(len(line.rpartition("}")[2].split()) <= 2 for line in samples(GOOD.text(0)))


def test_a_value_that_is_no_number_is_left_out_and_labels_are_escaped():
    run = RunMetrics(
        "evaluation",
        True,
        1.0,
        2.0,
        (
            EvaluationValue("mrr@10", "bm25", "titles", float("nan")),
            EvaluationValue("mrr@10", 'a"\\\n', "titles", 1.0),
        ),
    )
    assert [line for line in samples(run.text(0)) if "evaluation" in line] == [
        'pipeline_evaluation_value{metric="mrr@10",stage="a\\"\\\\\\n",queries="titles"} 1.0'
    ]
