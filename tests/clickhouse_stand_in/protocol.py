"""The HTTP side of the stand-in: requests taken apart, answers and errors dressed as a server's."""

from __future__ import annotations

import base64
import gzip
import hmac
import io
import json
import re
import uuid
import zlib
from collections.abc import Callable, Mapping
from email.message import Message
from email.parser import BytesParser
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, BinaryIO, Final
from urllib.parse import parse_qsl, urlsplit

import lz4.frame
from backports import zstd

from tests.clickhouse_stand_in.engine import ACCOUNTS, VERSION, Account, Engine, Question, Reply, ServerError

# Parameters of the protocol itself; every other one is a setting.
_PROTOCOL: Final = re.compile(
    r"query|database|user|password|default_format|query_id|quota_key|session_id|session_timeout|session_check"
    r"|close_session|role|stacktrace|buffer_size|wait_end_of_query|client_protocol_version|compress|decompress|param_\w+"
)
_STATUS_OF_CODE: Final = {
    **dict.fromkeys((6, 8, 15, 25, 26, 27, 36, 38, 41, 44, 53, 62, 72, 117, 167, 168, 223, 321, 376, 427, 441), 400),
    **dict.fromkeys((192, 193, 497, 512, 516), 403),
    **dict.fromkeys((46, 47, 50, 56, 60, 63, 73, 78, 81, 115, 336, 511), 404),
    **dict.fromkeys((76, 209, 439), 503),
    48: 501,
    159: 408,
    194: 401,
    381: 411,
}
_CONTENT_TYPES: Final = {
    "TabSeparated": "text/tab-separated-values; charset=UTF-8",
    "CSV": "text/csv; charset=UTF-8; header=absent",
    "JSON": "application/json; charset=UTF-8",
    "JSONEachRow": "application/x-ndjson; charset=UTF-8",
}
_COMPRESS: Final[Mapping[str, Callable[[bytes], bytes]]] = {  # in the server's order of preference
    "lz4": lz4.frame.compress,
    "zstd": zstd.compress,
    "gzip": lambda data: gzip.compress(data, compresslevel=1),
    "deflate": zlib.compress,
}
_DECOMPRESS: Final[Mapping[str, Callable[[BinaryIO], Any]]] = {
    "": lambda body: body,
    "identity": lambda body: body,
    "lz4": lz4.frame.open,
    "zstd": zstd.open,
    "gzip": lambda body: gzip.GzipFile(fileobj=body),
    "deflate": lambda body: io.BytesIO(zlib.decompress(body.read())),
}
_HEAD_BYTES: Final = 262_144  # the server's max_query_size: an INSERT ends, and its data starts, within these
_FIELD_BYTES: Final = 131_072  # the server's http_max_field_value_size
_BLOCK_BYTES: Final = 1 << 20


class Body(io.RawIOBase):
    """The bytes of a request's body, whether it names its length or comes in chunks."""

    def __init__(self, stream: BinaryIO, headers: Message) -> None:
        super().__init__()
        self._stream = stream
        self._is_chunked = "chunked" in headers.get("Transfer-Encoding", "")
        self._left = 0 if self._is_chunked else int(headers.get("Content-Length") or 0)
        self._is_done = not self._is_chunked

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int:
        if not self._left and not self._is_done:
            self._left = int(self._stream.readline().split(b";")[0] or b"0", 16)
            if not self._left:
                self._is_done = True
                self._stream.readline()
        data = self._stream.read(min(len(buffer), self._left))
        if not data:
            self._left = 0
            self._is_done = True
        buffer[: len(data)] = data
        self._left -= len(data)
        if data and not self._left and self._is_chunked:
            self._stream.readline()
        return len(data)


class StandIn(ThreadingHTTPServer):
    """The server: a thread a connection, all on one engine."""

    daemon_threads = True
    request_queue_size = 128

    def __init__(self, engine: Engine, port: int) -> None:
        super().__init__(("127.0.0.1", port), Handler)
        self.engine = engine


