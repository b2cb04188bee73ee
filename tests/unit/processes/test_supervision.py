"""Servers whose supervisor is killed hard end too, by the system's signal or, where there is none, by a pipe."""

import os
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest

from retrieval.processes import servers, supervision
from retrieval.processes.servers import running, serve_until_interrupted, stop_without
from retrieval.processes.supervision import PIPE, end_with_parent, end_with_supervisor

ROOT = Path(__file__).parents[3]
PATIENCE_SECONDS = 60.0
SUPERVISOR = """
import sys, time
from pathlib import Path
from retrieval.processes import servers
if sys.argv[2] == "pipe":
    servers.end_with_parent = lambda parent: None
child = servers.started("child", [sys.executable, "-c", sys.argv[3]], 1, {}, Path(sys.argv[1]))
print(child.process.pid, flush=True)
time.sleep(600)
"""
ANY_COMMAND = "import time; time.sleep(600)"
OF_OURS = """\
import time
from retrieval.processes.supervision import end_with_supervisor
end_with_supervisor()
time.sleep(600)
"""


def alive(process):
    try:
        return "Z" not in Path(f"/proc/{process}/stat").read_text().rpartition(")")[2].split()[0]
    except OSError:
        return False


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="looks into Linux's /proc")
@pytest.mark.parametrize(("how", "child"), [("signal", ANY_COMMAND), ("pipe", OF_OURS)])
def test_a_child_ends_with_a_supervisor_that_is_killed_hard(tmp_path, how, child):
    with subprocess.Popen(
        [sys.executable, "-c", SUPERVISOR, str(tmp_path / "log"), how, child],
        stdout=subprocess.PIPE,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
    ) as supervisor:
        process = int(supervisor.stdout.readline())
        assert alive(process)
        supervisor.kill()
    ends = time.monotonic() + PATIENCE_SECONDS
    while alive(process):
        assert time.monotonic() < ends
        time.sleep(0.05)


def test_the_signal_is_not_asked_for_in_a_thread_that_may_end_before_the_process():
    found = []
    asking = threading.Thread(target=lambda: found.append(end_with_parent(os.getpid())))
    asking.start()
    asking.join()
    assert found == [None]


def test_a_server_that_is_watched_over_a_pipe_ends_as_others_do(tmp_path, monkeypatch):
    monkeypatch.setattr(servers, "end_with_parent", lambda _: None)
    said = "import time; print('up', flush=True); time.sleep(600)"
    waits = f"from retrieval.processes.supervision import end_with_supervisor; end_with_supervisor(); {said}"
    with running("child", [sys.executable, "-c", waits], 1, {"PYTHONPATH": str(ROOT)}, tmp_path / "log") as server:
        while "up" not in (tmp_path / "log").read_text():
            server.check()
    assert server.process.returncode == -signal.SIGTERM  # once, and not by force
    assert server.pipe.closed


@pytest.mark.parametrize("text", ["", "none", "-1", "987654"])
def test_a_service_without_a_supervisor_goes_on(text, monkeypatch):
    killed = []
    monkeypatch.setattr(supervision.os, "kill", lambda *call: killed.append(call))
    end_with_supervisor({PIPE: text})
    for thread in threading.enumerate():
        if thread.name == "supervisor":
            thread.join()
    assert killed == []


def test_serving_stops_when_whoever_started_it_is_gone():
    serve_until_interrupted([], [], [stop_without(os.getppid() + 1)])
    stop_without(os.getppid())()
