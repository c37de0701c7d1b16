"""A real Ralph server, from PyPI and in an environment of its own, takes a run over HTTP."""

from __future__ import annotations

import os
import socket
import subprocess
import venv
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.ministack import wait_until_it_answers
from tests.simulate.conftest import Aspects, example
from tests.simulate.test_load_db import load

pytestmark = pytest.mark.slow

# Ralph 5.1 imports requests for its login, and does not declare it.
PACKAGES = ("ralph-malph[backend-clickhouse,cli,lrs]==5.1.*", "requests")


@pytest.fixture(scope="module")
def ralph_directory(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Where Ralph is installed, or RALPH_TEST_VENV if that says so."""
    if found := os.environ.get("RALPH_TEST_VENV"):
        return Path(found)
    directory = tmp_path_factory.mktemp("ralph") / "venv"
    venv.create(directory, with_pip=True)
    subprocess.run([directory / "bin" / "pip", "install", "--quiet", *PACKAGES], check=True)
    return directory


@pytest.fixture
def ralph(ralph_directory: Path, aspects: Aspects, tmp_path: Path) -> Iterator[str]:
    """The address of a Ralph server that stores in the test's schema."""
    names = {
        "RALPH_APP_DIR": str(tmp_path),
        "RALPH_AUTH_FILE": str(tmp_path / "auth.json"),
        "RALPH_RUNSERVER_BACKEND": "clickhouse",
        "RALPH_BACKENDS__LRS__CLICKHOUSE__HOST": aspects.server.host,
        "RALPH_BACKENDS__LRS__CLICKHOUSE__PORT": str(aspects.server.port),
        "RALPH_BACKENDS__LRS__CLICKHOUSE__DATABASE": aspects.xapi,
        "RALPH_BACKENDS__LRS__CLICKHOUSE__EVENT_TABLE_NAME": "xapi_events_all",
    }
    environment = {**os.environ, **names}
    programs = ralph_directory / "bin"
    account = ["-u", "ralph", "-p", "secret", "-s", "all", "-N", "ralph", "-M", "mailto:ralph@schoolhouse.org", "-w"]
    subprocess.run([programs / "ralph", "auth", *account], env=environment, check=True, capture_output=True)
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    command = [programs / "python", "-m", "uvicorn", "ralph.api:app", "--host", "127.0.0.1", "--port", str(port)]
    log = (tmp_path / "ralph.log").open("w")
    with log, subprocess.Popen(command, env=environment, stdout=log, stderr=log) as process:
        wait_until_it_answers(f"http://127.0.0.1:{port}/__lbheartbeat__")
        yield f"http://127.0.0.1:{port}/xAPI/statements"
        process.terminate()
        process.wait(timeout=30)


def test_ralph_takes_a_run(monkeypatch: pytest.MonkeyPatch, aspects: Aspects, ralph: str) -> None:
    config = example("ralph_clickhouse.yaml") | aspects.keys | {"lrs_url": ralph}
    assert load(monkeypatch, config) == 0
    stored = aspects.rows("xapi_events_all", "event_id")
    assert len(stored) == len(set(stored)) == 3_000
    assert len(aspects.rows("external_id")) == 40
