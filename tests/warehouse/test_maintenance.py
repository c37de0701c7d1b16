"""Merging, retention, and mapping the stored statements anew."""

from __future__ import annotations

import json
import threading
import uuid
from typing import Any

import pytest

from schoolhouse.settings import Settings
from schoolhouse.warehouse import maintenance
from schoolhouse.warehouse.connection import Warehouse, open_warehouse
from schoolhouse.warehouse.health import run_checks
from schoolhouse.warehouse.loads import start_load
from schoolhouse.warehouse.statements import statement as statement_file
from tests.collect.parts import wait_until
from tests.warehouse.loading import load_lines, rows, statement, value

EVENTS = "SELECT * EXCEPT(inserted_at) FROM raw_events FINAL ORDER BY event_id"


def numbered(first: int, count: int) -> list[dict[str, Any]]:
    return [statement(object={"id": f"https://lms.example/{n}"}) for n in range(first, first + count)]


def test_optimize_leaves_one_part_a_partition_and_the_same_events(tables: Warehouse) -> None:
    for first in range(0, 40, 10):
        load_lines(tables, numbered(first, 20), source=f"load {first}")
    before = rows(tables, EVENTS)
    assert maintenance.optimize(tables) > 0
    parts = "SELECT count() FROM system.parts WHERE database = currentDatabase() AND table = 'raw_events' AND active"
    assert value(tables, parts) == 1
    assert rows(tables, EVENTS) == before
    assert maintenance.optimize(tables) == 0


def test_reprocess_gives_the_same_tables_and_hides_conflicts_again(tables: Warehouse) -> None:
    load_lines(tables, numbered(0, 30), source="a")
    theirs = statement(id="8f308546-aec9-41ae-8d2d-653024589dcf")
    load_lines(tables, [theirs, theirs | {"timestamp": "2026-08-02T12:00:00Z"}], source="b")
    events, counts = rows(tables, EVENTS), rows(tables, "SELECT * FROM load_counts FINAL ORDER BY ALL")
    ids = rows(tables, "SELECT * FROM statement_ids FINAL ORDER BY ALL")
    done = maintenance.reprocess(tables)
    assert (done.events_before, done.events_after) == (31, 31)
    assert rows(tables, EVENTS) == events
    assert rows(tables, "SELECT * FROM load_counts FINAL ORDER BY ALL") == counts
    assert len(rows(tables, "SELECT * FROM statement_ids FINAL")) == len(ids)
    assert value(tables, "SELECT uniqExact(event_id) FROM raw_events WHERE is_conflict") == 1
    left = "SELECT count() FROM system.tables WHERE database = currentDatabase() AND match(name, '_(rebuild|late)$')"
    assert value(tables, left) == 0


def test_statements_that_arrive_during_a_rebuild_are_not_lost(tables: Warehouse) -> None:
    load_lines(tables, numbered(0, 5000), source="before")
    is_done = threading.Event()
    sent = 0

    def keep_sending() -> None:
        nonlocal sent
        with open_warehouse(tables.settings, who="sender") as sender:
            while not is_done.is_set():
                load_lines(sender, numbered(1_000_000 + 10 * sent, 10), source=f"during {sent}")
                sent += 1

    sending = threading.Thread(target=keep_sending)
    sending.start()
    try:
        maintenance.reprocess(tables)
    finally:
        is_done.set()
        sending.join()
    assert sent > 0
    assert value(tables, "SELECT count() FROM raw_events FINAL") == 5000 + 10 * sent
    assert value(tables, "SELECT count() FROM statement_ids FINAL") == 5000 + 10 * sent


SLOW_LINES = """
    SELECT replaceOne({line:String}, 'NUMBER', toString(number)) AS line, {source_file:String} AS source_file,
        {source_etag:String} AS source_etag, toUInt32(number + 1) AS source_line, {load_id:UInt64} AS load_id,
        toDateTime64({received_at:String}, 9, 'UTC') AS received_at, {max_line_bytes:UInt32} AS max_line_bytes,
        toUInt8(0) AS is_rebuild
    FROM (SELECT number, sleepEachRow(0.4) AS waited FROM numbers(8) WHERE NOT ignore(waited))
"""


def test_statements_that_clickhouse_reads_itself_during_a_rebuild_are_not_lost(tables: Warehouse) -> None:
    load_lines(tables, numbered(0, 5), source="before")
    line = json.dumps(statement(object={"id": "https://lms.example/slow/NUMBER"}))

    def read_slowly() -> None:
        with (
            open_warehouse(tables.settings, who="reader of objects") as reader,
            start_load(reader, route="s3", source="s3://bucket/key") as load,
        ):
            load.add_select(SLOW_LINES, {"line": line}, limits={"max_block_size": 1})

    reading = threading.Thread(target=read_slowly)
    reading.start()
    running = "SELECT count() FROM system.processes WHERE query_kind = 'Insert' AND query LIKE '%sleepEachRow%'"
    wait_until(lambda: value(tables, running) == 1)
    maintenance.reprocess(tables)
    reading.join()
    assert value(tables, "SELECT count() FROM raw_events FINAL") == 5 + 8


def test_a_content_that_lost_its_id_is_still_a_conflict_after_a_rebuild(tables: Warehouse) -> None:
    first = statement(id=str(uuid.uuid4()), result={"success": True})
    second = first | {"result": {"success": False}}
    load_lines(tables, [first], source="a")
    assert load_lines(tables, [second], source="b").summary.conflict == 1
    maintenance.optimize(tables)
    maintenance.reprocess(tables)
    assert {check.name: check.offenders for check in run_checks(tables)}["conflicts"] == 1
    assert load_lines(tables, [second], source="b").summary.conflict == 0


def test_a_rebuild_that_was_cut_off_is_repaired_by_running_again(tables: Warehouse) -> None:
    load_lines(tables, numbered(0, 10), source="a")
    tables.run("CREATE TABLE raw_events_rebuild AS raw_events", why="as a crash leaves it")
    tables.run("INSERT INTO raw_events_rebuild SELECT * FROM raw_events", why="as a crash leaves it")
    maintenance.reprocess(tables)
    assert value(tables, "SELECT count() FROM raw_events FINAL") == 10


@pytest.mark.parametrize(("months", "left"), [(0, 2), (18, 1), (1200, 2)])
def test_retention_follows_the_settings_and_is_off_by_default(
    migrated_settings: Settings, months: int, left: int
) -> None:
    settings = migrated_settings.model_copy(update={"raw_events_retention_months": months})
    with open_warehouse(settings, who="tests") as warehouse:
        maintenance.apply_retention(warehouse)
        old, new = statement(timestamp="2001-01-01T00:00:00Z"), statement(timestamp="2026-08-01T00:00:00Z")
        load_lines(warehouse, [old, new], source="a")
        maintenance.optimize(warehouse)
        warehouse.run("OPTIMIZE TABLE raw_events FINAL", why="let the engine apply its time to live")
        assert value(warehouse, "SELECT count() FROM raw_events FINAL") == left
        forever = settings.model_copy(update={"raw_events_retention_months": 0})
    with open_warehouse(forever, who="tests") as warehouse:
        maintenance.apply_retention(warehouse)
        ddl = warehouse.ask(statement_file("read_table_ddl"), {"table": "raw_events"}, why="look").value()
        assert "TTL" not in ddl
