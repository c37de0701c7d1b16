"""POST throughput of `/xAPI/statements` in batches of 100 over loopback, and its latency, beside Ralph's in one run.

    python -m bench xapi_post

Starts a server in a process of its own over a new embedded warehouse, then one over the ClickHouse stand-in, then Ralph
5.1 from PyPI (in an environment of its own, built the first time) with its ClickHouse backend over the same stand-in.
Each gets new statements of a realistic size over connections that stay open. At the end the warehouse must hold every
statement that was answered with 200. Client and server share the machine.
"""

from __future__ import annotations

import base64
import itertools
import json
import multiprocessing
import re
import socket
import subprocess
import sys
import tempfile
import threading
import time
import urllib.request
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import SplitResult, urlsplit

from tests.conftest import ROOT
from tests.ralph import PASSWORD, TABLE, USER, Store, install_ralph, running_ralph

E = "http://oli.cmu.edu/extensions/"
PROMISED_RATIO = 10
_END_OF_HEAD = re.compile(rb"\r\ncontent-length: (\d+)(?:\r\n[^\r\n]+)*\r\n\r\n", re.IGNORECASE)
PROCESSES = 2  # that the clients are spread over


@dataclass(frozen=True)
class Load:
    """How much is sent: by so many clients at a time, so many statements in each request, for so long."""

    seconds: float
    clients: int
    batch: int


def statement(number: int) -> dict[str, Any]:
    """A part attempt as OLI Torus writes it, with an id, some 1.4 kB."""
    scope = ("section_id", "project_id", "publication_id", "enrollment_id", "page_id", "activity_id")
    extensions: dict[str, Any] = {E + name: number % 50 + n for n, name in enumerate(scope)}
    extensions |= {E + f"{name}_attempt_number": 1 for name in ("page", "activity", "part")}
    extensions |= {E + f"{name}_attempt_guid": uuid.uuid4().hex for name in ("page", "activity", "part")}
    return {
        "id": str(uuid.uuid4()),
        "actor": {"account": {"homePage": "https://campus.example", "name": str(number % 5000)}},
        "verb": {"id": "http://adlnet.gov/expapi/verbs/completed", "display": {"en-US": "completed"}},
        "object": {
            "objectType": "Activity",
            "id": f"https://campus.example/part_attempt/{number}",
            "definition": {
                "type": "http://adlnet.gov/expapi/activities/question",
                "name": {"en-US": "Part attempt"},
            },
        },
        "result": {
            "score": {"scaled": 0.5, "raw": 1, "min": 0, "max": 2},
            "success": True,
            "completion": True,
            "response": "b",
            "extensions": {E + "feedback": {"text": "Almost."}},
        },
        "context": {"extensions": extensions},
        "timestamp": "2026-08-01T12:00:00Z",
    }


@dataclass
class Sent:
    """What clients sent and what became of it."""

    statements: int = 0
    failures: int = 0
    latencies: list[float] = field(default_factory=list)  # seconds


