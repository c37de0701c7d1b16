"""What a webhook gets, and how its failures are named: by kind, never with the address."""

from __future__ import annotations

import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from schoolhouse import webhook

OK = b"HTTP/1.1 204 No Content\r\n\r\n"


@contextmanager
def answering(answer: bytes) -> Iterator[tuple[int, list[bytes]]]:
    """A port on which one request is taken and answered with these bytes; and what was asked."""
    asked: list[bytes] = []
    with socket.create_server(("127.0.0.1", 0)) as server:

        def serve() -> None:
            connection, _ = server.accept()
            with connection:
                while b"\r\n\r\n{" not in b"".join(asked):
                    asked.append(connection.recv(65536))
                connection.sendall(answer)

        thread = threading.Thread(target=serve)
        thread.start()
        yield server.getsockname()[1], asked
        thread.join()


def test_the_facts_go_as_json_and_the_password_in_a_header() -> None:
    with answering(OK) as (port, asked):
        assert webhook.send(f"http://ann:p%40ss@127.0.0.1:{port}/hook?k=1", {"kind": "deadline"}) == ""
    request = b"".join(asked)
    assert request.startswith(b"POST /hook?k=1 HTTP/1.1\r\n")
    assert b"\r\nAuthorization: Basic YW5uOnBAc3M=\r\n" in request
    assert b"\r\nHost: 127.0.0.1:%d\r\n" % port in request
    assert request.endswith(b'\r\n\r\n{"kind": "deadline"}')


@pytest.mark.parametrize(
    ("answer", "reason"),
    [
        (b"HTTP/1.1 500 No\r\nContent-Length: 0\r\n\r\n", "HTTPError"),
        (b"what?\r\n\r\n", "BadStatusLine"),
        (b"", "RemoteDisconnected"),
    ],
)
def test_a_receiver_that_fails_is_named_by_its_failure(answer: bytes, reason: str) -> None:
    with answering(answer) as (port, _):
        assert webhook.send(f"http://127.0.0.1:{port}/", {}) == reason


@pytest.mark.parametrize("url", ["http://127.0.0.1:notaport/s3cret", "http://[::1/s3cret", "nothing://s3cret"])
def test_an_address_that_is_none_is_no_error_and_not_repeated(url: str) -> None:
    reason = webhook.send(url, {})
    assert reason
    assert "s3cret" not in reason
