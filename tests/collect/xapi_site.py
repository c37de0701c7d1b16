"""The xAPI resource in an app of its own, served by uvicorn on 127.0.0.1, and a client that speaks HTTP to it.

python -m tests.collect.xapi_site SETTINGS.json     serves the whole app until standard input closes; prints the port
"""

from __future__ import annotations

import base64
import http.client
import json
import sys
import threading
from collections.abc import AsyncIterator, Iterator, Mapping
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

import uvicorn
from fastapi import FastAPI

from schoolhouse.collect.clients import Clients
from schoolhouse.collect.xapi import Xapi
from schoolhouse.settings import Settings, load_settings
from schoolhouse.web.app import create_app
from schoolhouse.web.serving import spare_the_collector
from schoolhouse.web.xapi import xapi_routes


@dataclass(frozen=True)
class Reply:
    status: int
    headers: Mapping[str, str]
    body: bytes

    @property
    def json(self) -> Any:
        return json.loads(self.body)

    @property
    def reason(self) -> str:
        return str(self.json["error"]["message"])


@dataclass
class Site:
    port: int
    secret: str
    headers: dict[str, str] = field(init=False)

    def __post_init__(self) -> None:
        basic = base64.b64encode(f"tests:{self.secret}".encode()).decode()
        self.headers = {"X-Experience-API-Version": "1.0.3", "Authorization": f"Basic {basic}"}

    def request(self, method: str, path: str, body: bytes = b"", headers: Mapping[str, str | None] = {}) -> Reply:
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=60)
        sent = {name: value for name, value in {**self.headers, **headers}.items() if value is not None}
        try:
            connection.request(method, path, body or None, sent)
            answer = connection.getresponse()
            return Reply(answer.status, {k.lower(): v for k, v in answer.getheaders()}, answer.read())
        finally:
            connection.close()

    def post(self, value: Any, **headers: str | None) -> Reply:
        body = value if isinstance(value, bytes) else json.dumps(value).encode()
        return self.request("POST", "/xAPI/statements", body, {"Content-Type": "application/json", **headers})

    def put(self, statement_id: str, value: Any) -> Reply:
        path = f"/xAPI/statements?{urlencode({'statementId': statement_id})}"
        return self.request("PUT", path, json.dumps(value).encode(), {"Content-Type": "application/json"})

    def get(self, path: str = "/xAPI/statements", **parameters: str) -> Reply:
        return self.request("GET", f"{path}?{urlencode(parameters)}" if parameters else path)

    def ids(self, **parameters: str) -> list[str]:
        return [one["id"] for one in self.get(**parameters).json["statements"]]


def make_app(settings: Settings) -> FastAPI:
    xapi = Xapi(settings)

    @asynccontextmanager
    async def lifespan(_: FastAPI) -> AsyncIterator[None]:
        yield
        xapi.close()

    app = FastAPI(lifespan=lifespan)
    app.router.routes[:0] = xapi_routes(xapi)
    return app


@contextmanager
def serving(settings: Settings, app: FastAPI | None = None) -> Iterator[Site]:
    """The resource over this warehouse, in an app of its own or in `app`, with a client `tests` that may do all."""
    clients = Clients(settings.credentials_file)
    if "tests" in clients.all():
        clients.remove("tests")
    secret = clients.add("tests", "all")
    config = uvicorn.Config(
        app or make_app(settings), host="127.0.0.1", port=0, log_config=None, access_log=False, ws="none"
    )
    server = uvicorn.Server(config)
    thread = threading.Thread(target=server.run)
    thread.start()
    try:
        while not server.started:
            thread.join(0.005)
            assert thread.is_alive()
        yield Site(server.servers[0].sockets[0].getsockname()[1], secret)
    finally:
        server.should_exit = True
        thread.join()


def main() -> None:
    settings = load_settings(**json.loads(Path(sys.argv[1]).read_text()))
    with serving(settings, create_app(settings)) as site:
        spare_the_collector()
        print(json.dumps({"port": site.port, "secret": site.secret}), flush=True)
        sys.stdin.read()


if __name__ == "__main__":
    main()
