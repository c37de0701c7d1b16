"""Timestamps: what is a time, which, and what is none. A statement without a usable time is rejected, never 1970."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from schoolhouse.warehouse.connection import Warehouse
from tests.warehouse.loading import as_bytes, load_lines, rows, statement, value

TIMES: dict[str, str] = {
    # offsets
    "2026-08-01T12:00:00Z": "2026-08-01 12:00:00.000",
    "2026-08-01T12:00:00z": "2026-08-01 12:00:00.000",
    "2026-08-01T12:00:00": "2026-08-01 12:00:00.000",
    "2026-08-01T12:00:00+05:30": "2026-08-01 06:30:00.000",
    "2026-08-01T12:00:00-0330": "2026-08-01 15:30:00.000",
    "2026-08-01T12:00:00+05": "2026-08-01 07:00:00.000",
    "2026-08-01T12:00:00-00:00": "2026-08-01 12:00:00.000",
    "2026-08-01T00:00:00+14:00": "2026-07-31 10:00:00.000",
    "2025-12-31T23:30:00-01:00": "2026-01-01 00:30:00.000",
    "2026-08-01T12:00:00+23:59": "2026-07-31 12:01:00.000",
    # between date and time
    "2026-08-01t12:00:00Z": "2026-08-01 12:00:00.000",
    "2026-08-01 12:00:00Z": "2026-08-01 12:00:00.000",
    "2026-08-01 12:00:00": "2026-08-01 12:00:00.000",
    "2026-08-01 12:00:00+05:30": "2026-08-01 06:30:00.000",
    # fractions
    "2026-08-01T12:00:00.5Z": "2026-08-01 12:00:00.500",
    "2026-08-01T12:00:00.05Z": "2026-08-01 12:00:00.050",
    "2026-08-01T12:00:00.123Z": "2026-08-01 12:00:00.123",
    "2026-08-01T12:00:00.123456Z": "2026-08-01 12:00:00.123",
    "2026-08-01T12:00:00.123456789Z": "2026-08-01 12:00:00.123",
    "2026-08-01T12:00:00.999999999Z": "2026-08-01 12:00:00.999",
    "2026-08-01T12:00:00,5Z": "2026-08-01 12:00:00.500",
    "2026-08-01T12:00:00,25+01:00": "2026-08-01 11:00:00.250",
    "2026-08-01T12:00:00.5": "2026-08-01 12:00:00.500",
    # days and hours at the edge of the calendar
    "2016-12-31T23:59:60Z": "2017-01-01 00:00:00.000",
    "2024-02-29T00:00:00Z": "2024-02-29 00:00:00.000",
    "2000-02-29T23:59:59Z": "2000-02-29 23:59:59.000",
    "1990-01-01T00:00:00Z": "1990-01-01 00:00:00.000",
    "1989-12-31T23:00:00-01:00": "1990-01-01 00:00:00.000",
}

NO_TIMES: list[Any] = [
    ...,  # absent
    None,
    "",
    " ",
    5,
    1785585600,
    1785585600.5,
    "1785585600",
    True,
    {},
    ["2026-08-01T12:00:00Z"],
    {"time": "2026-08-01T12:00:00Z"},
    "Jan 5",
    "2024",
    "10:00",
    "now",
    "yesterday",
    "2026-08-01",
    "2026-08",
    "20260801T120000Z",
    "2026-W31-6T12:00:00Z",
    "08/01/2026 12:00:00",
    "Sat, 01 Aug 2026 12:00:00 GMT",
    "2026-08-01T12:00Z",
    "2026-08-01T12Z",
    "2026-08-01T12:00:00.Z",
    "2026-08-01T12:00:00.1234567890Z",
    "2026-08-01T12:00:00 Z",
    " 2026-08-01T12:00:00Z",
    "2026-08-01T12:00:00Z\n",
    "2026-08-01T12:00:00Zulu",
    "2026-08-01T12:00:00UTC",
    "2026-08-01T12:00:00 Europe/Paris",
    "2026-08-01T12:00:00+5",
    "2026-08-01T12:00:00+24:00",
    "2026-08-01T12:00:00+05:60",
    "2026-08-01T12:00:00+05:30:15",
    "2026-8-1T12:00:00Z",
    "26-08-01T12:00:00Z",
    "+2026-08-01T12:00:00Z",
    "-0044-03-15T12:00:00Z",
    "2026-02-30T00:00:00Z",
    "2025-02-29T00:00:00Z",
    "1900-02-29T00:00:00Z",
    "2026-04-31T00:00:00Z",
    "2026-00-10T00:00:00Z",
    "2026-13-01T00:00:00Z",
    "2026-01-00T00:00:00Z",
    "2026-01-32T00:00:00Z",
    "2026-08-01T24:00:00Z",
    "2026-08-01T25:00:00Z",
    "2026-08-01T12:60:00Z",
    "2026-08-01T12:00:61Z",
    "٢٠٢٦-٠٨-٠١T١٢:٠٠:٠٠Z",
    # absurd years
    "1970-01-01T00:00:00Z",
    "1989-12-31T23:59:59.999Z",
    "1990-01-01T00:00:00+00:01",
    "0000-01-01T00:00:00Z",
    "0001-01-01T00:00:00Z",
    "2261-01-01T00:00:00Z",
    "2262-04-12T00:00:00Z",
    "2263-01-01T00:00:00Z",
    "2299-12-31T23:59:59.999Z",
    "2300-01-01T00:00:00Z",
    "9999-12-31T23:59:59Z",
]


@pytest.fixture(scope="module")
def times(shared_tables: Warehouse) -> dict[int, str]:
    lines = [statement(timestamp=time, mark=time) for time in TIMES]
    events = load_lines(shared_tables, lines, source="times.jsonl").events("toString(timestamp) AS time")
    return {line: row["time"] for line, row in events.items()}


@pytest.mark.parametrize("time", TIMES)
def test_a_time_is_kept_in_utc_with_milliseconds(times: dict[int, str], time: str) -> None:
    assert times[list(TIMES).index(time) + 1] == TIMES[time]


def test_what_is_no_time_is_rejected(shared_tables: Warehouse) -> None:
    lines = [statement(timestamp=time, mark=place) for place, time in enumerate(NO_TIMES)]
    loaded = load_lines(shared_tables, lines, source="no times.jsonl")
    verdicts = loaded.verdicts(len(lines))
    assert [time for time, verdict in zip(NO_TIMES, verdicts, strict=True) if verdict != "bad_timestamp"] == []
    assert loaded.summary.rejected == {"bad_timestamp": len(NO_TIMES)}


def test_an_event_may_lie_ahead_by_less_than_a_day(shared_tables: Warehouse) -> None:
    now = datetime.now(UTC)
    ahead = [timedelta(hours=-1), timedelta(0), timedelta(hours=23, minutes=59), timedelta(hours=24, minutes=5)]
    lines = [statement(timestamp=(now + away).isoformat()) for away in [*ahead, timedelta(days=366)]]
    verdicts = load_lines(shared_tables, lines, source="ahead.jsonl").verdicts(len(lines))
    assert verdicts == ["", "", "", "bad_timestamp", "bad_timestamp"]


def test_nothing_is_stored_as_1970(shared_tables: Warehouse, times: dict[int, str]) -> None:
    assert len(times) == len(TIMES)
    assert value(shared_tables, "SELECT min(timestamp) >= '1990-01-01' FROM raw_events") == 1


@pytest.mark.parametrize("zone", ["America/New_York", "Asia/Kolkata", "Pacific/Apia"])
def test_a_sessions_time_zone_changes_no_time(shared_tables: Warehouse, zone: str) -> None:
    """Columns are UTC by declaration: an insert under another session's zone gives the same times, and the same ids."""
    lines = [as_bytes(statement(timestamp=time, mark=zone)).decode() for time in TIMES]
    source = f"{zone}.jsonl"
    sql = """
        INSERT INTO ingest (line, source_file, source_line)
        SELECT line, {source:String}, place
        FROM (SELECT {lines:Array(String)} AS lines) ARRAY JOIN lines AS line, arrayEnumerate(lines) AS place
    """
    shared_tables.run(sql, {"lines": lines, "source": source}, why="insert", limits={"session_timezone": zone})
    kept = """
        SELECT toString(timestamp, 'UTC') FROM raw_events WHERE source_file = {source:String} ORDER BY source_line
    """
    assert [time for (time,) in rows(shared_tables, kept, source=source)] == list(TIMES.values())
