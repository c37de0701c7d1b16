"""SQL over the lake, joined with the warehouse's own events."""

from __future__ import annotations

from pathlib import Path

import pytest

from schoolhouse.errors import UsageError
from schoolhouse.lake import clickhouse, window
from schoolhouse.lake.clock import Window
from schoolhouse.lake.zones import Lake, lake_of
from schoolhouse.settings import load_settings
from schoolhouse.warehouse import migrations
from schoolhouse.warehouse.connection import Warehouse
from tests.lake.broker import HOUR, START, Broker, attempts, messages

ONE_HANDLE = pytest.mark.parametrize("handle", ["embedded"], indirect=True)


@ONE_HANDLE
def test_sql_joins_the_lake_with_events(broker: Broker, lake: Lake, warehouse: Warehouse) -> None:
    migrations.up(warehouse)
    broker.send("user.attempts", messages(attempts(40, START) + attempts(20, START + HOUR, first=40)))
    window.run(lake, "user_attempts", Window(START))

    made = clickhouse.create(warehouse, lake)

    assert {"lake_user_attempts", "lake_daily_aggregations"} <= {view.name for view in made}
    question = "SELECT count(), uniqExact(event_id), countIf(correct) FROM lake_user_attempts"
    assert warehouse.ask(question, why="tests").rows == [(40, 40, sum(number % 3 != 0 for number in range(40)))]
    joined = (
        "SELECT count() FROM lake_daily_aggregations AS a LEFT JOIN raw_events AS e ON toString(e.user_id) = a.user_id"
    )
    assert warehouse.ask(joined, why="tests").value() == 17

    window.run(lake, "user_attempts", Window(START + HOUR))
    assert warehouse.ask("SELECT count() FROM lake_user_attempts", why="tests").value() == 60
    clickhouse.create(warehouse, lake)  # making them again changes nothing


@ONE_HANDLE
def test_a_lake_without_tables_says_what_to_do(warehouse: Warehouse, tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="no tables yet"):
        clickhouse.create(warehouse, lake_of(load_settings(data_dir=tmp_path)))
