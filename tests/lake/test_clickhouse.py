"""SQL over the lake, joined with the warehouse's own events."""

from __future__ import annotations

from pathlib import Path

import pytest

from schoolhouse.errors import UsageError
from schoolhouse.lake import clickhouse, window
from schoolhouse.lake.clock import Window
from schoolhouse.lake.zones import Lake, lake_of
from schoolhouse.settings import Settings, load_settings
from schoolhouse.warehouse import migrations
from schoolhouse.warehouse.connection import Warehouse
from tests.cli.shell import Shell
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


@ONE_HANDLE
def test_lake_tables_lets_the_query_command_read_the_lake(
    broker: Broker, warehouse_environment: Settings, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("KAFKA_BOOTSTRAP_SERVERS", broker.address)
    monkeypatch.setenv("DATA_LAKE_BUCKET", f"lake-of-{warehouse_environment.clickhouse_database}")
    broker.send("user.attempts", messages(attempts(40, START)))
    shell = Shell(warehouse_environment.data_dir)
    shell.run("lake", "run", "--window", str(Window(START)), "--dataset", "user_attempts")

    made = {one["name"]: one["address"] for one in shell.json("lake", "tables")}
    answer = shell.json("query", "SELECT topic, count() AS attempts FROM lake_user_attempts GROUP BY topic ORDER BY 1")

    assert made["lake_user_attempts"].endswith("/processed/user_attempts")
    assert answer == [{"topic": "algebra", "attempts": 20}, {"topic": "geometry", "attempts": 20}]
    elsewhere = Shell(tmp_path).run("lake", "tables", exit_code=2)
    assert "working directory" in elsewhere.stderr
