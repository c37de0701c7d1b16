"""Debian's Postgres server on a spare port, for tests. A test asks for `postgres_url`: an empty database of its own."""

from __future__ import annotations

import os
import shutil
import signal
import socket
import subprocess
import time
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

START_SECONDS = 30


class PostgresServer:
    """A server over a new cluster in `directory`, that can be killed and started again. `url` names no database."""

    def __init__(self, directory: Path, programs: Path) -> None:
        directory.mkdir(parents=True, exist_ok=True)
        self._programs = programs
        self._unprivileged: list[str] = []
        if os.geteuid() == 0:  # the server refuses to run as root
            shutil.chown(directory, "postgres", "postgres")
            for parent in directory.parents:  # pytest's directories are closed to others
                if parent.stat().st_uid == 0 and parent not in {Path("/"), Path("/tmp")}:
                    parent.chmod(parent.stat().st_mode | 0o011)
            self._unprivileged = ["setpriv", "--reuid=postgres", "--regid=postgres", "--clear-groups"]
        data, self._port = directory / "data", _free_port()
        self.url = f"postgresql://schoolhouse@127.0.0.1:{self._port}"
        subprocess.run(
            [*self._unprivileged, programs / "initdb", "-D", data, "-U", "schoolhouse", "-A", "trust", "--no-sync"],
            check=True,
            capture_output=True,
            cwd="/",
        )
        options = ["-c", "listen_addresses=127.0.0.1", "-c", f"unix_socket_directories={directory}", "-c", "fsync=off"]
        self._command = [programs / "postgres", "-D", data, "-p", str(self._port), *options]
        self.start()

    def start(self) -> None:
        """Start it; after a kill, it recovers from its log first."""
        deadline = time.monotonic() + START_SECONDS
        self._process = self._started()
        ask = [self._programs / "pg_isready", "-q", "-h", "127.0.0.1", "-p", str(self._port), "-U", "schoolhouse"]
        while subprocess.run(ask, check=False).returncode != 0:
            if time.monotonic() > deadline:
                raise RuntimeError("the test's Postgres server did not start")
            if self._process.poll() is not None:  # what a killed one has left behind may hold its memory for a moment
                self._process = self._started()
            time.sleep(0.1)

    def _started(self) -> subprocess.Popen[bytes]:
        return subprocess.Popen(
            [*self._unprivileged, *self._command], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, cwd="/"
        )

    def kill(self) -> None:
        """End it as a crash does: its other processes end when they see that it is gone."""
        self._process.kill()
        self._process.wait()

    def close(self) -> None:
        """Stop it, cutting every connection."""
        self._process.send_signal(signal.SIGINT)
        self._process.wait(30)


@contextmanager
def running_postgres(directory: Path) -> Iterator[PostgresServer]:
    """A server for a while; skips the test where none is installed."""
    programs = _programs()
    if programs is None:
        pytest.skip("no Postgres server is installed (Debian: apt-get install postgresql)")
    server = PostgresServer(directory, programs)
    yield server
    server.close()


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
