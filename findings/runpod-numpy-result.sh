#!/usr/bin/env bash
# A RunPod worker whose handler returns a numpy number posts no result at all and calls the job finished; NaN is posted as invalid JSON.
#
# The SDK turns the answer into JSON with json.dumps. A TypeError there is caught and logged ("Error while returning job result"), nothing is
# sent, "Finished." follows and the next job is taken: the platform and the caller wait until the job's time is up, and no job fails. NaN
# passes json.dumps as the bare word NaN, which strict readers (JavaScript's, Go's) refuse. Make plain Python numbers of the
# answer, and test it with json.dumps(..., allow_nan=False) inside the handler, where an exception does become a failed job.
#
# Seen with runpod 1.12.0, numpy 2.4.6 on Python 3.11 (a real worker loop against a stub of the job queue on this machine):
#   posted: plain {"output": {"score": 0.5}}, nan {"output": {"score": NaN}}, raises an error, last {"output": {"score": 0.5}}
#   never posted: numpy
set -euo pipefail
tmp=$(mktemp -d) && trap 'rm -rf "$tmp"' EXIT && cd "$tmp"
{ python3.11 -m venv venv && venv/bin/pip install --quiet runpod==1.12.0 numpy==2.4.6; } || exit 2
cat > worker.py <<'PY'
import numpy as np
import runpod


def handler(job: dict) -> dict:
    kind = job["input"]["kind"]
    if kind == "raises":
        raise ValueError("no score")
    return {"score": {"numpy": np.float32(0.5), "nan": float("nan")}.get(kind, 0.5)}


runpod.serverless.start({"handler": handler})
PY
venv/bin/python - <<'PY'
import json, os, subprocess, sys, threading, time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from importlib.metadata import version

kinds = ["plain", "nan", "numpy", "raises", "last"]
waiting = [{"id": kind, "input": {"kind": kind}} for kind in kinds]
posted: dict[str, str] = {}


class Queue(BaseHTTPRequestHandler):
    def do_GET(self) -> None:
        body = b""
        if waiting:
            job = waiting.pop(0)
            body = json.dumps([job] if "batch" in self.path else job).encode()
        else:
            time.sleep(0.2)
        self.reply(200 if body else 204, body)

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers["Content-Length"])).decode()
        posted[self.path.split("?")[0].strip("/")] = body
        self.reply(200, b"")

    def reply(self, status: int, body: bytes) -> None:
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_: object) -> None:
        pass


server = ThreadingHTTPServer(("127.0.0.1", 0), Queue)
threading.Thread(target=server.serve_forever, daemon=True).start()
address = f"http://127.0.0.1:{server.server_port}"
settings = {
    "RUNPOD_WEBHOOK_GET_JOB": f"{address}/take/$ID?x",
    "RUNPOD_WEBHOOK_POST_OUTPUT": f"{address}/$ID?x",
    **{name: "true" for name in ("RUNPOD_SKIP_AUTO_SYSTEM_CHECKS", "RUNPOD_SKIP_GPU_CHECK")},
    **{name: "stub" for name in ("RUNPOD_POD_ID", "RUNPOD_ENDPOINT_ID", "RUNPOD_AI_API_KEY")},
}
log = open("log", "w")
worker = subprocess.Popen([sys.executable, "worker.py"], env=os.environ | settings, stdout=log, stderr=log)
try:
    end = time.monotonic() + 60
    while "last" not in posted and time.monotonic() < end:
        time.sleep(0.1)
    time.sleep(2)  # for a late answer
finally:
    worker.kill()
    worker.wait()
said = {kind: "an error" if "error" in json.loads(body) else body for kind, body in posted.items()}
never = [kind for kind in kinds if kind not in posted]
print(f"runpod {version('runpod')}, numpy {version('numpy')}")
print("posted:", ", ".join(f"{kind} {body}" for kind, body in said.items()))
print("never posted:", *never)
plain, nan = ('{"output": {"score": %s}}' % score for score in (0.5, "NaN"))
wanted = {"plain": plain, "nan": nan, "raises": "an error", "last": plain}
sys.exit("the behaviour changed" if said != wanted or never != ["numpy"] else 0)
PY
