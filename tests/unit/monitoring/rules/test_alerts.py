"""Every alert: promtool's cases of it, its words, its panel, its runbook, and errors that count as ours."""

from __future__ import annotations

import re
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest
import yaml

from deployment.errors import CODES
from monitoring.dashboards import panel_ids
from monitoring.endpoint_metrics import OTHER
from monitoring.rules.cases import read_cases
from monitoring.rules.command import COMMAND, FOLDER, groups, main, rule_files
from monitoring.rules.logs import logs
from monitoring.rules.model import PAGE_URL, Alert, Severity, span
from monitoring.rules.objectives import BURNS, OUR_ERRORS
from monitoring.slo import load_service_levels
from monitoring.tools import PROMTOOL, find_tool, tool
from retrieval.errors import ConfigError

ROOT = Path(__file__).resolve().parents[4]
RUNBOOKS = ROOT / "docs/runbooks.md"
LEVELS = load_service_levels()
ALERTS = {alert.name: alert for group in groups(LEVELS) for alert in group.alerts}
LOG_ALERTS = {alert.name: alert for alert in logs().alerts}
"""Of Loki's ruler; promtool runs none of them, see tests/unit/monitoring/logs_pipeline."""
ALL_ALERTS = {**ALERTS, **LOG_ALERTS}
TESTS = sorted((FOLDER / "tests").glob("*.yaml"))
needs_promtool = pytest.mark.skipif(find_tool(PROMTOOL) is None, reason="no promtool; run make monitoring-tools")


def promtool(*arguments: str | Path) -> subprocess.CompletedProcess[str]:
    return subprocess.run([tool(PROMTOOL), *arguments], capture_output=True, text=True, check=False)


@needs_promtool
@pytest.mark.parametrize("path", TESTS, ids=lambda path: path.stem)
def test_promtool_finds_that_alerts_fire_stay_silent_and_end_as_their_cases_say(path: Path):
    done = promtool("test", "rules", path)
    assert done.returncode == 0, done.stdout + done.stderr


@needs_promtool
def test_promtool_takes_every_rules_file_and_finds_nothing_twice():
    done = promtool("check", "rules", "--lint=all", "--lint-fatal", *(FOLDER / "rules").glob("*.yaml"))
    assert done.returncode == 0, done.stdout + done.stderr


@needs_promtool
def test_rules_of_other_limits_are_taken_too(tmp_path):
    text = (ROOT / "monitoring/slo.yaml").read_text(encoding="utf-8")
    for old, new in (("window_days: 30", "window_days: 28"), ("recent_minutes: 60", "recent_minutes: 1"),
                     ("reference_hours: 72", "reference_hours: 0.1"), ("training: 35", "drift: 0.5")):  # fmt: skip
        assert old in text
        text = text.replace(old, new)
    (tmp_path / "slo.yaml").write_text(text, encoding="utf-8")
    arguments = ["--slo", str(tmp_path / "slo.yaml"), "--to", str(tmp_path / "rules"), "--page", "https://m.example/"]
    assert main([*arguments, "--expect", "gateway", "bi-encoder"]) == 0
    done = promtool("check", "rules", "--lint=all", "--lint-fatal", *(tmp_path / "rules").glob("*.yaml"))
    assert done.returncode == 0, done.stdout + done.stderr
    everything = "".join(path.read_text(encoding="utf-8") for path in (tmp_path / "rules").glob("*.yaml"))
    assert 'burn_rate1h{slo="availability"} > 13.44' in everything
    assert 'absent(up{job="bi-encoder"})' in everything
    assert "https://m.example/runbooks#ErrorRateHigh" in everything
    assert PAGE_URL not in everything


def moments() -> Iterator[tuple[str, list[bool]]]:
    """By alert and case: whether it fired, moment by moment."""
    for path in TESTS:
        for test in yaml.safe_load(path.read_text(encoding="utf-8"))["tests"]:
            fired: dict[str, list[bool]] = {}
            for check in test.get("alert_rule_test", []):
                fired.setdefault(check["alertname"], []).append(bool(check["exp_alerts"]))
            yield from fired.items()


@pytest.mark.parametrize("name", ALERTS)
def test_an_alert_has_a_case_in_which_it_fires_and_ends_and_one_in_which_it_never_fires(name: str):
    cases = [fired for alert, fired in moments() if alert == name]
    assert any(True in fired and False in fired[fired.index(True) :] for fired in cases), "none fires and ends"
    assert any(not any(fired) for fired in cases), "none stays silent"


def test_cases_are_of_alerts_that_there_are():
    assert {name for name, _ in moments()} == set(ALERTS)


def test_values_that_yaml_reads_as_a_number_are_refused(tmp_path):
    case = "rules: [costs]\ncases:\n  - {name: hexadecimal, series: {up: 0x80}}\n"
    (tmp_path / "cases.yaml").write_text(case, encoding="utf-8")
    with pytest.raises(ConfigError, match=r"cases\.yaml: cases\.0\.series\.up: Input should be a valid string"):
        read_cases(tmp_path)


def test_committed_files_are_what_the_slo_file_makes(capsys):
    assert main(["--check"]) == 0, capsys.readouterr().err


def test_check_names_what_is_stale_and_how_it_is_written_again(tmp_path, capsys):
    assert main(["--to", str(tmp_path)]) == 0
    (tmp_path / "costs.yaml").write_text("groups: []\n", encoding="utf-8")
    (tmp_path / "models.yaml").unlink()
    assert main(["--to", str(tmp_path), "--check"]) == 1
    said = capsys.readouterr().err.splitlines()
    assert said == [
        f"{tmp_path}/models.yaml: is not there; write it again with {COMMAND}",
        f"{tmp_path}/costs.yaml: is not what it would be made of; write it again with {COMMAND}",
    ]


