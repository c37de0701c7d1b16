"""A broker and an empty lake for each test that wants them."""

from __future__ import annotations

import json
import threading
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import polars as pl
import pytest

from schoolhouse.lake.tables import Table
from schoolhouse.lake.topics import TOPICS
from schoolhouse.lake.zones import Lake, Zone, lake_of
from schoolhouse.settings import Settings, load_settings
from tests.lake.broker import Broker, running_broker


@pytest.fixture
def broker(tmp_path: Path) -> Iterator[Broker]:
    """A broker with the lake's topics, empty, two partitions each."""
    with running_broker(tmp_path / "broker") as running:
        running.create(*TOPICS)
        yield running


@pytest.fixture
def lake_settings(broker: Broker, tmp_path: Path) -> Settings:
    """Settings of a lake in a directory, fed by the broker."""
    return load_settings(data_dir=tmp_path / "data", kafka_bootstrap_servers=broker.address, kafka_batch_messages=200)


@pytest.fixture
def lake(lake_settings: Settings) -> Lake:
    """An empty lake."""
    return lake_of(lake_settings)


@pytest.fixture
def rows_of(lake: Lake) -> Callable[[Zone, str], pl.DataFrame]:
    """All rows of a table; an empty frame where it was never written."""

    def _rows(zone: Zone, name: str) -> pl.DataFrame:
        found = Table(lake, zone, name).scan()
        return pl.DataFrame() if found is None else found.collect()

    return _rows


@pytest.fixture
def webhook() -> Iterator[tuple[str, list[dict[str, Any]]]]:
    """A webhook's URL, and what it was told."""
    told: list[dict[str, Any]] = []

    class Hook(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            told.append(json.loads(self.rfile.read(int(self.headers["Content-Length"]))))
            self.send_response(204)
            self.end_headers()

        def log_message(self, *_: object) -> None:
            """Quiet."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Hook)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    yield f"http://127.0.0.1:{server.server_port}/hook", told
    server.shutdown()
    thread.join()
    server.server_close()
