"""Grafana's files: as the definition says, and what Grafana demands of them, as far as that is known without one."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import yaml

from monitoring.dashboards.command import FOLDER, main
from monitoring.dashboards.definition import all_dashboards
from monitoring.dashboards.panels import Kind

PROVISIONING = FOLDER.parent / "provisioning"
NAMES = [dashboard.id for dashboard in all_dashboards()]
COLUMNS = 24


@pytest.fixture(params=NAMES)
def written(request: pytest.FixtureRequest) -> dict[str, Any]:
    return json.loads((FOLDER / f"{request.param}.json").read_text(encoding="utf-8"))


def panels_of(written: dict[str, Any]) -> list[dict[str, Any]]:
    return [panel for panel in written["panels"] if panel["type"] != "row"]


def test_the_files_are_those_of_the_definition(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["--check"]) == 0, capsys.readouterr().err


def test_a_stale_missing_or_left_over_file_is_named_and_writing_mends_it(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main([], tmp_path) == 0
    assert main(["--check"], tmp_path) == 0
    (tmp_path / "overview.json").write_text("{}", encoding="utf-8")
    (tmp_path / "pipeline.json").unlink()
    (tmp_path / "former.json").write_text("{}", encoding="utf-8")
    assert main(["--check"], tmp_path) == 1
    said = capsys.readouterr().err
    assert all(f"{name}.json" in said for name in ("overview", "pipeline", "former"))
    assert "bi-encoder.json" not in said
    assert main([], tmp_path) == 0
    assert main(["--check"], tmp_path) == 0


def test_importing_the_definition_takes_no_builder_of_grafanas_along() -> None:
    code = "import sys, monitoring.dashboards; print([name for name in sys.modules if 'grafana' in name])"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout == "[]\n"


def test_the_uid_is_the_dashboards_id_and_nothing_is_numbered_by_a_server(written: dict[str, Any]) -> None:
    assert written["uid"] in NAMES
    assert "id" not in written
    assert written["title"]
    assert written["schemaVersion"] >= 36
    assert written["editable"] is False
    assert any(link.get("url", "").endswith("/runbooks") for link in written["links"])


def test_panels_lie_in_the_grid_beside_each_other(written: dict[str, Any]) -> None:
    taken: dict[tuple[int, int], str] = {}
    for panel in written["panels"]:
        at = panel["gridPos"]
        assert at["w"] > 0
        assert at["h"] > 0
        assert 0 <= at["x"] <= at["x"] + at["w"] <= COLUMNS
        for x in range(at["x"], at["x"] + at["w"]):
            for y in range(at["y"], at["y"] + at["h"]):
                assert (x, y) not in taken, f"{panel['title']} lies on {taken[x, y]}"
                taken[x, y] = panel["title"]
    ids = [panel["id"] for panel in written["panels"]]
    assert len(ids) == len(set(ids))


def test_every_query_asks_the_data_source_that_was_chosen(written: dict[str, Any]) -> None:
    variables = {one["name"]: one for one in written["templating"]["list"]}
    for panel in panels_of(written):
        for target in panel["targets"]:
            source = target["datasource"]
            name = source["uid"].removeprefix("${").removesuffix("}")
            assert source["uid"] == f"${{{name}}}" == panel["datasource"]["uid"]
            assert variables[name]["type"] == "datasource"
            assert variables[name]["query"] == source["type"] == panel["datasource"]["type"]
        assert len({target["refId"] for target in panel["targets"]}) == len(panel["targets"])
    for one in variables.values():
        if one["type"] == "query":
            assert one["datasource"]["uid"] == "${datasource}"
            assert one["allValue"] == ".*"


def test_every_panel_has_description_unit_threshold_and_a_word_for_nothing(written: dict[str, Any]) -> None:
    for panel in panels_of(written):
        defaults = panel["fieldConfig"]["defaults"]
        assert len(panel["description"]) > 40
        assert defaults["unit"]
        assert defaults["noValue"]
        first, *others = defaults["thresholds"]["steps"]
        assert first["value"] is None
        assert [one["value"] for one in others] == sorted(one["value"] for one in others)


def test_every_panel_and_query_of_the_definition_is_written(written: dict[str, Any]) -> None:
    (dashboard,) = [one for one in all_dashboards() if one.id == written["uid"]]
    found = [(panel["title"], [target["expr"] for target in panel["targets"]]) for panel in panels_of(written)]
    assert found == [(one.title, [query.expression for query in one.queries]) for one in dashboard.panels]
    types = {Kind.STAT: "stat", Kind.STATE: "state-timeline", Kind.HEATMAP: "heatmap", Kind.LOGS: "logs"}
    kinds = [types.get(one.kind, "timeseries") for one in dashboard.panels]
    assert [panel["type"] for panel in panels_of(written)] == kinds


def test_provisioning_names_the_sources_and_the_folder_of_the_dashboards() -> None:
    sources = yaml.safe_load((PROVISIONING / "datasources" / "datasources.yaml").read_text(encoding="utf-8"))
    assert {(one["uid"], one["type"]) for one in sources["datasources"]} == {
        ("prometheus", "prometheus"),
        ("loki", "loki"),
    }
    assert [one["name"] for one in sources["datasources"] if one.get("isDefault")] == ["Prometheus"]
    (provider,) = yaml.safe_load((PROVISIONING / "dashboards" / "dashboards.yaml").read_text())["providers"]
    assert provider["type"] == "file"
    assert provider["allowUiUpdates"] is False
    assert provider["options"]["path"].startswith("/")