def test_a_mistake_in_the_slo_file_is_bad_input_and_writes_nothing(tmp_path, capsys):
    (tmp_path / "slo.yaml").write_text("window_day: 3\n", encoding="utf-8")
    assert main(["--slo", str(tmp_path / "slo.yaml"), "--to", str(tmp_path / "rules")]) == 2
    assert "unknown key window_day; did you mean window_days?" in capsys.readouterr().err
    assert not (tmp_path / "rules").exists()


@pytest.mark.parametrize("alert", ALL_ALERTS.values(), ids=ALL_ALERTS)
def test_an_alert_says_how_grave_it_is_and_what_to_do_in_sentences(alert: Alert):
    written = alert.as_yaml(PAGE_URL)
    assert written["labels"]["severity"] in {"page", "ticket"}
    for name in ("description", "action"):
        assert written["annotations"][name].endswith("."), name
    assert not alert.summary.endswith(".")
    assert len(alert.summary) <= 120
    assert not re.search(r"\$(?!labels\.\w+ \}\})", alert.summary + alert.action), (
        "only labels, for the tests fill them in"
    )
    assert "$value" in alert.description or alert.name == "TargetsAbsent"  # whose value says nothing


@pytest.mark.parametrize("alert", ALL_ALERTS.values(), ids=ALL_ALERTS)
def test_an_alerts_panel_is_one_that_there_is(alert: Alert):
    for url in alert.panel.urls(PAGE_URL).values():
        dashboard, panel = url.removeprefix(f"{PAGE_URL}/").split("#")
        assert panel_ids()[panel] == dashboard


def headings() -> list[str]:
    return re.findall(r"^## (\S+)$", RUNBOOKS.read_text(encoding="utf-8"), flags=re.MULTILINE)


def sections() -> dict[str, str]:
    parts = re.split(r"^## ", RUNBOOKS.read_text(encoding="utf-8"), flags=re.MULTILINE)[1:]
    return {part.partition("\n")[0]: part for part in parts}


def test_every_alert_has_a_runbook_and_every_runbook_an_alert():
    assert sorted(headings()) == sorted([*ALERTS, *LOG_ALERTS])
    for alert in ALL_ALERTS.values():
        page, heading = alert.as_yaml(PAGE_URL)["annotations"]["runbook_url"].split("#")
        assert page == f"{PAGE_URL}/runbooks"
        assert heading in headings()


@pytest.mark.parametrize("alert", ALL_ALERTS.values(), ids=ALL_ALERTS)
def test_a_runbook_says_severity_impact_what_to_look_at_what_to_do_and_when_it_ends(alert: Alert):
    section = sections()[alert.name]
    assert section.partition("\n\n")[2].startswith(f"*{alert.severity.value}")
    for part in (r"\*\*Impact", r"[Ll]ook", r"\*\*Do:|and do\*\*", r"\*\*Ends\*\*"):
        assert re.search(part, section), part


def test_runbooks_send_their_reader_only_to_runbooks_that_there_are():
    named = set(re.findall(r"\b(?:[A-Z][a-z]+){2,}\b", RUNBOOKS.read_text(encoding="utf-8")))
    assert {
        name for name in named if name in ALL_ALERTS or name.endswith(("High", "Fast", "Slow", "Down", "Failed"))
    } <= set(ALL_ALERTS)


@needs_promtool
def test_every_expression_of_the_runbooks_is_promql(tmp_path):
    blocks = re.findall(r"```promql\n(.*?)```", RUNBOOKS.read_text(encoding="utf-8"), flags=re.DOTALL)
    lines = [line for block in blocks for line in block.splitlines()]
    rules = [{"record": f"line:{number}", "expr": line} for number, line in enumerate(lines)]
    (tmp_path / "rules.yaml").write_text(yaml.safe_dump({"groups": [{"name": "g", "rules": rules}]}), encoding="utf-8")
    done = promtool("check", "rules", "--lint=none", tmp_path / "rules.yaml")
    assert done.returncode == 0, done.stderr
    assert len(lines) > 30


def test_errors_of_ours_are_those_that_are_not_the_clients():
    clients = {
        "malformed", "unauthorized", "not_found", "method_not_allowed", "body_too_slow", "body_too_large",
        "invalid_input", "rate_limited", "client_gone",
    }  # fmt: skip
    assert set(OUR_ERRORS) - {OTHER} == set(CODES) - clients
    assert OTHER in OUR_ERRORS


def test_factors_are_those_of_the_workbooks_table_for_thirty_days():
    assert [(burn.factor(30), span(burn.long_seconds), span(burn.recent_seconds[0])) for burn in BURNS] == [
        (14.4, "1h", "5m"), (6.0, "6h", "30m"), (3.0, "1d", "2h"), (1.0, "3d", "6h"),
    ]  # fmt: skip
    assert [burn.severity for burn in BURNS] == [Severity.PAGE, Severity.PAGE, Severity.TICKET, Severity.TICKET]


def test_an_objective_that_does_not_page_makes_tickets_only():
    assert not LEVELS.reranked.pages
    assert ALERTS["RerankedBudgetBurnFast"].severity is Severity.TICKET
    assert ALERTS["AvailabilityBudgetBurnFast"].severity is Severity.PAGE


@pytest.mark.parametrize(
    ("seconds", "written"), [(90, "90s"), (300, "5m"), (21_600, "6h"), (259_200, "3d"), (5_400, "90m")]
)
def test_durations_are_written_as_prometheus_does(seconds: int, written: str):
    assert span(seconds) == written


def test_rules_files_are_made_the_same_each_time():
    assert rule_files(LEVELS) == rule_files(LEVELS)
