"""Finding the monitoring programs, and starting those that were unpacked and not installed."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

from monitoring import tools
from retrieval.errors import ConfigError


def unpacked(folder: Path, *, pages: bool = True) -> Path:
    """A folder as Debian's package of Alertmanager leaves it, with a program that shows what it finds."""
    program = folder / "usr/bin/prometheus-alertmanager"
    program.parent.mkdir(parents=True)
    program.write_text('#!/bin/sh\ncat /usr/share/prometheus/page\necho "$@"\npwd\n')
    program.chmod(0o755)
    if pages:
        (folder / "usr/share/prometheus").mkdir(parents=True)
        (folder / "usr/share/prometheus/page").write_text("found\n")
    return program.parent


def test_a_program_is_found_under_either_of_its_names_in_the_folder_that_is_named(tmp_path: Path):
    (tmp_path / "alertmanager").write_text("#!/bin/sh\n")
    (tmp_path / "alertmanager").chmod(0o755)
    assert tools.find_tool(tools.ALERTMANAGER, tmp_path) == tmp_path / "alertmanager"


def test_a_program_that_is_nowhere_is_told_with_how_to_get_it(monkeypatch: pytest.MonkeyPatch, tmp_path: Path):
    monkeypatch.setenv("PATH", "")
    monkeypatch.chdir(tmp_path)
    with pytest.raises(ConfigError, match=r"promtool: not found in .*; run `make monitoring-tools`"):
        tools.tool(tools.PROMTOOL, tmp_path)


def test_an_unpacked_program_finds_its_pages_where_it_looks_for_them_and_keeps_its_folder_and_arguments(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr(tools, "_SHARE", tmp_path / "absent/prometheus")
    command = tools.command_of(tools.ALERTMANAGER, unpacked(tmp_path / "a b,c"))
    if command[0] != "unshare":
        pytest.skip("this system lets nobody have a mount namespace of its own")
    done = subprocess.run([*command, "--x=1", "two words"], cwd=tmp_path, capture_output=True, text=True, check=True)
    assert done.stdout.splitlines() == ["found", "--x=1 two words", str(tmp_path)]
    assert not Path("/usr/share/prometheus/page").exists()


def test_an_installed_program_and_one_without_pages_are_started_as_they_are(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    bare = unpacked(tmp_path / "bare", pages=False)
    assert tools.command_of(tools.ALERTMANAGER, bare) == [str(bare / "prometheus-alertmanager")]
    monkeypatch.setattr(tools, "_SHARE", tmp_path)  # there, as where the package is installed
    full = unpacked(tmp_path / "full")
    assert tools.command_of(tools.ALERTMANAGER, full) == [str(full / "prometheus-alertmanager")]


def test_where_no_namespace_is_allowed_a_program_is_started_as_it_is(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(tools, "_SHARE", tmp_path / "absent/prometheus")
    monkeypatch.setattr(tools, "_works", lambda _: False)
    folder = unpacked(tmp_path)
    assert tools.command_of(tools.ALERTMANAGER, folder) == [str(folder / "prometheus-alertmanager")]
