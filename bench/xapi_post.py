"""POST throughput of `/xAPI/statements` in batches of 100 over loopback, and its latency.

    python -m bench xapi_post

Starts a server in a process of its own over a new embedded warehouse, sends new statements of a realistic size over
connections that stay open, and checks at the end that the warehouse holds every statement that was answered with 200.
Client and server share the machine. With RALPH_URL, RALPH_USER and RALPH_PASSWORD set, the same requests go to a
running Ralph as well, and the ratio of the two rates is printed.
"""

from __future__ import annotations

import base64
import http.client
import json
import multiprocessing
import os
import subprocess
import sys
import tempfile
import time
import urllib.request
import uuid
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

E = "http://oli.cmu.edu/extensions/"


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


def send(url: str, headers: dict[str, str], seconds: float, batch: int, results: Any, ready: Any) -> None:
    """One client: POST batches for so many seconds; puts (statements, latencies in seconds, failures)."""
    address = urlsplit(url)
    connection = http.client.HTTPConnection(address.hostname or "", address.port, timeout=60)
    # made beforehand, with new ids before each use
    prepared = [json.dumps([statement(n * batch + k) for k in range(batch)]).encode() for n in range(5)]
    ready.wait()
    done, failures, latencies = 0, 0, []
    deadline = time.perf_counter() + seconds
    turn = 0
    while time.perf_counter() < deadline:
        body = _renewed(prepared[turn % len(prepared)], turn)
        turn += 1
        started = time.perf_counter()
        connection.request("POST", address.path, body, headers)
        answer = connection.getresponse()
        answer.read()
        latencies.append(time.perf_counter() - started)
        if answer.status == 200:
            done += batch
        else:
            failures += 1
    results.put((done, latencies, failures))


def _renewed(body: bytes, turn: int) -> bytes:
    """The batch with other ids: the last group of each is replaced."""
    tail = uuid.uuid4().hex[:6].encode()
    parts = body.split(b'{"id": "')
    return parts[0] + b"".join(
        b'{"id": "' + part[:24] + tail + b"%06x" % (turn * 1000 + n) + part[36:] for n, part in enumerate(parts[1:])
    )


def measure(url: str, headers: dict[str, str], *, seconds: float, clients: int, batch: int) -> dict[str, Any]:
    """The rate and latency of one server."""
    spawn = multiprocessing.get_context("spawn")
    results: Any = spawn.Queue()
    ready = spawn.Barrier(clients)
    _warm_up(url, headers, batch)
    workers = [spawn.Process(target=send, args=(url, headers, seconds, batch, results, ready)) for _ in range(clients)]
    for worker in workers:
        worker.start()
    gathered = [results.get() for _ in workers]
    for worker in workers:
        worker.join()
    latencies = sorted(latency for one in gathered for latency in one[1])
    statements = sum(one[0] for one in gathered)
    return {
        "statements": statements,
        "statements_per_second": round(statements / seconds),
        "requests": len(latencies),
        "failures": sum(one[2] for one in gathered),
        "p50_ms": round(latencies[len(latencies) // 2] * 1000, 1),
        "p99_ms": round(latencies[int(len(latencies) * 0.99)] * 1000, 1),
    }


def _warm_up(url: str, headers: dict[str, str], batch: int) -> None:
    """One request that is not measured: it opens what a server opens with its first."""
    request = urllib.request.Request(url, json.dumps([statement(0) for _ in range(batch)]).encode(), headers)
    urllib.request.urlopen(request, timeout=60).close()


def bench_schoolhouse(seconds: float, clients: int, batch: int) -> dict[str, Any]:
    """Our own server over a new embedded warehouse."""
    from schoolhouse.settings import load_settings
    from schoolhouse.warehouse.connection import open_warehouse

    with tempfile.TemporaryDirectory() as directory:
        described = Path(directory) / "settings.json"
        described.write_text(json.dumps({"data_dir": directory}))
        settings = load_settings(data_dir=Path(directory))
        # the engine opens for one process at a time, so this one leaves it alone until the server has stopped
        setup = "import sys; from bench.xapi_post import set_up; set_up(sys.argv[1])"
        subprocess.run([sys.executable, "-c", setup, directory], check=True)
        command = [sys.executable, "-m", "tests.collect.xapi_site", str(described)]
        with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as server:
            assert server.stdout is not None
            assert server.stdin is not None
            served = json.loads(server.stdout.readline())
            basic = base64.b64encode(f"tests:{served['secret']}".encode()).decode()
            found = measure(
                f"http://127.0.0.1:{served['port']}/xAPI/statements",
                {
                    "Authorization": f"Basic {basic}",
                    "Content-Type": "application/json",
                    "X-Experience-API-Version": "1.0.3",
                },
                seconds=seconds,
                clients=clients,
                batch=batch,
            )
            server.stdin.close()
            server.wait(timeout=60)
        with open_warehouse(settings, role="reader") as warehouse:
            stored = warehouse.ask("SELECT count() FROM raw_events FINAL", why="bench").value()
        answered = found["statements"] + batch  # with the one of the warm-up
        if stored != answered:
            raise SystemExit(f"{answered} statements were answered with 200, and {stored} are stored")
        return found


def set_up(directory: str) -> None:
    """Create the warehouse."""
    from schoolhouse.settings import load_settings
    from schoolhouse.warehouse import migrations
    from schoolhouse.warehouse.connection import open_warehouse

    with open_warehouse(load_settings(data_dir=Path(directory)), must_exist=False) as warehouse:
        migrations.up(warehouse)


def main(seconds: float = 10.0, clients: int = 16, batch: int = 100) -> None:
    found = {"schoolhouse": bench_schoolhouse(seconds, clients, batch)}
    if ralph := os.environ.get("RALPH_URL"):
        login = f"{os.environ['RALPH_USER']}:{os.environ['RALPH_PASSWORD']}"
        headers = {
            "Authorization": "Basic " + base64.b64encode(login.encode()).decode(),
            "Content-Type": "application/json",
            "X-Experience-API-Version": "1.0.3",
        }
        found["ralph"] = measure(f"{ralph}/xAPI/statements/", headers, seconds=seconds, clients=clients, batch=batch)
    for name, facts in found.items():
        print(f"{name}, {clients} clients, batches of {batch}:", *(f"{key}={value}" for key, value in facts.items()))
    if "ralph" in found:
        ratio = found["schoolhouse"]["statements_per_second"] / max(found["ralph"]["statements_per_second"], 1)
        print(f"schoolhouse / ralph: {ratio:.1f}")


if __name__ == "__main__":
    main()
