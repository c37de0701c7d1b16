"""Indexes prune: a question for a section, a project, an event type, a learner or a load reads only their granules."""

from __future__ import annotations

import json
from typing import Any

import pytest

from schoolhouse.warehouse.connection import Warehouse
from tests.warehouse.loading import value

ROWS = 400_000  # 400 sections of 1,000 events; a project has 20 sections; a load has 100 sections


@pytest.fixture(scope="module")
def filled(shared_tables: Warehouse) -> Warehouse:
    for load in range(4):
        shared_tables.run(
            """
            INSERT INTO raw_events (event_id, section_id, timestamp, user_id, project_id, event_type, load_id)
            SELECT
                reinterpretAsUUID(sipHash128(number)) AS event_id,
                intDiv(number, 1000) + 1 AS section_id,
                toDateTime64('2026-08-01 00:00:00', 3, 'UTC') + number % 1000 AS timestamp,
                concat('learner-', toString(section_id), '-', toString(number % 25)) AS user_id,
                intDiv(section_id, 20) AS project_id,
                if(section_id = 250, 'experiment', 'part_attempt') AS event_type,
                intDiv(number, 100000) + 1000 AS load_id
            FROM numbers({start:UInt64}, 100000)
            """,
            {"start": load * 100_000},
            why="fill",
        )
    return shared_tables


@pytest.fixture(scope="module")
def merged(filled: Warehouse) -> Warehouse:
    filled.run("OPTIMIZE TABLE raw_events FINAL", why="merge")
    return filled


def indexes_of(warehouse: Warehouse, where: str, final: str = "") -> dict[str, tuple[int, int]]:
    """Granules after and before each index that the engine used, by its name (the primary key: `PrimaryKey`)."""
    sql = f"EXPLAIN indexes = 1, json = 1 SELECT count() FROM raw_events {final} WHERE {where}"
    plan = json.loads("".join(row[0] for row in warehouse.ask(sql, why="explain").rows))
    found: dict[str, tuple[int, int]] = {}

    def walk(node: Any) -> None:
        if isinstance(node, list):
            for each in node:
                walk(each)
        elif isinstance(node, dict):
            for index in node.get("Indexes", []):
                name = index.get("Name") or index["Type"]
                found[name] = (index["Selected Granules"], index["Initial Granules"])
            for each in node.values():
                walk(each)

    walk(plan)
    return found


@pytest.mark.parametrize("final", ["", "FINAL"])
@pytest.mark.parametrize(
    ("index", "where", "rows", "most"),
    [
        ("by_project", "project_id = 7", 20_000, 5),
        ("by_event_type", "event_type = 'experiment'", 1_000, 3),
        ("by_user", "user_id = 'learner-123-4'", 40, 3),
        ("by_load", "load_id = 1002", 100_000, 15),
    ],
)
def test_a_skip_index_prunes(merged: Warehouse, index: str, where: str, rows: int, most: int, final: str) -> None:
    assert value(merged, f"SELECT count() FROM raw_events {final} WHERE {where}") == rows
    selected, initial = indexes_of(merged, where, final)[index]
    assert initial >= ROWS // 8192
    assert 0 < selected <= most


@pytest.mark.parametrize("final", ["", "FINAL"])
def test_a_section_reads_only_its_granules(merged: Warehouse, final: str) -> None:
    selected, initial = indexes_of(merged, "section_id = 123", final)["PrimaryKey"]
    assert initial >= ROWS // 8192
    assert selected <= 2
    count, read = count_and_cost(merged, f"SELECT count() FROM raw_events {final} WHERE section_id = 123")
    assert count == 1_000
    assert count <= read <= 2 * 8192


def test_a_window_of_a_section_reads_only_its_months(merged: Warehouse) -> None:
    where = "section_id = 123 AND timestamp >= '2026-09-01 00:00:00'"
    found = indexes_of(merged, where)
    assert min(selected for selected, _ in found.values()) == 0


def test_a_look_up_of_a_few_ids_reads_a_few_granules(filled: Warehouse) -> None:
    filled.run(
        """
        INSERT INTO statement_ids (event_id, section_id, timestamp, user_id, content_hash, event_version)
        SELECT event_id, section_id, timestamp, user_id, 1, 1 FROM raw_events
        """,
        why="fill",
    )
    ids = "event_id IN (SELECT event_id FROM raw_events WHERE section_id = 5 ORDER BY event_id LIMIT 3)"
    wanted = filled.ask(f"SELECT toString(event_id) FROM raw_events WHERE {ids} LIMIT 3", why="look").rows
    sql = "SELECT count() FROM statement_ids FINAL WHERE event_id IN {ids:Array(UUID)}"
    count, read = count_and_cost(filled, sql, {"ids": [row[0] for row in wanted]})
    assert count == 3
    assert count <= read <= 3 * 2 * 1024 * 4


def count_and_cost(warehouse: Warehouse, sql: str, parameters: dict[str, Any] | None = None) -> tuple[int, int]:
    """The number that a question answers with, and the rows that the engine read for it."""
    answer = json.loads(warehouse.ask_bytes(sql, parameters, output_format="JSONCompact", why="look"))
    return int(answer["data"][0][0]), int(answer["statistics"]["rows_read"])
