"""Configurations of Alloy, Promtail and Loki, none of which can be had here: names, references and paths."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
import re2
import yaml

from monitoring.monitor.compose_files import TARGETS
from tests.helpers.alloy_syntax import AlloySyntaxError, Block, blocks_of, references
from tests.helpers.log_pipelines import CONFIG, CONTAINERS, LOKI, PROMTAIL, ROOT, RULES

COMPOSE = yaml.safe_load((ROOT / "monitoring/compose.yaml").read_text(encoding="utf-8"))


@dataclass(frozen=True)
class Known:
    """Of a component or block, from Alloy's reference: attributes it must and may have, blocks, and what it exports."""

    must: frozenset[str] = frozenset()
    may: frozenset[str] = frozenset()
    blocks: dict[str, Known] = field(default_factory=dict)
    exports: frozenset[str] = frozenset()


def known(must: str = "", may: str = "", exports: str = "", **blocks: Known) -> Known:
    named = {name.replace("__", "."): one for name, one in blocks.items()}
    return Known(frozenset(must.split()), frozenset(may.split()), named, frozenset(exports.split()))


STAGES = known(
    "forward_to",
    exports="receiver",
    stage__drop=known(may="drop_counter_reason expression longer_than older_than separator source value"),
    stage__json=known("expressions", "drop_malformed source"),
    stage__label_keep=known(may="values"),
    stage__labels=known(may="values"),
    stage__regex=known("expression", "source labels_from_groups"),
    stage__structured_metadata=known(may="values"),
    stage__timestamp=known("format source", "action_on_failure fallback_formats location"),
)
COMPONENTS = {
    "discovery.docker": known("host", "refresh_interval port", "targets", filter=known("name values")),
    "discovery.relabel": known(
        "targets",
        exports="output rules",
        rule=known(may="action modulus regex replacement separator source_labels target_label"),
    ),
    "local.file_match": known("path_targets", "sync_period ignore_older_than", "targets"),
    "loki.process": STAGES,
    "loki.source.docker": known("host forward_to targets", "labels refresh_interval relabel_rules"),
    "loki.source.file": known("targets forward_to", "encoding tail_from_end"),
    "loki.write": known("", "external_labels max_streams", "receiver", endpoint=known("url", "batch_wait batch_size")),
}


def unknown(block: Block, reference: Known, inside: str = "") -> Iterator[str]:
    """What a block has that its reference does not, and the other way round."""
    name = f"{inside}{block.name}"
    yield from (f"{name}: no {one}" for one in reference.must - set(block.attributes))
    yield from (f"{name}: {one}?" for one in set(block.attributes) - reference.must - reference.may)
    for one in block.blocks:
        if one.name in reference.blocks:
            yield from unknown(one, reference.blocks[one.name], f"{name} ")
        else:
            yield f"{name}: {one.name}?"


@pytest.mark.parametrize("path", [CONFIG, CONTAINERS], ids=lambda path: path.name)
def test_alloys_components_have_only_what_they_know_and_each_reference_leads_to_an_export(path: Path):
    blocks = blocks_of(path.read_text(encoding="utf-8"))
    assert [fault for block in blocks for fault in unknown(block, COMPONENTS[block.name])] == []
    exports = {f"{one.name}.{one.label}.{export}" for one in blocks for export in COMPONENTS[one.name].exports}
    assert len({(one.name, one.label) for one in blocks}) == len(blocks)
    named = {one.path for one in references(blocks)}
    assert named <= exports
    unused = {one.rpartition(".")[0] for one in exports} - {one.rpartition(".")[0] for one in named}
    assert unused == set(), "nothing is given to these, or nothing takes what they give"


@pytest.mark.parametrize("path", [CONFIG, CONTAINERS], ids=lambda path: path.name)
def test_every_expression_is_re2(path: Path):
    text = path.read_text(encoding="utf-8")
    expressions = [one.attributes["expression"] for block in blocks_of(text) for one in block.blocks
                   if "expression" in one.attributes]  # fmt: skip
    assert len(expressions) == 4
    for expression in expressions:
        re2.compile(expression)


@pytest.mark.parametrize(
    ("broken", "said"),
    [
        ('a "b" {', "a name"),
        ("a {\n  b = [1, 2\n  ]\n}", "']' is expected"),
        ("a {\n  b = {c = 1\n  }\n}", "'}' is expected"),
        ("a {\n  b = 1 c = 2\n}", "a new line"),
        ("a {\n  b = 1\n  b = 2\n}", "one b only"),
        ("a {\n  b = 'x'\n}", "begins nothing"),
        ('a {\n  b = "x\n}', "begins nothing"),
        ("a {\n}\n}", "a name"),
        ("b = 1\n", "outside of blocks"),
    ],
)
def test_what_is_not_alloys_syntax_is_found(broken: str, said: str):
    with pytest.raises(AlloySyntaxError, match=re.escape(said)):
        blocks_of(broken)


