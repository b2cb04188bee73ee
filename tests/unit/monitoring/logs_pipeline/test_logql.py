"""Every LogQL there is, read by Grafana's own parser; and that the small evaluator of the tests evaluates."""

from __future__ import annotations

import pytest

from tests.helpers import logql
from tests.helpers.log_pipelines import dashboard_queries, rules, written_queries
from tests.helpers.log_stages import Entry
from tests.helpers.logql import LogAlert

RULES = {name: rule["expr"] for name, rule in rules().items()}
QUERIES = {**RULES, **dashboard_queries(), **written_queries()}
needs_parser = pytest.mark.skipif(bool(logql.MISSING), reason=logql.MISSING)


def test_there_are_queries_of_alerts_panels_and_pages():
    assert len(RULES) == 4
    assert len(dashboard_queries()) >= 2
    assert {name.split()[0] for name in written_queries()} == {"runbooks.md", "logs.md"}


@needs_parser
def test_every_query_is_logql():
    found = dict(zip(QUERIES, logql.faults(list(QUERIES.values())), strict=True))
    assert {name: (QUERIES[name], places) for name, places in found.items() if places} == {}


@needs_parser
@pytest.mark.parametrize(
    "broken",
    ['{a="b"', 'sum by (count_over_time({a="b"}[5m]))', 'count_over_time({a="b"}[5m]) >', '{a="b"} | jsn',
     'rate({a="b"})', '{a="b"} |= x', 'count_over_time({a="b"} | json [5x])', "", "up == 0 or"],
)  # fmt: skip
def test_what_is_no_logql_is_found(broken: str):
    assert logql.faults([broken]) != [[]]


def entry(line: str, **labels: str) -> Entry:
    return Entry(line, {"service": "gateway", **labels})


def test_the_evaluator_counts_by_labels_above_a_limit():
    alert = LogAlert.read('sum by (service) (count_over_time({service=~"gate.+", level!="INFO"} |= "a" [5m])) > 1')
    entries = [entry("abc", level="ERROR"), entry("cab"), entry("abc", level="INFO"), entry("xyz")]
    assert alert.firing(entries) == {("gateway",): 2}
    assert alert.firing(entries[:1]) == {}
    assert alert.minutes == 5


@pytest.mark.parametrize(
    ("stages", "line", "taken"),
    [
        ('| json | exception != ""', '{"exception": "Traceback"}', True),
        ('| json | exception != ""', '{"message": "exception"}', False),
        ('| json | exception != ""', "no JSON", False),
        ('| json | level =~ "ERR.*"', '{"level": "INFO"}', True),  # the stream's own label stays, the line's is another
        ('!= "b" | json', '{"a": "b"}', False),
        ('| service =~ "gate"', "", False),  # the whole value
    ],
)
def test_the_evaluator_reads_stages_as_loki_does(stages: str, line: str, taken: bool):
    alert = LogAlert("service", f'{{service="gateway"}} {stages}', 5, 0)
    assert alert.takes(entry(line, level="ERROR")) is taken


@pytest.mark.parametrize("unknown", ["| logfmt", '|~ "x"', "| json | unwrap a"])
def test_the_evaluator_refuses_what_it_does_not_know(unknown: str):
    with pytest.raises(AssertionError):
        LogAlert(("service",), f'{{service="gateway"}} {unknown}', 5, 0).takes(entry("{}"))


@pytest.mark.parametrize("expression", RULES.values(), ids=RULES)
def test_every_alert_is_of_the_form_that_is_evaluated_here(expression: str):
    assert LogAlert.read(expression).by == ("service", "track")