class Handler(BaseHTTPRequestHandler):
    """One connection of a client."""

    server: StandIn
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True
    wbufsize = -1

    def do_GET(self) -> None:
        if urlsplit(self.path).path in {"/ping", "/replicas_status"} or self.path == "/":
            self._send(200, b"Ok.\n", {"Content-Type": "text/html; charset=UTF-8"})
        else:
            self._serve()

    def do_POST(self) -> None:
        self._serve()

    def log_message(self, *_: object) -> None:
        pass

    def _serve(self) -> None:
        body = io.BufferedReader(Body(self.rfile, self.headers), 1 << 16)
        parameters = dict(parse_qsl(urlsplit(self.path).query, keep_blank_values=True))
        query_id = parameters.get("query_id") or str(uuid.uuid4())
        try:
            reply = self.server.engine.answer(self._question(parameters, body, query_id))
        except ServerError as error:
            self._send_error(error, query_id)
        except (RuntimeError, EOFError, zlib.error, zstd.ZstdError, gzip.BadGzipFile) as error:
            self._send_error(ServerError(271, "CANNOT_DECOMPRESS", f"Cannot decompress: {error}"), query_id)
        else:
            self._send_reply(reply, query_id)
        finally:
            while body.read(_BLOCK_BYTES):  # what an error left unread would be taken for the next request
                pass

    def _question(self, parameters: Mapping[str, str], body: io.BufferedReader, query_id: str) -> Question:
        account = self._account(parameters)
        if self.command == "POST" and not {"content-length", "transfer-encoding"} & {n.lower() for n in self.headers}:
            message = "The Transfer-Encoding is not chunked and there is no Content-Length header for POST request."
            raise ServerError(381, "HTTP_LENGTH_REQUIRED", message)
        values = _values(parameters)
        head = parameters.get("query", "").encode()
        rest: BinaryIO = io.BytesIO()
        if self.headers.get_content_type() == "multipart/form-data":
            form = _form(self.headers, body.read())  # of a form the server takes the query and bound values only
            values |= _values(form)
            head += form.get("query", "").encode()
        else:
            rest = self._decompressed(body)
            head = (head + b"\n" if head else b"") + rest.read(_HEAD_BYTES)
        return Question(
            account=account,
            settings={name: value for name, value in parameters.items() if not _PROTOCOL.fullmatch(name)},
            values=values,
            head=head,
            rest=rest,
            query_id=query_id,
            database=self.headers.get("X-ClickHouse-Database") or parameters.get("database", ""),
            default_format=self.headers.get("X-ClickHouse-Format") or parameters.get("default_format", "TabSeparated"),
            is_get=self.command == "GET",
        )

    def _decompressed(self, body: io.BufferedReader) -> BinaryIO:
        encoding = self.headers.get("Content-Encoding", "").lower()
        if encoding not in _DECOMPRESS:
            raise ServerError(48, "NOT_IMPLEMENTED", f"Unknown compression method: {encoding}.")
        opened: BinaryIO = _DECOMPRESS[encoding](body)
        return opened

    def _account(self, parameters: Mapping[str, str]) -> Account:
        basic = self.headers.get("Authorization", "")
        if user := self.headers.get("X-ClickHouse-User"):
            password = self.headers.get("X-ClickHouse-Key", "")
        elif basic.startswith("Basic "):
            user, _, password = base64.b64decode(basic[6:]).decode().partition(":")
        else:
            user, password = parameters.get("user", "default"), parameters.get("password", "")
        account = ACCOUNTS.get(user)
        if account is None or not hmac.compare_digest(account.password.encode(), password.encode()):
            message = f"{user}: Authentication failed: password is incorrect, or there is no user with such name."
            raise ServerError(516, "AUTHENTICATION_FAILED", message)
        return account

    def _send_reply(self, reply: Reply, query_id: str) -> None:
        data = reply.data
        headers = {
            "X-ClickHouse-Query-Id": query_id,
            "X-ClickHouse-Timezone": reply.timezone,
            "X-ClickHouse-Summary": json.dumps({name: str(value) for name, value in reply.summary.items()}),
        }
        if reply.output_format:
            headers["X-ClickHouse-Format"] = reply.output_format
            headers["Content-Type"] = _CONTENT_TYPES.get(reply.output_format, "application/octet-stream")
        wanted = {part.split(";")[0].strip() for part in self.headers.get("Accept-Encoding", "").split(",")}
        method = next((name for name in _COMPRESS if name in wanted), "")
        if method and data and reply.has_compression:
            headers["Content-Encoding"] = method
            data = _COMPRESS[method](data)
        self._send(200, data, headers)

    def _send_error(self, error: ServerError, query_id: str) -> None:
        text = str(error)
        if error.code == 164 and self.command == "GET":
            text = text.replace(
                "in readonly mode.",
                "in readonly mode. For queries over HTTP, method GET implies readonly."
                " You should use method POST for modifying queries.",
            )
        headers = {
            "Content-Type": "text/plain; charset=UTF-8",
            "X-ClickHouse-Query-Id": query_id,
            "X-ClickHouse-Exception-Code": str(error.code),
        }
        text = f"{text} (version {VERSION} (official build))\n"
        self._send(_STATUS_OF_CODE.get(error.code, 500), text.encode(), headers)

    def _send(self, status: int, data: bytes, headers: Mapping[str, str]) -> None:
        self.send_response(status)
        for name, value in headers.items():
            self.send_header(name, value)
        self.send_header("Content-Length", str(len(data)))
        self.send_header("X-ClickHouse-Server-Display-Name", "stand-in")
        self.end_headers()
        self.wfile.write(data)


def _values(parameters: Mapping[str, str]) -> dict[str, str]:
    prefix = "param_"
    return {name.removeprefix(prefix): value for name, value in parameters.items() if name.startswith(prefix)}


def _form(headers: Message, body: bytes) -> dict[str, str]:
    """The fields of a multipart/form-data body."""
    head = f"Content-Type: {headers['Content-Type']}\r\n\r\n".encode()
    parts: Any = BytesParser().parsebytes(head + body)
    form = {
        part.get_param("name", header="Content-Disposition"): part.get_payload(decode=True).decode()
        for part in parts.get_payload()
    }
    if any(len(value.encode()) > _FIELD_BYTES for value in form.values()):
        message = "Poco::Exception. Code: 1000, e.code() = 0, HTML Form Exception: Field value too long"
        raise ServerError(1000, "POCO_EXCEPTION", message)
    return form
