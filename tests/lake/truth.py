"""What a lake must hold for given events: each event once, and the sums of each learner's days."""

from __future__ import annotations

from collections import defaultdict
from datetime import datetime
from typing import Any

import polars as pl

from schoolhouse.lake.tables import Table
from schoolhouse.lake.zones import Lake


def must_hold(lake: Lake, attempts: list[dict[str, Any]], sessions: list[dict[str, Any]] | None = None) -> None:
    """The processed and aggregated zones are what these events come to, exactly."""
    processed = _rows(lake, "processed", "user_attempts")
    assert sorted(processed["event_id"]) == sorted({event["event_id"] for event in attempts})
    once = {event["event_id"]: event for event in attempts}.values()
    sums: dict[tuple[str, str], list[int]] = defaultdict(lambda: [0, 0])
    for event in once:
        day = datetime.fromisoformat(event["timestamp"]).date().isoformat()
        sums[event["user_id"], day][0] += 1
        sums[event["user_id"], day][1] += bool(event["correct"])
    daily = _rows(lake, "aggregated", "daily_aggregations")
    found = {
        (row["user_id"], f"{row['year']:04}-{row['month']:02}-{row['day']:02}"): row
        for row in daily.iter_rows(named=True)
    }
    assert {
        key: [row["total_attempts"], row["correct_attempts"]] for key, row in found.items() if row["total_attempts"]
    } == dict(sums)
    assert len(found) == daily.height
    if sessions is not None:
        assert sum(row["total_sessions"] for row in found.values()) == len({one["session_id"] for one in sessions})


def _rows(lake: Lake, zone: Any, name: str) -> pl.DataFrame:
    found = Table(lake, zone, name).scan()
    assert found is not None
    return found.collect()
