"""Notices at the end of a run: told once, tried again where the receiver is away, and without secrets."""

from __future__ import annotations

import json
import threading
from base64 import b64encode
from collections.abc import Iterator
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from typing import Any

import pytest
from pydantic import SecretStr
from sqlalchemy import Engine

from schoolhouse.backfill.notices import tell_of_ended_runs
from schoolhouse.backfill.requests import read_request
from schoolhouse.backfill.runs import act_on_run, create_run
from schoolhouse.database import open_database
from schoolhouse.settings import Settings, load_settings


@dataclass
class FakeReceiver:
    """A webhook's other end; refuses the first so many."""

    url: str = ""
    refuses: int = 0
    breaks_off: bool = False
    signed_in: str | None = None
    got: list[dict[str, Any]] = field(default_factory=list)


@pytest.fixture
def receiver() -> Iterator[FakeReceiver]:
    fake = FakeReceiver()

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
            fake.signed_in = self.headers["Authorization"]
            if fake.breaks_off:
                self.wfile.write(b"no HTTP\r\n\r\n")
                self.close_connection = True
                return
            is_refused = fake.refuses > 0
            fake.refuses -= is_refused
            if not is_refused:
                fake.got.append(body)
            self.send_response(500 if is_refused else 204)
            self.end_headers()

        def log_message(self, *_: object) -> None:
            pass

    with HTTPServer(("127.0.0.1", 0), Handler) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        fake.url = f"http://127.0.0.1:{server.server_address[1]}/secret-path"
        yield fake
        server.shutdown()


@pytest.fixture
def settings(tmp_path: Path, receiver: FakeReceiver) -> Settings:
    return load_settings(data_dir=tmp_path, backfill_webhook_url=receiver.url)


@pytest.fixture
def engine(settings: Settings) -> Iterator[Engine]:
    opened = open_database(settings)
    yield opened
    opened.dispose()


def ended(engine: Engine, settings: Settings) -> int:
    run = create_run(engine, settings, read_request("manual", {"s3_pattern": "s3://bucket/*"}), initiated_by="tests")
    act_on_run(engine, "manual", run["id"], "cancel")
    return int(run["id"])


def test_a_run_is_told_of_once(
    engine: Engine, settings: Settings, receiver: FakeReceiver, caplog: pytest.LogCaptureFixture
) -> None:
    first, second = ended(engine, settings), ended(engine, settings)
    create_run(engine, settings, read_request("manual", {"s3_pattern": "s3://bucket/*"}), initiated_by="tests")
    with caplog.at_level("INFO"):
        assert tell_of_ended_runs(engine, settings) == 2
    assert tell_of_ended_runs(engine, settings) == 0
    assert [(facts["kind"], facts["id"], facts["status"]) for facts in receiver.got] == [
        ("manual", first, "cancelled"),
        ("manual", second, "cancelled"),
    ]
    assert {"rows_written", "failed_objects", "finished_at", "error"} <= set(receiver.got[0])
    assert caplog.text.count("a backfill has ended") == 2


def test_a_receiver_that_fails_is_tried_again_five_times_in_all(
    engine: Engine, settings: Settings, receiver: FakeReceiver, caplog: pytest.LogCaptureFixture
) -> None:
    ended(engine, settings)
    receiver.refuses = 2
    for _ in range(4):
        tell_of_ended_runs(engine, settings)
    assert len(receiver.got) == 1
    ended(engine, settings)
    receiver.refuses = 9
    for _ in range(8):
        tell_of_ended_runs(engine, settings)
    assert receiver.refuses == 4
    assert "secret-path" not in caplog.text


def test_user_and_password_of_the_url_go_into_the_header_alone(
    engine: Engine, settings: Settings, receiver: FakeReceiver
) -> None:
    url = receiver.url.replace("://", "://us%40er:pa%2Fss:word@")
    ended(engine, settings)
    assert tell_of_ended_runs(engine, settings.model_copy(update={"backfill_webhook_url": SecretStr(url)})) == 1
    assert receiver.signed_in == f"Basic {b64encode(b'us@er:pa/ss:word').decode()}"
    assert len(receiver.got) == 1


def test_an_answer_that_is_no_http_is_a_try_that_failed(
    engine: Engine, settings: Settings, receiver: FakeReceiver
) -> None:
    ended(engine, settings)
    receiver.breaks_off = True
    tell_of_ended_runs(engine, settings)
    receiver.breaks_off = False
    assert tell_of_ended_runs(engine, settings) == 1
    assert len(receiver.got) == 1


def test_a_url_that_cannot_be_spoken_to_is_told_without_its_secrets(
    engine: Engine, settings: Settings, caplog: pytest.LogCaptureFixture
) -> None:
    ended(engine, settings)
    url = SecretStr("http://user:s3cret/word@hooks.example/x")  # a slash that ought to be %2F
    with caplog.at_level("INFO"):
        tell_of_ended_runs(engine, settings.model_copy(update={"backfill_webhook_url": url}))
    assert "the webhook did not take a notice" in caplog.text
    assert "s3cret" not in "".join(f"{record.__dict__}" for record in caplog.records)
