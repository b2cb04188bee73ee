"""Addresses of services as they are typed, and the files Prometheus reads them from."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from monitoring.monitor.targets import DEFAULTS, checked_target, chosen_targets, write_targets
from retrieval.errors import ConfigError


def test_nothing_typed_takes_where_make_serve_puts_them():
    assert chosen_targets({}) == {service: [address] for service, address in DEFAULTS.items()}


def test_replicas_stand_beside_each_other_and_none_leaves_a_service_out():
    typed = {"gateway": ["a:8100", "b:8100"], "cross-encoder": ["none"]}
    assert chosen_targets(typed) == {"gateway": ["a:8100", "b:8100"], "bi-encoder": ["127.0.0.1:8101"]}


@pytest.mark.parametrize(
    "text", ["", "host", "host:", ":80", "host:0", "host:65536", "http://host:80", "a b:80", "h:8x"]
)
def test_what_is_no_address_is_refused_by_its_option(text: str):
    with pytest.raises(ConfigError, match=r"--gateway: got .*; give HOST:PORT"):
        checked_target(text, "--gateway")


def test_an_ipv6_address_is_one():
    assert checked_target("[::1]:8100", "--gateway") == "[::1]:8100"


def test_files_are_what_prometheus_reads_and_one_without_targets_is_empty(tmp_path: Path):
    write_targets(tmp_path, {"gateway": ["a:1", "b:2"]})
    write_targets(tmp_path, {"gateway": ["a:1"]})
    found = {path.name: json.loads(path.read_text()) for path in tmp_path.iterdir()}
    assert found == {"gateway.json": [{"targets": ["a:1"]}], "bi-encoder.json": [], "cross-encoder.json": []}
