"""Debian's Postgres server on a spare port, for tests. A test asks for `postgres_url`: an empty database of its own."""

from __future__ import annotations

import os
import shutil
import socket
import subprocess
import time
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

START_SECONDS = 30


@contextmanager
def running_postgres(directory: Path) -> Iterator[str]:
    """A server over a new cluster in `directory`; gives its URL without a database name."""
    programs = _programs()
    if programs is None:
        pytest.skip("no Postgres server is installed (Debian: apt-get install postgresql)")
    directory.mkdir(parents=True, exist_ok=True)
    unprivileged: list[str] = []
    if os.geteuid() == 0:  # the server refuses to run as root
        shutil.chown(directory, "postgres", "postgres")
        for parent in directory.parents:  # pytest's directories are closed to others
            if parent.stat().st_uid == 0 and parent not in {Path("/"), Path("/tmp")}:
                parent.chmod(parent.stat().st_mode | 0o011)
        unprivileged = ["setpriv", "--reuid=postgres", "--regid=postgres", "--clear-groups"]
    data, port = directory / "data", _free_port()
    subprocess.run(
        [*unprivileged, programs / "initdb", "-D", data, "-U", "schoolhouse", "-A", "trust", "--no-sync"],
        check=True,
        capture_output=True,
        cwd="/",
    )
    options = ["-c", "listen_addresses=127.0.0.1", "-c", f"unix_socket_directories={directory}", "-c", "fsync=off"]
    server = subprocess.Popen(
        [*unprivileged, programs / "postgres", "-D", data, "-p", str(port), *options],
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        cwd="/",
    )
    try:
        _wait_until_it_answers(programs, port, server)
        yield f"postgresql://schoolhouse@127.0.0.1:{port}"
    finally:
        server.send_signal(2)  # fast shutdown
        server.wait(30)


def new_database(server_url: str) -> str:
    """Create an empty database on the server and give its URL."""
    import psycopg

    name = f"test_{uuid.uuid4().hex[:12]}"
    with psycopg.connect(f"{server_url}/postgres", autocommit=True) as connection:
        connection.execute(f'CREATE DATABASE "{name}"')
    return f"{server_url}/{name}"


def _programs() -> Path | None:
    newest_first = sorted(Path("/usr/lib/postgresql").glob("*/bin/initdb"), reverse=True)
    if newest_first:
        return newest_first[0].parent
    found = shutil.which("initdb")
    return Path(found).parent if found else None


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def _wait_until_it_answers(programs: Path, port: int, server: subprocess.Popen[bytes]) -> None:
    deadline = time.monotonic() + START_SECONDS
    ask = [programs / "pg_isready", "-q", "-h", "127.0.0.1", "-p", str(port), "-U", "schoolhouse"]
    while subprocess.run(ask, check=False).returncode != 0:
        if server.poll() is not None or time.monotonic() > deadline:
            raise RuntimeError("the test's Postgres server did not start")
        time.sleep(0.1)