def send(url: str, headers: dict[str, str], load: Load, results: Any, ready: Any) -> None:
    """A share of the clients, each in a thread with a connection of its own; puts one `Sent`."""
    sent = Sent()
    # made beforehand, with new ids before each use
    prepared = [json.dumps([statement(n * load.batch + k) for k in range(load.batch)]).encode() for n in range(5)]
    clients = [
        threading.Thread(target=_send_batches, args=(url, headers, load, prepared, sent))
        for _ in range(load.clients // PROCESSES)
    ]
    ready.wait()
    for client in clients:
        client.start()
    for client in clients:
        client.join()
    results.put(sent)


def _send_batches(url: str, headers: dict[str, str], load: Load, prepared: list[bytes], sent: Sent) -> None:
    address = urlsplit(url)
    deadline = time.perf_counter() + load.seconds
    with socket.create_connection((address.hostname, address.port), timeout=60) as connection:
        connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        for body in itertools.cycle(prepared):
            renewed = _renewed(body)
            request = _head(address, headers, len(renewed)) + renewed
            started = time.perf_counter()
            if started >= deadline:
                break
            connection.sendall(request)
            status = _read_status(connection)
            sent.latencies.append(time.perf_counter() - started)
            if status == 200:
                sent.statements += load.batch
            else:
                sent.failures += 1


# http.client would take as much of the machine for a request as some of the servers do.
def _head(address: SplitResult, headers: dict[str, str], length: int) -> bytes:
    lines = [f"POST {address.path} HTTP/1.1", f"Host: {address.netloc}", f"Content-Length: {length}"]
    return "\r\n".join([*lines, *(f"{name}: {value}" for name, value in headers.items()), "", ""]).encode()


def _read_status(connection: socket.socket) -> int:
    """The status of an answer, which is read to its end."""
    answer = b""
    while not (found := _END_OF_HEAD.search(answer)) or len(answer) < found.end() + int(found[1]):
        piece = connection.recv(65536)
        if not piece:
            raise ConnectionError(f"The server hung up after {answer!r}")
        answer += piece
    return int(answer[9:12])


def _renewed(body: bytes) -> bytes:
    """The batch with other ids: the last group of each is replaced."""
    tail = uuid.uuid4().hex[:9].encode()  # so much of it that no two requests of a run are alike
    parts = body.split(b'{"id": "')
    return parts[0] + b"".join(
        b'{"id": "' + part[:24] + tail + b"%03x" % n + part[36:] for n, part in enumerate(parts[1:])
    )


def measure(url: str, headers: dict[str, str], load: Load) -> dict[str, Any]:
    """The rate and latency of one server."""
    spawn = multiprocessing.get_context("spawn")
    results: Any = spawn.Queue()
    ready = spawn.Barrier(PROCESSES + 1)
    _warm_up(url, headers, load.batch)
    workers = [spawn.Process(target=send, args=(url, headers, load, results, ready)) for _ in range(PROCESSES)]
    for worker in workers:
        worker.start()
    ready.wait()
    started = time.perf_counter()
    gathered: list[Sent] = [results.get() for _ in workers]
    seconds = time.perf_counter() - started  # until the last answer is in
    for worker in workers:
        worker.join()
    latencies = sorted(latency for sent in gathered for latency in sent.latencies)
    statements = sum(sent.statements for sent in gathered)
    return {
        "statements": statements,
        "statements_per_second": round(statements / seconds),
        "requests": len(latencies),
        "failures": sum(sent.failures for sent in gathered),
        "p50_ms": round(latencies[len(latencies) // 2] * 1000, 1),
        "p99_ms": round(latencies[int(len(latencies) * 0.99)] * 1000, 1),
    }


def _warm_up(url: str, headers: dict[str, str], batch: int) -> None:
    """One request that is not measured: it opens what a server opens with its first."""
    request = urllib.request.Request(url, json.dumps([statement(0) for _ in range(batch)]).encode(), headers)
    urllib.request.urlopen(request, timeout=60).close()


def bench_schoolhouse(load: Load, **store: Any) -> dict[str, Any]:
    """Our own server over a new warehouse: embedded, or on the ClickHouse server that `store` names."""
    from schoolhouse.settings import load_settings
    from schoolhouse.warehouse.connection import open_warehouse
    from schoolhouse.warehouse.statements import statement as sql

    with tempfile.TemporaryDirectory() as directory:
        described = Path(directory) / "settings.json"
        described.write_text(json.dumps({"data_dir": directory, **store}))
        # the engine opens for one process at a time, so this one leaves it alone until the server has stopped
        setup = "import sys; from bench.xapi_post import set_up; set_up(sys.argv[1])"
        subprocess.run([sys.executable, "-c", setup, str(described)], check=True)
        command = [sys.executable, "-m", "tests.collect.xapi_site", str(described)]
        with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as server:
            assert server.stdout is not None
            assert server.stdin is not None
            served = json.loads(server.stdout.readline())
            found = measure(
                f"http://127.0.0.1:{served['port']}/xAPI/statements", headers("tests", served["secret"]), load
            )
            server.stdin.close()
            server.wait(timeout=60)
        with open_warehouse(load_settings(data_dir=Path(directory), **store), role="reader") as warehouse:
            stored = warehouse.ask(sql("count_events"), why="bench").value()
        answered = found["statements"] + load.batch  # with the one of the warm-up
        if stored != answered:
            raise SystemExit(f"{answered} statements were answered with 200, and {stored} are stored")
        return found


def bench_ralph(load: Load, server: tuple[str, int]) -> dict[str, Any]:
    """Ralph over the ClickHouse server."""
    from schoolhouse.settings import load_settings
    from schoolhouse.warehouse.connection import open_warehouse

    host, port = server
    settings = load_settings(clickhouse_host=host, clickhouse_port=port, clickhouse_database="ralph")
    with open_warehouse(settings, must_exist=False) as warehouse:
        warehouse.run(TABLE.format(database="ralph"), why="bench")
    programs = install_ralph(ROOT / ".venv-ralph")
    with (
        tempfile.TemporaryDirectory() as folder,
        running_ralph(programs, Store(host, port, "ralph"), Path(folder)) as url,
    ):
        return measure(f"{url}/", headers(USER, PASSWORD), load)


def headers(user: str, password: str) -> dict[str, str]:
    """What each request carries."""
    return {
        "Authorization": "Basic " + base64.b64encode(f"{user}:{password}".encode()).decode(),
        "Content-Type": "application/json",
        "X-Experience-API-Version": "1.0.3",
    }


@contextmanager
def stand_in() -> Iterator[tuple[str, int]]:
    """Host and port of a ClickHouse stand-in."""
    with tempfile.TemporaryDirectory() as directory:
        command = [sys.executable, "-m", "tests.clickhouse_stand_in", "--stop-with-stdin", "--path", directory]
        with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
            assert process.stdin is not None
            assert process.stdout is not None
            yield "127.0.0.1", int(process.stdout.readline())
            process.stdin.close()
            process.wait(timeout=60)


def set_up(described: str) -> None:
    """Create the warehouse."""
    from schoolhouse.settings import load_settings
    from schoolhouse.warehouse import migrations
    from schoolhouse.warehouse.connection import open_warehouse

    with open_warehouse(load_settings(**json.loads(Path(described).read_text())), must_exist=False) as warehouse:
        migrations.up(warehouse)


def main(seconds: float = 10.0, clients: int = 128, batch: int = 100) -> None:
    load = Load(seconds, clients, batch)
    found = {"schoolhouse, embedded": bench_schoolhouse(load)}
    with stand_in() as server:
        store = {"clickhouse_host": server[0], "clickhouse_port": server[1], "clickhouse_database": "xapi"}
        found["schoolhouse, server"] = bench_schoolhouse(load, **store)
        found["ralph, server"] = bench_ralph(load, server)
    for name, facts in found.items():
        print(f"{name}, {clients} clients, batches of {batch}:", *(f"{key}={value}" for key, value in facts.items()))
    theirs = max(found["ralph, server"]["statements_per_second"], 1)
    for name in ("schoolhouse, embedded", "schoolhouse, server"):
        ratio = found[name]["statements_per_second"] / theirs
        verdict = "kept" if ratio >= PROMISED_RATIO else "MISSED"
        print(f"{name} / ralph: {ratio:.1f} (promised {PROMISED_RATIO}: {verdict})")


if __name__ == "__main__":
    main()
