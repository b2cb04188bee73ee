"""The check of a DAG's task graph finds what is wrong with it."""

from __future__ import annotations

from stacks.airflow.check import FLOW, wrong_order


def direct() -> dict[str, list[str]]:
    """A graph with nothing but the flow's own arrows."""
    tasks = {*FLOW, *(one for after in FLOW.values() for one in after)}
    return {task: [earlier for earlier, after in FLOW.items() if task in after] for task in tasks}


def test_the_flow_itself_has_no_fault() -> None:
    assert wrong_order(direct()) == []


def test_further_tasks_and_further_arrows_are_no_fault() -> None:
    between = {"publish": ["keep_retriever"], "notify_result": ["publish", "export_reports"]}
    assert wrong_order({**direct(), **between}) == []


def test_a_missing_task_and_a_missing_arrow_are_named() -> None:
    before = direct()
    before["gate_retriever"] = []
    del before["validate_data"]
    assert wrong_order(before) == [
        "gate_retriever does not wait for evaluate_cross_encoder",
        "task validate_data is missing",
    ]