def test_what_a_component_does_not_know_is_found():
    (block,) = blocks_of('loki.process "x" {\n  stage.jsn {\n  }\n  forward = []\n}')
    assert sorted(unknown(block, STAGES)) == [
        "loki.process: forward?",
        "loki.process: no forward_to",
        "loki.process: stage.jsn?",
    ]


def mounts(service: str) -> dict[str, str]:
    return {one.split(":")[1]: one.split(":")[0] for one in COMPOSE["services"][service]["volumes"]}


def test_containers_run_the_files_that_are_here():
    assert (ROOT / "monitoring" / mounts("alloy")["/etc/alloy/config.alloy"]).resolve() == CONTAINERS
    assert COMPOSE["services"]["alloy"]["command"][-1] == "/etc/alloy/config.alloy"
    assert (ROOT / "monitoring" / mounts("loki")["/etc/loki"]).resolve() == LOKI.parent
    assert COMPOSE["services"]["loki"]["command"] == ["-config.file=/etc/loki/loki.yaml"]


def test_logs_are_looked_for_in_the_containers_of_the_services_and_sent_to_loki():
    docker = {one.name: one for one in blocks_of(CONTAINERS.read_text(encoding="utf-8"))}
    (project,) = docker["discovery.docker"].blocks
    assert project.attributes["values"] == [f"com.docker.compose.project={COMPOSE['name']}"]
    kept = docker["discovery.relabel"].blocks[0].attributes["regex"]
    assert set(kept.split("|")) == {address.split(":")[0] for address in TARGETS.values()} <= set(COMPOSE["services"])
    assert docker["discovery.docker"].attributes["host"] == docker["loki.source.docker"].attributes["host"]
    assert docker["discovery.docker"].attributes["host"].removeprefix("unix://") in mounts("alloy")
    port = loki()["server"]["http_listen_port"]
    assert docker["loki.write"].blocks[0].attributes["url"] == f"http://loki:{port}/loki/api/v1/push"
    assert f"127.0.0.1:{port}:{port}" in COMPOSE["services"]["loki"]["ports"]


def test_on_this_machine_logs_are_sent_to_the_port_that_compose_opens():
    wanted = f"http://127.0.0.1:{loki()['server']['http_listen_port']}/loki/api/v1/push"
    (writes,) = [one for one in blocks_of(CONFIG.read_text(encoding="utf-8")) if one.name == "loki.write"]
    assert writes.blocks[0].attributes["url"] == wanted
    assert promtail()["clients"] == [{"url": wanted}]


def test_promtail_finds_the_same_containers():
    job = promtail()["scrape_configs"][1]
    docker = {one.name: one for one in blocks_of(CONTAINERS.read_text(encoding="utf-8"))}
    (found,) = job["docker_sd_configs"]
    assert found["host"] == docker["discovery.docker"].attributes["host"]
    assert found["filters"] == [docker["discovery.docker"].blocks[0].attributes]
    assert job["relabel_configs"] == [one.attributes for one in docker["discovery.relabel"].blocks]


def loki() -> dict[str, Any]:
    return yaml.safe_load(LOKI.read_text(encoding="utf-8"))


def promtail() -> dict[str, Any]:
    return yaml.safe_load(PROMTAIL.read_text(encoding="utf-8"))


def test_loki_keeps_what_alloy_sends_for_a_time_and_no_longer():
    config = loki()
    (schema,) = config["schema_config"]["configs"]
    assert (schema["store"], schema["schema"], schema["index"]["period"]) == ("tsdb", "v13", "24h")
    assert config["limits_config"]["allow_structured_metadata"] is True
    assert config["limits_config"]["retention_period"] == "720h"
    assert config["compactor"]["retention_enabled"] is True
    assert config["compactor"]["delete_request_store"] == schema["object_store"]  # without it Loki does not start
    assert config["analytics"]["reporting_enabled"] is False


def test_what_loki_writes_lies_in_its_volume_and_its_rules_where_they_are_mounted():
    config = loki()
    writes = [config["common"]["path_prefix"], config["common"]["storage"]["filesystem"]["chunks_directory"],
              config["compactor"]["working_directory"], config["ruler"]["rule_path"]]  # fmt: skip
    assert all(Path(one).is_relative_to("/loki") for one in writes)
    assert "/loki" in mounts("loki")
    folder = Path(config["ruler"]["storage"]["local"]["directory"])
    assert LOKI.parent / folder.relative_to("/etc/loki") == RULES
    assert config["common"]["storage"]["filesystem"]["rules_directory"] == str(folder)
    assert config["auth_enabled"] is False
    assert [one.name for one in RULES.iterdir()] == ["fake"]  # the name of the tenant where there are none
    assert all(one.suffix == ".yaml" for one in (RULES / "fake").iterdir())  # whatever lies there is read as rules


def test_loki_tells_alertmanager():
    port = COMPOSE["services"]["alertmanager"]["ports"][0].rpartition(":")[2]
    assert loki()["ruler"]["alertmanager_url"] == f"http://alertmanager:{port}"
