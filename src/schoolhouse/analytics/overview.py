"""One section on one page: how much happened, by how many learners, and events by type over time."""

from __future__ import annotations

import json
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import cache
from importlib.resources import files
from typing import Any, Final, Literal

from schoolhouse.analytics.readers import Readers
from schoolhouse.analytics.sections import SQL, Section
from schoolhouse.warehouse.statements import statement

Bucket = Literal["hour", "day", "week", "month"]

# The widest range that each bucket still shows in some hundred bars.
_WIDEST: Final[tuple[tuple[Bucket, timedelta], ...]] = (
    ("hour", timedelta(days=4)),
    ("day", timedelta(days=120)),
    ("week", timedelta(days=3 * 366)),
)

# One colour a type, the same on every chart, readable on light and on dark ground.
COLOURS: Final[dict[str, str]] = {
    "page_viewed": "#4a8fd4",
    "video": "#2aa198",
    "part_attempt": "#e08a3c",
    "activity_attempt": "#cf5b52",
    "page_attempt": "#8c70c4",
    "problem": "#d1a32a",
    "navigation": "#7a8ca8",
    "enrollment": "#58a55c",
    "forum": "#c86da4",
    "hint": "#a5813f",
    "grade": "#3d8b66",
    "completion": "#86b84e",
    "tutor_message": "#6673d6",
    "experiment": "#a9538f",
    "other": "#8f9196",
}


@dataclass(frozen=True)
class TypeCount:
    """Events of one type, and their share of the section's events (0 to 1)."""

    event_type: str
    events: int
    share: float


@dataclass(frozen=True)
class BucketCount:
    """Events of one type in `[since, until)`, UTC."""

    since: datetime
    until: datetime
    event_type: str
    events: int


@dataclass(frozen=True)
class SectionOverview:
    """What the overview shows; `seconds` is what its questions took."""

    section: Section
    events: int
    learners: int
    first_event: datetime | None
    newest_event: datetime | None
    by_type: tuple[TypeCount, ...]
    bucket: Bucket
    series: tuple[BucketCount, ...]
    seconds: float


def section_overview(readers: Readers, section: Section, *, who: str) -> SectionOverview:
    """Ask for the overview of one section: two questions, which read only that section's rows."""
    scope = {"section_id": section.section_id, "platform": section.platform}
    summary = readers.ask(statement("summarize_section", SQL), scope, who=who, why="section overview")
    facts = summary.first()
    events = facts["events"]
    if not events:
        return SectionOverview(section, 0, 0, None, None, (), "day", (), summary.seconds)
    bucket = choose_bucket(facts["first_event"], facts["newest_event"])
    counted = readers.ask(
        statement("count_events_by_type", SQL), {**scope, "bucket": bucket}, who=who, why="section overview"
    )
    series = tuple(BucketCount(since, end_of(since, bucket), kind, count) for since, kind, count in counted.rows)
    return SectionOverview(
        section=section,
        events=events,
        learners=facts["learners"],
        first_event=facts["first_event"],
        newest_event=facts["newest_event"],
        by_type=_by_type(series),
        bucket=bucket,
        series=series,
        seconds=summary.seconds + counted.seconds,
    )


def choose_bucket(first: datetime, newest: datetime) -> Bucket:
    """The finest bucket that still gives a readable number of bars between two times."""
    return next((bucket for bucket, widest in _WIDEST if newest - first <= widest), "month")


def end_of(since: datetime, bucket: Bucket) -> datetime:
    """Where the bucket that starts at `since` ends."""
    if bucket == "month":
        return datetime(since.year + since.month // 12, since.month % 12 + 1, 1, tzinfo=UTC)
    return since + {"hour": timedelta(hours=1), "day": timedelta(days=1), "week": timedelta(days=7)}[bucket]


def period_name(since: datetime, bucket: Bucket) -> str:
    """A bucket as people read it, in UTC."""
    if bucket == "month":
        return f"{since:%B %Y}"
    day = f"{since.day} {since:%b %Y}"
    if bucket == "hour":
        return f"{day}, {since:%H}:00"
    return f"week of {day}" if bucket == "week" else day


def type_name(event_type: str) -> str:
    """An event type as people read it."""
    return event_type.replace("_", " ").capitalize()


def events_by_type_chart(overview: SectionOverview) -> dict[str, Any]:
    """The Vega-Lite specification of the overview's chart, with its data."""
    spec: dict[str, Any] = json.loads(_chart("events_by_type"))
    types = [count.event_type for count in overview.by_type]
    spec["encoding"]["color"]["scale"] = {
        "domain": [type_name(kind) for kind in types],
        "range": [COLOURS.get(kind, COLOURS["other"]) for kind in types],
    }
    spec["data"]["values"] = [
        {
            "since": f"{count.since:%Y-%m-%dT%H:%M:%SZ}",
            "until": f"{count.until:%Y-%m-%dT%H:%M:%SZ}",
            "period": period_name(count.since, overview.bucket),
            "label": type_name(count.event_type),
            "rank": types.index(count.event_type),
            "events": count.events,
        }
        for count in overview.series
    ]
    return spec


def _by_type(series: tuple[BucketCount, ...]) -> tuple[TypeCount, ...]:
    totals: dict[str, int] = {}
    for count in series:
        totals[count.event_type] = totals.get(count.event_type, 0) + count.events
    events = sum(totals.values())
    ordered = sorted(totals.items(), key=lambda total: (-total[1], total[0]))
    return tuple(TypeCount(kind, count, count / events) for kind, count in ordered)


@cache
def _chart(name: str) -> str:
    return files("schoolhouse.analytics.charts").joinpath(f"{name}.json").read_text(encoding="utf-8")
