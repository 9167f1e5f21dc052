"""A server that speaks S3, on loopback: moto's, in a process and an environment of its own.

What it needs does not go with the tested set (boto3 wants an older python-dateutil), so `.ci/run` installs it
apart and names it in `HEADSCRIPT_S3_SERVER`. No other that may be on the path is taken: moto 5.2.1 gives its
answer to an upload in parts another root than S3 does, which Arrow takes for an error (getmoto/moto#10055).
"""

from __future__ import annotations

import os
import socket
import subprocess
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager
from urllib.parse import quote

import pytest

from tests.servers.ports import free_port

SERVER = "HEADSCRIPT_S3_SERVER"  # the path of a moto_server
ENVIRONMENT = {
    "AWS_ACCESS_KEY_ID": "anyone",
    "AWS_SECRET_ACCESS_KEY": "anything",
    "AWS_EC2_METADATA_DISABLED": "true",
    "AWS_REGION": "us-east-1",
}
_BUCKET = "headscript"
_PATIENCE = 60.0  # seconds until it listens


@contextmanager
def bucket() -> Iterator[str]:
    """The URI of an empty folder of a bucket, as long as the block lasts."""
    command = os.environ.get(SERVER)
    if not command:
        pytest.skip(f'no S3 server; pip install "moto[server]==5.2.5" apart, and give its path as {SERVER}')
    port = free_port()
    server = subprocess.Popen(
        [command, "-H", "127.0.0.1", "-p", str(port)],
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    try:
        _wait_for(port)
        options = f"endpoint_override={quote(f'http://127.0.0.1:{port}', '')}&region=us-east-1"
        _make_bucket(options)
        yield f"s3://{_BUCKET}/attention?{options}"
    finally:
        server.kill()
        server.wait()


def _make_bucket(options: str) -> None:
    from pyarrow import fs

    os.environ.update(ENVIRONMENT)
    system, _ = fs.FileSystem.from_uri(f"s3://{_BUCKET}?{options}&allow_bucket_creation=true")
    system.create_dir(_BUCKET)


def _wait_for(port: int) -> None:
    end = time.monotonic() + _PATIENCE
    while time.monotonic() < end:
        with closing(socket.socket()) as tried:
            if tried.connect_ex(("127.0.0.1", port)) == 0:
                return
        time.sleep(0.1)
    raise TimeoutError(f"no S3 server listens on port {port}")
