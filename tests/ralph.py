"""Ralph 5.1, a learning record store, from PyPI and in an environment of its own; it stores in a ClickHouse server."""

from __future__ import annotations

import os
import socket
import subprocess
import venv
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from tests.ministack import wait_until_it_answers

# Ralph 5.1 imports requests for its login, and does not declare it.
PACKAGES = ("ralph-malph[backend-clickhouse,cli,lrs]==5.1.*", "requests")
USER, PASSWORD = "ralph", "secret"
TABLE = """
    CREATE TABLE {database}.xapi_events_all (event_id UUID, emission_time DateTime64(6), event String)
    ENGINE = ReplacingMergeTree ORDER BY (emission_time, event_id)
"""


@dataclass(frozen=True)
class Store:
    """The ClickHouse database that holds Ralph's table."""

    host: str
    port: int
    database: str


def install_ralph(directory: Path) -> Path:
    """The programs of an environment with Ralph: the one that RALPH_TEST_VENV names, or a new one, made once."""
    if found := os.environ.get("RALPH_TEST_VENV"):
        return Path(found) / "bin"
    programs = directory / "bin"
    if not (programs / "ralph").exists():
        venv.create(directory, with_pip=True)
        subprocess.run([programs / "pip", "install", "--quiet", *PACKAGES], check=True)
    return programs


@contextmanager
def running_ralph(programs: Path, store: Store, folder: Path) -> Iterator[str]:
    """The address of a Ralph that keeps its files in `folder`, where USER may do everything."""
    names = {
        "RALPH_APP_DIR": str(folder),
        "RALPH_AUTH_FILE": str(folder / "auth.json"),
        "RALPH_RUNSERVER_BACKEND": "clickhouse",
        "RALPH_BACKENDS__LRS__CLICKHOUSE__HOST": store.host,
        "RALPH_BACKENDS__LRS__CLICKHOUSE__PORT": str(store.port),
        "RALPH_BACKENDS__LRS__CLICKHOUSE__DATABASE": store.database,
        "RALPH_BACKENDS__LRS__CLICKHOUSE__EVENT_TABLE_NAME": "xapi_events_all",
    }
    environment = {**os.environ, **names}
    account = ["-u", USER, "-p", PASSWORD, "-s", "all", "-N", "ralph", "-M", "mailto:ralph@schoolhouse.org", "-w"]
    subprocess.run([programs / "ralph", "auth", *account], env=environment, check=True, capture_output=True)
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    command = [programs / "python", "-m", "uvicorn", "ralph.api:app", "--host", "127.0.0.1", "--port", str(port)]
    with (
        (folder / "ralph.log").open("w") as log,
        subprocess.Popen([*command, "--no-access-log"], env=environment, stdout=log, stderr=log) as process,
    ):
        wait_until_it_answers(f"http://127.0.0.1:{port}/__lbheartbeat__")
        yield f"http://127.0.0.1:{port}/xAPI/statements"
        process.terminate()
        process.wait(timeout=30)
