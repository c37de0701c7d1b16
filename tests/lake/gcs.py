"""A fake of Google Cloud Storage's XML API, as far as object_store (and so delta-rs, Polars and obstore) uses it.

One bucket, in memory: objects with generations, conditional and multipart puts, ranges, copies and lists. Who asks is
not looked at.
"""

from __future__ import annotations

import itertools
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from email.utils import formatdate
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import parse_qs, unquote, urlsplit
from xml.sax.saxutils import escape

BUCKET = "campus"
CONDITION = "x-goog-if-generation-match"


@dataclass(frozen=True)
class Stored:
    """An object."""

    content: bytes
    generation: int


@dataclass
class FakeGcs:
    """The bucket, and where it is served."""

    url: str = ""
    objects: dict[str, Stored] = field(default_factory=dict)
    refused: int = 0  # conditional puts that came second
    _parts: dict[str, dict[int, bytes]] = field(default_factory=dict)
    _numbers: Iterator[int] = field(default_factory=lambda: itertools.count(1))
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def put(self, key: str, content: bytes, condition: str | None) -> Stored | None:
        """Store an object; None when the condition does not hold."""
        with self._lock:
            held = self.objects.get(key)
            if condition is not None and int(condition) != (held.generation if held else 0):
                self.refused += 1
                return None
            stored = self.objects[key] = Stored(content, next(self._numbers))
            return stored

    def begin(self) -> str:
        """An upload in parts."""
        with self._lock:
            upload = f"upload-{next(self._numbers)}"
            self._parts[upload] = {}
            return upload

    def part(self, upload: str, number: int, content: bytes) -> None:
        self._parts[upload][number] = content

    def whole(self, upload: str) -> bytes:
        """The parts together."""
        parts = self._parts.pop(upload)
        return b"".join(parts[number] for number in sorted(parts))

    def listed(self, prefix: str, delimiter: str, after: str) -> str:
        """The XML of a list."""
        keys = sorted(key for key in self.objects if key.startswith(prefix) and key > after)
        plain, prefixes = [], []
        for key in keys:
            head, cut, _ = key.removeprefix(prefix).partition(delimiter) if delimiter else ("", "", "")
            if cut:
                prefixes.append(prefix + head + cut)
            else:
                plain.append(key)
        contents = "".join(
            f"<Contents><Key>{escape(key)}</Key><Size>{len(self.objects[key].content)}</Size>"
            f"<LastModified>2024-01-01T00:00:00Z</LastModified><ETag>{self.objects[key].generation}</ETag></Contents>"
            for key in plain
        )
        common = "".join(
            f"<CommonPrefixes><Prefix>{escape(one)}</Prefix></CommonPrefixes>" for one in dict.fromkeys(prefixes)
        )
        return f"<ListBucketResult><KeyCount>{len(plain)}</KeyCount>{contents}{common}</ListBucketResult>"


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True  # the body would wait 40 ms for the receipt of the head
    gcs: FakeGcs

    @property
    def key(self) -> str:
        return unquote(urlsplit(self.path).path).removeprefix(f"/{BUCKET}").lstrip("/")

    def asked(self, name: str) -> str:
        return parse_qs(urlsplit(self.path).query, keep_blank_values=True).get(name, [""])[0]

    def body(self) -> bytes:
        return self.rfile.read(int(self.headers.get("Content-Length") or 0))

    def answer(self, status: int, content: bytes = b"", stored: Stored | None = None, **headers: str) -> None:
        self.send_response(status)
        if stored is not None:
            self.send_header("ETag", f'"{stored.generation}"')
            self.send_header("x-goog-generation", str(stored.generation))
            self.send_header("Last-Modified", formatdate(usegmt=True))
        for name, value in headers.items():
            self.send_header(name.replace("_", "-"), value)
        if "Content_Length" not in headers:
            self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        self.wfile.write(content)

    def do_PUT(self) -> None:
        content = self.body()
        if upload := self.asked("uploadId"):
            self.gcs.part(upload, int(self.asked("partNumber")), content)
            self.answer(200, ETag='"part"')
            return
        if source := self.headers.get("x-goog-copy-source"):
            held = self.gcs.objects.get(unquote(source).removeprefix(f"{BUCKET}/"))
            if held is None:
                self.answer(404)
                return
            content = held.content
        self._stored(content)

    def do_POST(self) -> None:
        content = self.body()
        if upload := self.asked("uploadId"):
            self._stored(self.gcs.whole(upload))
        elif content or "uploads" not in self.path:
            self.answer(400)
        else:
            told = f"<InitiateMultipartUploadResult><UploadId>{self.gcs.begin()}</UploadId>"
            self.answer(200, f"{told}</InitiateMultipartUploadResult>".encode())

    def _stored(self, content: bytes) -> None:
        stored = self.gcs.put(self.key, content, self.headers.get(CONDITION))
        if stored is None:
            self.answer(412)
            return
        told = f'<CompleteMultipartUploadResult><ETag>"{stored.generation}"</ETag></CompleteMultipartUploadResult>'
        self.answer(200, told.encode() if self.command == "POST" else b"", stored)

    def do_GET(self) -> None:
        if not self.key:
            told = self.gcs.listed(self.asked("prefix"), self.asked("delimiter"), self.asked("start-after"))
            self.answer(200, told.encode(), Content_Type="application/xml")
            return
        held = self.gcs.objects.get(self.key)
        if held is None:
            self.answer(404)
            return
        content, size = held.content, len(held.content)
        if (wanted := self.headers.get("Range")) is None:
            self.answer(200, content, held)
            return
        first, last = wanted.removeprefix("bytes=").split("-")
        start = int(first) if first else max(0, size - int(last))
        stop = min(int(last) + 1, size) if first and last else size
        self.answer(206, content[start:stop], held, Content_Range=f"bytes {start}-{stop - 1}/{size}")

    def do_HEAD(self) -> None:
        held = self.gcs.objects.get(self.key)
        if held is None:
            self.answer(404)
        else:
            self.answer(200, b"", held, Content_Length=str(len(held.content)))

    def do_DELETE(self) -> None:
        self.answer(204 if self.gcs.objects.pop(self.key, None) else 404)

    def log_message(self, *_: object) -> None:
        """Quiet."""


@contextmanager
def running_gcs() -> Iterator[FakeGcs]:
    gcs = FakeGcs()
    server = ThreadingHTTPServer(("127.0.0.1", 0), type("Handler", (_Handler,), {"gcs": gcs}))
    gcs.url = f"http://127.0.0.1:{server.server_port}"
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    try:
        yield gcs
    finally:
        server.shutdown()
        thread.join()
        server.server_close()
