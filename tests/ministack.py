"""MiniStack, which speaks AWS's S3 and SQS, as a process on 127.0.0.1."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

START_SECONDS = 60


@dataclass(frozen=True)
class Aws:
    """MiniStack's address, and AWS's clients for it."""

    url: str
    s3: Any
    sqs: Any


@contextmanager
def running_ministack(directory: Path) -> Iterator[str]:
    """A MiniStack that logs into `directory`; gives its address."""
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    environment = {**os.environ, "BIND_HOST": "127.0.0.1", "GATEWAY_PORT": str(port), "LOG_LEVEL": "WARNING"}
    program = str(Path(sys.executable).with_name("ministack"))
    with (
        (directory / "log").open("w") as log,
        subprocess.Popen([program], env=environment, stdout=log, stderr=log) as process,
    ):
        url = f"http://127.0.0.1:{port}"
        try:
            wait_until_it_answers(f"{url}/_ministack/health")
            yield url
        finally:  # else leaving the block would wait for ever
            process.terminate()
            process.wait(timeout=30)


def wait_until_it_answers(url: str) -> None:
    """Wait for a server that has just been started."""
    deadline = time.monotonic() + START_SECONDS
    while True:
        try:
            urllib.request.urlopen(url, timeout=1).close()
        except (urllib.error.URLError, OSError):
            if time.monotonic() > deadline:
                raise TimeoutError(url) from None
            time.sleep(0.1)
        else:
            return
