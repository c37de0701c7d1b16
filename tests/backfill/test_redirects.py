"""A host that may be spoken to and sends us elsewhere: nobody goes there, neither we nor ClickHouse."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest

from tests.backfill.conftest import Lab

KEY = "section/1/video/a.jsonl"
LISTING = f"""<?xml version="1.0" encoding="UTF-8"?>
<ListBucketResult xmlns="http://s3.amazonaws.com/doc/2006-03-01/"><Name>bucket</Name><Prefix></Prefix>
<KeyCount>1</KeyCount><MaxKeys>1000</MaxKeys><IsTruncated>false</IsTruncated>
<Contents><Key>{KEY}</Key><LastModified>2024-01-01T00:00:00.000Z</LastModified><ETag>"e1"</ETag><Size>9</Size>
<StorageClass>STANDARD</StorageClass></Contents></ListBucketResult>"""


@dataclass
class FakeStore:
    """A store that lists one object and, asked for it (or for anything, if it lists nothing), points elsewhere."""

    goal: str = ""
    lists: bool = True
    address: str = ""
    asked: list[str] = field(default_factory=list)


@contextmanager
def listening(store: FakeStore) -> Iterator[FakeStore]:
    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_GET(self) -> None:
            store.asked.append(f"{self.command} {self.path}")
            is_listing = store.lists and "list-type=2" in self.path
            body = LISTING.encode() if is_listing else b""
            is_head = store.lists and self.command == "HEAD"
            self.send_response(200 if is_listing or is_head else 307)
            self.send_header("Content-Type", "application/xml")
            self.send_header("Content-Length", "9" if is_head else str(len(body)))
            self.send_header("ETag", '"e1"')
            self.send_header("Last-Modified", "Mon, 01 Jan 2024 00:00:00 GMT")
            if not (is_listing or is_head):
                self.send_header("Location", f"{store.goal}{self.path}")
            self.end_headers()
            self.wfile.write(body)

        def do_HEAD(self) -> None:
            self.do_GET()

        def log_message(self, *_: object) -> None:
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        store.address = f"127.0.0.1:{server.server_address[1]}"
        try:
            yield store
        finally:
            server.shutdown()
            thread.join()


@pytest.fixture
def secret() -> Iterator[FakeStore]:
    """What only the inside of the house may reach."""
    with listening(FakeStore(goal="http://127.0.0.1:1")) as inside:
        yield inside


@pytest.mark.parametrize("reader", ["native", "parquet"])
@pytest.mark.parametrize("lists", [True, False])
def test_a_redirected_pattern_is_not_followed(lab: Lab, secret: FakeStore, reader: str, lists: bool) -> None:
    with listening(FakeStore(f"http://{secret.address}", lists=lists)) as store:
        settings = lab.settings.model_copy(
            update={"backfill_allowed_hosts": store.address, "etl_reader": reader, "s3_max_attempts": 1}
        )
        run = replace(lab, settings=settings).run(
            "manual", s3_pattern=f"http://{store.address}/bucket/section/**", max_attempts=1
        )
    assert store.asked
    assert secret.asked == []
    assert (run["status"], run["failed_objects"]) in {("failed", 0), ("completed", 1)}


def test_a_redirected_manifest_is_not_followed(lab: Lab, secret: FakeStore) -> None:
    with listening(FakeStore(f"http://{secret.address}", lists=False)) as store:
        settings = lab.settings.model_copy(update={"backfill_allowed_hosts": store.address, "s3_max_attempts": 1})
        run = replace(lab, settings=settings).run(
            "inventory", manifest_url=f"http://{store.address}/bucket/manifest.json"
        )
    assert store.asked
    assert secret.asked == []
    assert run["status"] == "failed"
    assert "points elsewhere" in run["error"]
