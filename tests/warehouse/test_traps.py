"""Traps of the engine that a mapping falls into, each sprung once."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from schoolhouse.warehouse.connection import Warehouse
from tests.conftest import ROOT
from tests.warehouse.loading import as_bytes, load_lines, rows, statement, value

TORUS = "http://oli.cmu.edu/extensions/"
VIDEO = "https://w3id.org/xapi/video/"


def test_one_insert_may_span_more_than_a_hundred_months(tables: Warehouse) -> None:
    months = [f"{2005 + place // 12}-{place % 12 + 1:02}" for place in range(240)]
    lines = [statement(timestamp=f"{month}-15T12:00:00Z") for month in months]
    assert load_lines(tables, lines, source="decades").counts == (240, 0, 0)
    sql = "SELECT count() FROM (SELECT DISTINCT toYYYYMM(timestamp) FROM raw_events FINAL)"
    assert value(tables, sql) == 240
    sql = "SELECT uniqExact(partition), min(partition), max(partition) FROM system.parts WHERE active AND"
    parts = rows(tables, f"{sql} database = currentDatabase() AND table = 'raw_events'")
    assert parts == [(240, "200501", "202412")]


NASTY: list[Any] = [
    statement(timestamp="9999-12-31T23:59:59Z"),
    statement(timestamp="0000-00-00T00:00:00Z"),
    statement(stored="9999-99-99T99:99:99Z", mark="stored"),
    statement(id="zz-not-a-uuid", mark="id"),
    statement(context={"extensions": {TORUS + "section_id": 2**64}}, mark="big"),
    statement(context={"extensions": {TORUS + "section_id": "1e400"}}, mark="text"),
    statement(context={"extensions": {TORUS + "hints_requested": "99999999999"}}, mark="hints"),
    statement(context={"extensions": {TORUS + "experiment_attributions": [{"reward_value": "x"}, 5]}}, mark="reward"),
    statement(context={"contextActivities": {"parent": [{"id": {"a": 1}, "definition": [1]}, None, 7]}}, mark="parent"),
    statement(context={"contextActivities": {"parent": "{", "grouping": "["}}, mark="broken"),
    statement(result={"score": {"raw": 1e308, "max": 1e-308}}, mark="infinite"),
    statement(object={"id": "ccx-block-v1:+++++", "definition": {"type": "course-v1:"}}, mark="regex"),
    statement(verb={"id": "|"}, object={"id": "}", "definition": {"type": "|"}}, mark="bars"),
    b"\x00\xff\xfe{",
]


def test_no_line_leaves_half_results(tables: Warehouse) -> None:
    """A view that throws would leave the rows of the other views behind: lines of every kind, and all tables agree."""
    good = [statement(mark=place) for place in range(100)]
    loaded = load_lines(tables, [*good[:50], *NASTY, *good[50:]], source="nasty")
    summary = loaded.summary
    assert summary.lines == len(NASTY) + 100
    assert summary.rejected == {"bad_timestamp": 2, "not_json": 1}
    assert summary.accepted == summary.new == summary.lines - 3
    for table in ("raw_events", "statement_ids"):
        assert value(tables, "SELECT count() FROM {table:Identifier} FINAL", table=table) == summary.new
    assert value(tables, "SELECT count() FROM rejected_statements FINAL") == 3
    assert value(tables, "SELECT sum(load_counts.lines) FROM load_counts") == summary.lines


def test_a_wrong_type_is_null_and_not_zero(tables: Warehouse) -> None:
    names = ["project_id", "page_id", "activity_id", "page_attempt_number", "part_attempt_number", "hints_requested"]
    wrong: list[Any] = ["many", {"a": 1}, -1, None, ""]
    lines = [
        statement(
            mark=place,
            context={"extensions": {TORUS + name: value for name in names}},
            result={"score": {"raw": value if value != -1 else "x", "max": []}, "success": "perhaps"},
        )
        for place, value in enumerate(wrong)
    ]
    columns = ", ".join([*names, "score", "out_of", "scaled_score", "success", "completion"])
    found = load_lines(tables, lines, source="wrong").events(columns)
    assert len(found) == len(wrong)
    assert {column for row in found.values() for column in row.values()} == {None}


def test_the_view_of_video_events_counts_each_once(tables: Warehouse) -> None:
    watched = statement(
        verb={"id": VIDEO + "verbs/played"}, object={"id": "v", "definition": {"type": VIDEO + "activity-type/video"}}
    )
    for place in range(3):
        load_lines(tables, [watched, statement(mark=place)], source=f"{place}")
    assert rows(tables, "SELECT count(), any(verb), any(video_url) FROM video_events") == [(1, "played", "v")]
    # the trap: FINAL on a view says nothing and does nothing, so the view has it inside
    assert value(tables, "SELECT count() FROM video_events FINAL") == 1


def test_every_time_column_is_utc_by_declaration(tables: Warehouse) -> None:
    sql = "SELECT table, name, type FROM system.columns WHERE database = currentDatabase() AND type LIKE '%DateTime%'"
    found = rows(tables, sql)
    assert len(found) > 15
    assert [row for row in found if "'UTC'" not in row[2]] == []


def test_the_machines_time_zone_changes_nothing(tmp_path: Path) -> None:
    code = """
import sys
from schoolhouse.settings import load_settings
from schoolhouse.warehouse import migrations
from schoolhouse.warehouse.connection import open_warehouse
from schoolhouse.warehouse.loads import start_load
with open_warehouse(load_settings(data_dir=sys.argv[1]), must_exist=False) as warehouse:
    migrations.up(warehouse)
    with start_load(warehouse, route="file", source="x") as load:
        load.add_lines(sys.argv[2].encode(), source_file="x", first_line=1)
    sql = "SELECT toString(timestamp), toYYYYMM(timestamp), toUnixTimestamp(timestamp) FROM raw_events"
    print(warehouse.ask(sql, why="look").rows)
"""
    lines = as_bytes(statement(timestamp="2026-08-01T00:30:00")).decode()
    command = [sys.executable, "-c", code, str(tmp_path), lines]
    environment = os.environ | {"TZ": "America/New_York"}
    done = subprocess.run(command, capture_output=True, text=True, cwd=ROOT, env=environment, timeout=120)
    assert done.stdout.strip() == "[('2026-08-01 00:30:00.000', 202608, 1785544200)]", done.stderr


@pytest.mark.parametrize("lines", [30_000])
def test_the_memory_limit_does_not_break_a_load(tables: Warehouse, lines: int) -> None:
    assert tables.settings.clickhouse_max_memory_bytes == 1_000_000_000
    plain = as_bytes(statement(context={"extensions": {TORUS + "session_id": "x" * 1_500}}))
    block = [plain.replace(b"learner-1", f"learner-{place}".encode()) for place in range(lines)]
    assert load_lines(tables, block, source="many").counts == (lines, 0, 0)
