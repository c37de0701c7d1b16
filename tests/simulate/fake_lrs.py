"""A fake of a learning record store: it takes statements, asks for a password, and fails when told to."""

from __future__ import annotations

import base64
import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any


class FakeLrs(ThreadingHTTPServer):
    """Keeps statements by id. `answers` are statuses to give before the honest ones."""

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.statements: dict[str, dict[str, Any]] = {}
        self.answers: list[int] = []
        self.takes_at_most = 1_000
        self.posts = 0
        self.lock = threading.Lock()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server_address[1]}/xAPI/statements"


class _Handler(BaseHTTPRequestHandler):
    server: FakeLrs
    protocol_version = "HTTP/1.1"

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers["Content-Length"]))
        with self.server.lock:
            self.server.posts += 1
            status = self.server.answers.pop(0) if self.server.answers else self._honest(body)
        self.send_response(status)
        self.send_header("Content-Length", "0")
        self.end_headers()

    def _honest(self, body: bytes) -> int:
        if self.headers["Authorization"] != "Basic " + base64.b64encode(b"ralph:secret").decode():
            return 401
        if self.server.posts > self.server.takes_at_most:
            return 400
        assert self.headers["X-Experience-API-Version"] == "1.0.3"
        for statement in json.loads(body):
            assert self.server.statements.setdefault(statement["id"], statement) == statement
        return 200

    def log_message(self, *_: object) -> None:
        """Quiet."""


@contextmanager
def fake_lrs() -> Iterator[FakeLrs]:
    with FakeLrs() as server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05})
        thread.start()
        yield server
        server.shutdown()
        thread.join()
