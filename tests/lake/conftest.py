"""A broker and an empty lake for each test that wants them."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

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
