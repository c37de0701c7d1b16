"""`schoolhouse serve` as a process: it announces itself, holds the warehouse, and ends cleanly."""

from __future__ import annotations

import http.client
import json
import signal
import socket
import subprocess
import urllib.request
from collections.abc import Callable
from pathlib import Path
from urllib.parse import urlsplit

import pytest

from schoolhouse.settings import load_settings
from schoolhouse.warehouse.connection import Warehouse
from schoolhouse.web.running import FILE_NAME, ask_through_serve
from tests.cli.shell import Shell
from tests.web.conftest import ServeProcess, environment, schoolhouse

Start = Callable[..., ServeProcess]


def _run(data_dir: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        schoolhouse(*arguments),
        capture_output=True, text=True, cwd=data_dir, env=environment(data_dir), timeout=60, check=False,
    )  # fmt: skip


def test_serve_announces_itself_answers_and_ends_beside_an_open_connection(
    campus_dir: Path, start_serve: Start
) -> None:
    served = start_serve(campus_dir)
    facts = json.loads((campus_dir / FILE_NAME).read_text())
    assert (facts["address"], facts["pid"]) == (served.address, served.process.pid)
    answer = ask_through_serve(load_settings(data_dir=campus_dir), "SELECT count() FROM raw_events FINAL", "CSV")
    assert answer == b"205\n"
    connection = http.client.HTTPConnection(str(urlsplit(served.address).netloc), timeout=30)
    connection.request("GET", "/healthz")
    assert connection.getresponse().read()
    assert served.stop() == 0  # the connection is still open
    connection.close()
    assert not (campus_dir / FILE_NAME).exists()


def test_a_second_serve_hears_that_the_warehouse_is_held_and_ctrl_c_ends_the_first(
    campus_dir: Path, start_serve: Start
) -> None:
    served = start_serve(campus_dir)
    second = _run(campus_dir, "serve", "--port", "0")
    assert second.returncode == 1
    assert "is open in another process" in second.stderr
    assert "Traceback" not in second.stderr
    with urllib.request.urlopen(f"{served.address}/readyz") as answer:
        assert answer.status == 200
    served.process.send_signal(signal.SIGINT)
    assert served.process.wait(timeout=30) == 0
    assert not (campus_dir / FILE_NAME).exists()


def test_a_serve_that_was_killed_is_not_asked(campus_dir: Path, start_serve: Start) -> None:
    served = start_serve(campus_dir)
    served.process.kill()
    served.process.wait(timeout=30)
    assert (campus_dir / FILE_NAME).exists()
    assert ask_through_serve(load_settings(data_dir=campus_dir), "SELECT 1", "CSV") is None
    again = start_serve(campus_dir)
    assert ask_through_serve(load_settings(data_dir=campus_dir), "SELECT 1", "CSV") == b"1\n"
    assert again.stop() == 0


def test_serve_refuses_to_start_without_a_warehouse(tmp_path: Path) -> None:
    refused = Shell(tmp_path, SCHOOLHOUSE_DATA_DIR=str(tmp_path)).run("serve", "--port", "0", exit_code=1)
    assert "There is no warehouse in" in refused.stderr
    assert "schoolhouse warehouse setup" in refused.stderr
    assert not (tmp_path / FILE_NAME).exists()


@pytest.mark.parametrize("handle", ["embedded"], indirect=True)
def test_serve_refuses_to_start_while_migrations_are_pending(warehouse: Warehouse, tmp_path: Path) -> None:
    names = {"SCHOOLHOUSE_DATA_DIR": str(warehouse.settings.data_dir), "CLICKHOUSE_DATABASE": warehouse.database}
    refused = Shell(tmp_path, **names).run("serve", "--port", "0", exit_code=1)
    assert "migrations have not run" in refused.stderr


@pytest.mark.slow
@pytest.mark.parametrize(("host", "says"), [("127.0.0.1", "in use"), ("no.such.host.invalid", "Cannot listen on")])
def test_an_address_that_cannot_be_listened_on_is_bad_usage(campus_dir: Path, host: str, says: str) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        refused = _run(campus_dir, "serve", "--host", host, "--port", str(taken.getsockname()[1]))
    assert refused.returncode == 2
    assert says in refused.stderr
    assert "Traceback" not in refused.stderr


@pytest.mark.slow
@pytest.mark.parametrize("way", ["--host=0.0.0.0", "SCHOOLHOUSE_PUBLIC_URL"])
def test_serve_reaches_nobody_beyond_this_machine_before_there_are_accounts(campus_dir: Path, way: str) -> None:
    arguments, variables = ([way], {}) if way.startswith("--") else ([], {way: "https://learn.example"})
    refused = subprocess.run(
        schoolhouse("serve", "--port", "0", *arguments),
        capture_output=True, text=True, cwd=campus_dir, env={**environment(campus_dir), **variables},
        timeout=60, check=False,
    )  # fmt: skip
    assert refused.returncode == 2
    assert "There are no accounts yet" in refused.stderr
    assert "schoolhouse user add" in refused.stderr
