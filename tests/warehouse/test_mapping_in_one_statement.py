"""A file that the engine reads itself is mapped as lines that enter by the door are."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pytest

from schoolhouse.warehouse.connection import Warehouse
from schoolhouse.warehouse.loads import start_load
from schoolhouse.warehouse.mapping import door_insert, mapped_insert
from tests.given import page_attempt, small_campus

EVENTS = "SELECT * EXCEPT (event_version, source_file, load_id, inserted_at) FROM raw_events FINAL ORDER BY event_id"
REJECTS = "SELECT code, source_line, line FROM rejected_statements FINAL ORDER BY source_line, line"
TABLES = ("raw_events", "rejected_statements", "statement_ids", "sections", "load_counts")


@pytest.mark.parametrize("handle", ["embedded"], indirect=True)
def test_both_ways_in_keep_the_same_rows(tables: Warehouse, tmp_path: Path) -> None:
    attempts = [page_attempt(42, learner, f"2026-0{1 + learner % 9}-02T11:45:00Z") for learner in range(300)]
    lines = [json.dumps(statement).encode() for statement in attempts + small_campus()]
    lines += [b"", b"{broken", b"[]", b'{"actor":1}', lines[3]]
    path = tmp_path / "lines.jsonl"
    path.write_bytes(b"\n".join(lines) + b"\n")

    with start_load(tables, route="file", source="by the door") as by_the_door:
        by_the_door.add_lines(path.read_bytes(), source_file="lines.jsonl", first_line=1)
    expected = tables.ask(EVENTS, why="test").rows, tables.ask(REJECTS, why="test").rows
    for table in TABLES:
        tables.run(f"TRUNCATE TABLE {table}", why="test")

    with start_load(tables, route="file", source="in one statement") as in_one_statement:
        in_one_statement.add_file(path, source_file="lines.jsonl")

    assert (tables.ask(EVENTS, why="test").rows, tables.ask(REJECTS, why="test").rows) == expected
    assert len(expected[0]) > 300
    assert len(expected[1]) == 3
    one, other = by_the_door.summary.as_dict(), in_one_statement.summary.as_dict()
    for changing in ("load_id", "seconds", "statements_per_second"):
        del one[changing], other[changing]
    assert one == other


@pytest.mark.parametrize(
    ("make", "insert"),
    [
        (mapped_insert, "INSERT INTO parsed_statements (verdict, event_id, "),
        (door_insert, "INSERT INTO ingest (line, source_file, "),
    ],
)
def test_the_head_of_the_select_stays_the_head(make: Callable[[str], str], insert: str) -> None:
    sql = make("-- Lines of nothing\n-- none\nSELECT 1 AS line FROM nothing\n")
    assert sql.startswith(f"-- Lines of nothing\n-- none\n{insert}")
    assert "SELECT 1 AS line FROM nothing" in sql
