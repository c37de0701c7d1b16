"""The overview of one section equals what was given, and reads no more than that section."""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta
from importlib.resources import files

import pytest

from schoolhouse.analytics.overview import (
    choose_bucket,
    end_of,
    events_by_type_chart,
    period_name,
    section_overview,
)
from schoolhouse.analytics.readers import Readers
from schoolhouse.analytics.sections import SQL, find_section
from schoolhouse.warehouse.connection import Warehouse
from schoolhouse.warehouse.statements import describe, statement
from tests.given import HOST, load, small_campus

QUESTIONS = sorted(entry.name[:-4] for entry in files(SQL).iterdir() if entry.name.endswith(".sql"))
PARAMETERS = {
    "section_id": 5,
    "section_ids": [5],
    "project_id": 7,
    "platform": HOST,
    "bucket": "day",
    "key": "k",
    "load_id": 1,
    "source_line": 1,
    "limit": 10,
    "tables": ["raw_events"],
}


def test_the_overview_counts_what_was_given(readers: Readers, tables: Warehouse) -> None:
    load(tables, small_campus())
    overview = section_overview(readers, find_section(readers, "42@torus.example", who="tests"), who="tests")
    assert (overview.events, overview.learners, overview.bucket) == (3, 2, "hour")
    assert overview.first_event == datetime(2026, 3, 1, 10, tzinfo=UTC)
    assert overview.newest_event == datetime(2026, 3, 2, 11, 45, tzinfo=UTC)
    assert [(count.event_type, count.events) for count in overview.by_type] == [("page_viewed", 2), ("page_attempt", 1)]
    assert [(count.since, count.event_type, count.events) for count in overview.series] == [
        (datetime(2026, 3, 1, 10, tzinfo=UTC), "page_viewed", 1),
        (datetime(2026, 3, 2, 11, tzinfo=UTC), "page_attempt", 1),
        (datetime(2026, 3, 2, 11, tzinfo=UTC), "page_viewed", 1),
    ]


def test_the_steps_of_every_width_hold_all_events(campus: Readers) -> None:
    scope = {"section_id": 43, "platform": HOST}
    for bucket in ("hour", "day", "week", "month"):
        rows = campus.ask(
            statement("count_events_by_type", SQL), {**scope, "bucket": bucket}, who="tests", why="tests"
        ).rows
        assert sum(count for _, _, count in rows) == 200
        for since, _, _ in rows:
            assert end_of(since, bucket) > since  # type: ignore[arg-type]
            assert since.tzinfo is not None
            if bucket == "week":
                assert since.weekday() == 0


@pytest.mark.parametrize("handle", ["embedded"], indirect=True)
def test_the_overview_reads_only_that_sections_granules(readers: Readers, tables: Warehouse) -> None:
    tables.run(
        """INSERT INTO raw_events (event_id, user_id, platform, section_id, timestamp, event_type)
        SELECT generateUUIDv4(), 'u', {host:String}, number % 20,
            toDateTime64('2026-03-01 00:00:00', 3, 'UTC') + number, 'video'
        FROM numbers(400000)""",
        {"host": HOST},
        why="tests",
    )
    tables.run("OPTIMIZE TABLE raw_events FINAL", why="tests")  # one part, whatever merges have run
    for name in ("summarize_section", "count_events_by_type"):
        plan = "\n".join(
            row[0] for row in tables.ask(f"EXPLAIN indexes = 1 {statement(name, SQL)}", PARAMETERS, why="tests").rows
        )
        selected, total = map(int, re.findall(r"Granules: (\d+)/(\d+)", plan)[-1])
        # 20,000 rows of 8,192 to a granule lie in at most 4 granules
        assert total >= 48
        assert selected <= 4, plan


def test_counting_reads_neither_statements_nor_other_wide_columns(campus: Readers) -> None:
    for name in ("list_sections", "summarize_section", "count_events_by_type"):
        plan = campus.ask(f"EXPLAIN header = 1 {statement(name, SQL)}", PARAMETERS, who="tests", why="tests").rows
        text = "\n".join(row[0] for row in plan)
        assert "FINAL: 1" in text
        for wide in ("statement", "response", "event_digest", "object_id"):
            assert not re.search(rf"\b{wide}\b", text), (name, wide)


@pytest.mark.parametrize("name", QUESTIONS)
def test_every_question_says_what_it_answers_and_runs(campus: Readers, name: str) -> None:
    text = statement(name, SQL)
    title, meaning = describe(text)
    assert title
    assert "?" in meaning
    asked = set(re.findall(r"\{(\w+):", text))
    campus.ask(text, {key: PARAMETERS[key] for key in asked}, who="tests", why="tests")


@pytest.mark.parametrize(
    ("span", "bucket"),
    [
        (timedelta(0), "hour"),
        (timedelta(days=4), "hour"),
        (timedelta(days=5), "day"),
        (timedelta(days=200), "week"),
        (timedelta(days=4000), "month"),
    ],
)
def test_the_bucket_follows_the_range(span: timedelta, bucket: str) -> None:
    start = datetime(2026, 1, 1, tzinfo=UTC)
    assert choose_bucket(start, start + span) == bucket


def test_months_end_where_the_next_begins() -> None:
    assert end_of(datetime(2025, 12, 1, tzinfo=UTC), "month") == datetime(2026, 1, 1, tzinfo=UTC)
    assert end_of(datetime(2026, 2, 1, tzinfo=UTC), "month") == datetime(2026, 3, 1, tzinfo=UTC)


def test_periods_read_like_calendars() -> None:
    moment = datetime(2026, 3, 2, 9, tzinfo=UTC)
    assert [period_name(moment, bucket) for bucket in ("hour", "day", "week", "month")] == [
        "2 Mar 2026, 09:00",
        "2 Mar 2026",
        "week of 2 Mar 2026",
        "March 2026",
    ]


def test_the_chart_holds_the_overviews_numbers(campus: Readers) -> None:
    chart = events_by_type_chart(
        section_overview(campus, find_section(campus, "42@torus.example", who="tests"), who="tests")
    )
    assert chart["encoding"]["color"]["scale"]["domain"] == ["Page viewed", "Page attempt"]
    assert sum(row["events"] for row in chart["data"]["values"]) == 3
    assert chart["data"]["values"][0] == {
        "since": "2026-03-01T10:00:00Z",
        "until": "2026-03-01T11:00:00Z",
        "period": "1 Mar 2026, 10:00",
        "label": "Page viewed",
        "rank": 0,
        "events": 1,
    }
