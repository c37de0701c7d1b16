"""What an operator may ask for: settings and options from closed lists, and no request that makes no sense."""

from __future__ import annotations

from typing import Any

import pytest

from schoolhouse.backfill.requests import read_request
from schoolhouse.errors import UsageError

PATTERN = {"s3_pattern": "s3://bucket/*"}


def test_the_defaults_are_those_of_the_documentation() -> None:
    manual: Any = read_request("manual", PATTERN)
    assert (manual.format, manual.chunk_size, manual.max_attempts, manual.optimize) == ("lines", 100, 3, True)
    run: Any = read_request("inventory", {"inventory_date": "2024-01-31"})
    assert (run.batch_chunk_size, run.max_simultaneous_batches, run.max_batch_attempts) == (25, 1, 1)


@pytest.mark.parametrize(
    ("values", "name"),
    [
        ({"clickhouse_settings": {"readonly": 0}}, "clickhouse_settings"),
        ({"clickhouse_settings": {"max_threads": "4; DROP TABLE x"}}, "clickhouse_settings"),
        ({"clickhouse_settings": {"max_threads": 100_000}}, "clickhouse_settings"),
        ({"clickhouse_settings": {"max_threads = 1, readonly": 0}}, "clickhouse_settings"),
        ({"options": {"password": "x"}}, "options"),
        ({"options": {"quota_key": "a b&user=x"}}, "options"),
        ({"target_table": "system.users"}, "target_table"),
        ({"target_table": "a.raw_events; DROP"}, "target_table"),
        ({"format": "Native"}, "format"),
        ({"chunk_size": 0}, "chunk_size"),
        ({"max_attempts": 4}, "max_attempts"),
        ({"status": "completed"}, "status"),
        ({"initiated_by": "somebody else"}, "initiated_by"),
        ({"s3_pattern": "s3://bucket/\x00"}, "s3_pattern"),
        ({"s3_pattern": ""}, "s3_pattern"),
    ],
)
def test_a_wrong_value_is_named(values: dict[str, Any], name: str) -> None:
    with pytest.raises(UsageError, match=name):
        read_request("manual", {**PATTERN, **values})


@pytest.mark.parametrize(
    "values",
    [
        {},
        {"inventory_date": "2024-01-31", "manifest_url": "s3://bucket/manifest.json"},
        {"inventory_date": "2024-01-31", "date_range_start": "2024-02-01", "date_range_end": "2024-01-01"},
        {"inventory_date": "31.1.2024"},
        {"inventory_date": "1706659200"},
        {"inventory_date": "2024-01-31", "date_range_start": "2024"},
        {"inventory_date": "2024-01-31", "date_range_start": 20240131},
        {"inventory_date": "2024-01-31", "date_range_end": "9999-12-31T23:00:00-12:00"},
    ],
)
def test_an_inventory_is_named_once_and_ranges_run_forward(values: dict[str, Any]) -> None:
    with pytest.raises(UsageError):
        read_request("inventory", values)


def test_settings_of_an_insert_and_options_of_a_query_are_taken() -> None:
    values = {"clickhouse_settings": {"max_threads": "4", "max_memory_usage": 10**9}, "options": {"quota_key": "night"}}
    request = read_request("manual", {**PATTERN, **values})
    assert request.clickhouse_settings == {"max_threads": 4, "max_memory_usage": 10**9}
    assert request.options == {"quota_key": "night"}


@pytest.mark.parametrize(
    ("kind", "values", "says"),
    [
        ("inventory", {}, "The run cannot be made: give the date"),
        (
            "manual",
            {**PATTERN, "clickhouse_settings": {"max_threads": "abc"}},
            "clickhouse_settings: max_threads: Input",
        ),
    ],
)
def test_a_refusal_names_what_it_is_about(kind: Any, values: dict[str, Any], says: str) -> None:
    with pytest.raises(UsageError, match=says):
        read_request(kind, values)
