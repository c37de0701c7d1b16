"""A fake of AWS Lambda: it answers `Invoke` over HTTP on 127.0.0.1, and notes what it was called with."""

from __future__ import annotations

import json
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, Self


class FakeLambda:
    """Runs `answer` for every call; `function_error` makes it say that the function raised."""

    def __init__(self, answer: Any, *, function_error: str = "") -> None:
        calls: list[tuple[str, Any]] = []

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                size = int(self.headers["Content-Length"])
                calls.append((self.path, json.loads(self.rfile.read(size))))
                body = json.dumps(answer).encode()
                self.send_response(200)
                if function_error:
                    self.send_header("X-Amz-Function-Error", function_error)
                self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)

            def log_message(self, *_: Any) -> None:
                pass

        self.calls = calls
        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self._thread = threading.Thread(target=self._server.serve_forever, kwargs={"poll_interval": 0.01})
        self.url = f"http://127.0.0.1:{self._server.server_address[1]}"

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._server.shutdown()
        self._thread.join()
        self._server.server_close()
