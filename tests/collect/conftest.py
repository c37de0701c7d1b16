"""Fixtures of the collect tests: S3 as MiniStack speaks it, on 127.0.0.1."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
import urllib.error
import urllib.request
import uuid
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import boto3
import pytest

from .parts import wait_until


@pytest.fixture(scope="session")
def s3_url(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The address of a MiniStack of this test process."""
    with socket.create_server(("127.0.0.1", 0)) as probe:
        port = probe.getsockname()[1]
    environment = {**os.environ, "BIND_HOST": "127.0.0.1", "GATEWAY_PORT": str(port), "LOG_LEVEL": "WARNING"}
    log = (tmp_path_factory.mktemp("ministack") / "log").open("w")
    program = str(Path(sys.executable).with_name("ministack"))
    with log, subprocess.Popen([program], env=environment, stdout=log, stderr=log) as process:
        url = f"http://127.0.0.1:{port}"
        wait_until(lambda: _answers(f"{url}/_ministack/health"), timeout_seconds=60)
        yield url
        process.terminate()
        process.wait(timeout=30)


def _answers(url: str) -> bool:
    try:
        urllib.request.urlopen(url, timeout=1).close()
    except (urllib.error.URLError, OSError):
        return False
    return True


@pytest.fixture
def aws_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    """Credentials that MiniStack takes, and no configuration of the developer's."""
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "tests")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "not-a-secret")
    monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")


@pytest.fixture
def s3(s3_url: str, aws_environment: None) -> Iterator[Any]:
    """A client for MiniStack's S3."""
    client = boto3.client("s3", endpoint_url=s3_url, region_name="us-east-1")
    yield client
    client.close()


@pytest.fixture
def bucket(s3: Any) -> str:
    """A bucket of the test's own."""
    name = f"bundles-{uuid.uuid4().hex[:12]}"
    s3.create_bucket(Bucket=name)
    return name
