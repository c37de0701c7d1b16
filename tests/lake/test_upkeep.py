"""Retention, erasing, compaction, following, alerts, figures: what a manager of the lake relies on."""

from __future__ import annotations

import json
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path
from typing import Any

import polars as pl
import pytest
from pydantic import SecretStr

from schoolhouse.errors import SchoolhouseError
from schoolhouse.lake import erasure, integrity, metrics, retention, summary, upkeep, window
from schoolhouse.lake.clock import Window, now, window_of
from schoolhouse.lake.follow import Follower
from schoolhouse.lake.tables import Change, Table
from schoolhouse.lake.usage import usage
from schoolhouse.lake.usage_page import page
from schoolhouse.lake.zones import Lake, lake_of
from tests.lake.broker import HOUR, START, Broker, attempts, messages, session
from tests.lake.truth import must_hold

FIRST = Window(START)
Rows = Callable[[Any, str], pl.DataFrame]


@pytest.fixture
def loaded(broker: Broker, lake: Lake) -> Lake:
    """A lake with a window of 1 January 2024 and one of the hour before the last, which is closed by now."""
    recent = window_of(now()).before.before
    broker.send("user.attempts", messages(attempts(50, START) + attempts(30, recent.start, first=50)))
    met = [session(number, START + number * timedelta(minutes=5)) for number in range(10)]
    broker.send("user.sessions", messages(met))
    broker.send("user.attempts", [(recent.start, b"learner-3 broke this", 0)])
    for name, one in (("user_attempts", FIRST), ("user_sessions", FIRST), ("user_attempts", recent)):
        window.run(lake, name, one)
    return lake


def test_a_dry_run_tells_what_cleaning_up_then_drops(loaded: Lake, rows_of: Rows) -> None:
    would = {(one.zone, one.table): (one.rows, one.days) for one in retention.cleanup(loaded, dry_run=True)}
    assert rows_of("raw", "user_attempts").height == 80  # nothing is gone
    did = {(one.zone, one.table): (one.rows, one.days) for one in retention.cleanup(loaded, dry_run=False)}

    assert would == did
    assert would["raw", "user_attempts"] == (50, 1)
    assert would["processed", "user_attempts"] == (50, 1)
    assert would["aggregated", "daily_aggregations"] == (0, 0)
    assert rows_of("raw", "user_attempts").height == 30
    assert rows_of("aggregated", "daily_aggregations").height > 17
    assert rows_of("processed", "learner_states").filter(pl.col("window_start") > START).height


def test_retention_of_zero_days_keeps_for_ever(loaded: Lake, rows_of: Rows) -> None:
    update = {"lake_raw_retention_days": 0, "lake_processed_retention_days": 0, "lake_aggregated_retention_days": 0}
    keeping = lake_of(loaded.settings.model_copy(update=update))
    assert sum(one.rows for one in retention.cleanup(keeping, dry_run=False) if one.table != "learner_states") == 0
    assert rows_of("raw", "user_attempts").height == 80


def test_files_that_no_table_names_go_when_their_hours_are_over(loaded: Lake) -> None:
    assert loaded.directory is not None
    orphan = loaded.directory / "raw" / "user_attempts" / "year=2024" / "month=3" / "day=4" / "part-orphan.parquet"
    orphan.write_bytes(b"left by a writer that was killed")

    retention.cleanup(loaded, dry_run=False)
    assert orphan.exists()  # a writer under way might still name it
    retention.cleanup(lake_of(loaded.settings.model_copy(update={"lake_vacuum_hours": 0})), dry_run=False)
    assert not orphan.exists()


def test_one_learner_is_erased_from_every_zone_and_from_the_files(loaded: Lake, rows_of: Rows) -> None:
    learner = "learner-3"
    counted = {(one.zone, one.table): one.rows for one in erasure.erase(loaded, learner, dry_run=True)}
    before = rows_of("processed", "user_attempts").filter(pl.col("user_id") != learner).sort("event_id")
    erased = {(one.zone, one.table): one.rows for one in erasure.erase(loaded, learner, dry_run=False)}

    assert counted == erased
    assert erased["raw", "user_attempts"] == erased["processed", "user_attempts"] > 0
    assert erased["quarantine", "messages"] == 1
    assert not any(one.rows for one in erasure.erase(loaded, learner, dry_run=True))
    assert rows_of("processed", "user_attempts").sort("event_id").equals(before)
    assert rows_of("aggregated", "daily_aggregations").filter(user_id=learner).height == 0
    assert loaded.directory is not None
    mentions = [
        path
        for path in loaded.directory.rglob("*")
        if path.is_file() and any(sign in path.read_bytes() for sign in (b'learner-3"', b"learner-3 "))
    ]
    assert mentions == []


def test_the_log_of_a_table_holds_no_learner(loaded: Lake) -> None:
    assert loaded.directory is not None
    logs = [path.read_text() for path in loaded.directory.rglob("_delta_log/*.json")]
    assert logs
    assert not any("learner-1" in text for text in logs)


def test_compaction_joins_files_and_changes_no_row(broker: Broker, lake: Lake, rows_of: Rows) -> None:
    events = [event for hour in range(3) for event in attempts(20, START + hour * HOUR, first=20 * hour)]
    broker.send("user.attempts", messages(events))
    for hour in range(3):
        window.run(lake, "user_attempts", Window(START + hour * HOUR))
    before = rows_of("processed", "user_attempts").sort("event_id")

    done = {(one.zone, one.table): one for one in upkeep.compact(lake)}

    assert (done["processed", "user_attempts"].files_before, done["processed", "user_attempts"].files_after) == (3, 1)
    assert rows_of("processed", "user_attempts").sort("event_id").equals(before)
    must_hold(lake, events)
    table = Table(lake, "processed", "user_attempts")
    assert table.number("user_attempts 2024-03-04T10") == 1  # transactions survive


def test_following_keeps_the_hour_fresh_and_goes_on_after_a_restart(broker: Broker, lake: Lake) -> None:
    current = window_of(now())
    events = attempts(60, current.start, span=timedelta(seconds=1))
    seen: list[int] = []
    for part in (events[:20], events[20:40], events[40:]):  # each time another follower
        broker.send("user.attempts", messages(part))
        Follower(lake, ["user_attempts"], tell=lambda outcome: seen.append(outcome.done.rows)).run(rounds=1)

    assert sum(seen) == 60
    must_hold(lake, events)


def test_following_closes_the_hour_that_is_over(broker: Broker, lake: Lake) -> None:
    over = window_of(now()).before
    broker.send("user.attempts", messages(attempts(10, over.start)))
    follower = Follower(lake_of(lake.settings.model_copy(update={"lake_grace_seconds": 0})), ["user_attempts"])
    follower._open["user_attempts"] = over
    follower.run(rounds=1)
    assert window.run(lake, "user_attempts", over).did == "already"
    assert follower._open["user_attempts"] == Window(over.end)


def test_an_hour_in_its_grace_does_not_keep_the_next_one_waiting(broker: Broker, lake: Lake) -> None:
    over = window_of(now()).before
    events = attempts(10, over.start) + attempts(10, over.end, first=10, span=timedelta(seconds=1))
    broker.send("user.attempts", messages(events))
    patient = lake_of(lake.settings.model_copy(update={"lake_grace_seconds": 7200}))
    follower = Follower(patient, ["user_attempts"])
    follower._open["user_attempts"] = over
    follower.run(rounds=1)

    must_hold(lake, events)
    assert window.run(patient, "user_attempts", over).state == "open"
    assert follower._open["user_attempts"] == over


def test_a_slice_that_is_held_back_does_not_stop_the_rest_of_its_hour(
    broker: Broker, lake: Lake, rows_of: Rows, webhook: tuple[str, list[dict[str, Any]]]
) -> None:
    url, told = webhook
    over = window_of(now()).before
    of_grace = lake.settings.model_copy(update={"lake_grace_seconds": 7200, "lake_alert_webhook": SecretStr(url)})
    seen: list[tuple[str, str, int]] = []
    follower = Follower(
        lake_of(of_grace),
        ["user_attempts"],
        tell=lambda outcome: seen.append((outcome.state, outcome.done.level, outcome.done.rows)),
    )
    follower._open["user_attempts"] = over
    events = attempts(50, over.start, first=1)
    broker.send("user.attempts", messages([{**attempts(1, over.start)[0], "item_id": None}]))
    follower.run(rounds=1)
    broker.send("user.attempts", messages(events))
    follower.run(rounds=1)

    assert seen[0] == ("quarantined", "critical", 0)
    assert [(state, rows) for state, _, rows in seen[1:]] == [("open", 50)]
    must_hold(lake, events)
    assert rows_of("quarantine", "user_attempts").height == 1

    follower.lake = lake_of(of_grace.model_copy(update={"lake_grace_seconds": 0}))
    follower.run(rounds=1)
    standing = {one.dataset: one for one in summary.status(lake, 3)}["user_attempts"]
    assert follower._open["user_attempts"] == Window(over.end)
    assert (standing.quarantined, standing.open) == (1, 0)  # a row of it is still held
    assert [one["kind"] for one in told].count("window_quarantined") == 1
    assert window.run(lake, "user_attempts", over).did == "already"


def test_an_hour_that_ends_with_rows_held_back_is_loaded_when_they_are_good(
    broker: Broker, lake: Lake, rows_of: Rows
) -> None:
    over = window_of(now()).before
    patient = lake_of(lake.settings.model_copy(update={"lake_grace_seconds": 7200}))
    hasty = lake_of(lake.settings.model_copy(update={"lake_grace_seconds": 0}))
    rest = attempts(3000, over.start, first=1)
    for events in ([{**attempts(1, over.start)[0], "item_id": None}], rest):
        broker.send("user.attempts", messages(events))
        window.run(patient, "user_attempts", over)
    assert window.run(hasty, "user_attempts", over).state == "quarantined"

    outcome = window.run(hasty, "user_attempts", over, again=True)  # one of so many is within the tolerance

    assert (outcome.state, outcome.is_ended, outcome.done.rows) == ("loaded", True, 3001)
    assert rows_of("quarantine", "user_attempts").height == 0
    must_hold(lake, [*attempts(1, over.start), *rest])


def test_checking_what_is_stored_finds_rows_that_stand_twice(loaded: Lake) -> None:
    until = START.replace(hour=0) + timedelta(days=1)
    good = integrity.validate(loaded, "user_attempts", 2, until=until)
    assert [(one.rows, one.problems, one.is_broken) for one in good] == [(0, [], False), (50, [], False)]
    sums = integrity.validate(loaded, "daily_aggregations", 1, until=until)
    assert not sums[0].is_broken

    table = Table(loaded, "processed", "user_attempts")
    found = table.scan()
    assert found is not None
    copies = found.filter(pl.col("window_start") == START).collect()
    table.commit(copies.schema, lambda _: Change(copies, {}))

    assert integrity.validate(loaded, "user_attempts", 1, until=until)[0].problems == ["50 rows stand twice"]
    assert integrity.validate(loaded, "daily_aggregations", 1, until=until)[0].is_broken


def test_a_file_that_is_gone_makes_its_day_critical_and_no_other(loaded: Lake) -> None:
    for file in (Path(loaded.root) / "processed" / "user_attempts").glob("year=2024/**/*.parquet"):
        file.unlink()

    checked = integrity.validate(loaded, "user_attempts", 1, until=START + 12 * HOUR)
    assert [(one.level, one.is_broken) for one in checked] == [("critical", True)]
    assert "cannot be used" in checked[0].problems[0]
    assert not any(one.is_broken for one in integrity.validate(loaded, "user_attempts", 2))


def test_summary_status_and_figures_say_what_is_there(loaded: Lake) -> None:
    held = {(one.zone, one.table): one for one in summary.summary(loaded)}
    raw = held["raw", "user_attempts"]
    assert (raw.rows, raw.partitions, raw.keep_days) == (80, 2, 90)
    standing = {one.dataset: one for one in summary.status(loaded)}["user_attempts"]
    assert (standing.newest_state, standing.loaded, standing.lag) == ("loaded", 1, 0)
    used = usage(loaded, 1)
    figures = {one.dataset: one for one in used.datasets}["user_attempts"]
    assert (figures.windows, figures.rows, figures.poison, figures.success_rate) == (1, 30, 1, 1.0)
    assert figures.readable == pytest.approx(30 / 31)
    text = metrics.exposition(loaded)
    assert 'schoolhouse_lake_rows{dataset="user_attempts"} 30' in text
    assert 'schoolhouse_lake_consumer_lag{dataset="user_attempts"} 0' in text
    assert 'schoolhouse_lake_table_rows{zone="raw",table="user_attempts"} 80' in text
    html = page(used)
    assert "<svg" in html
    assert "Bytes of processed by day of the data" in html
    assert "http" not in html


def test_an_hour_that_nobody_ran_is_missing(broker: Broker, lake: Lake) -> None:
    hours = [Window(window_of(now()).start - count * HOUR) for count in (4, 2)]
    for one in hours:
        window.run(lake, "user_attempts", one)
    standing = {one.dataset: one for one in summary.status(lake, 6)}["user_attempts"]
    assert str(Window(hours[0].end)) in standing.missing


def test_a_lake_that_nobody_has_loaded_for_days_misses_every_hour_since(broker: Broker, lake: Lake) -> None:
    last = Window(window_of(now()).start - 72 * HOUR)
    window.run(lake, "user_attempts", last)
    without_grace = lake_of(lake.settings.model_copy(update={"lake_grace_seconds": 0}))
    standing = {one.dataset: one for one in summary.status(without_grace)}
    assert standing["user_attempts"].newest_loaded == last.start
    assert len(standing["user_attempts"].missing) == 24
    assert standing["user_sessions"].missing == []  # nobody ever loaded it


def test_a_report_says_what_its_days_have_added_to_each_table(loaded: Lake) -> None:
    grown = {(one.zone, one.table): one for one in usage(loaded, 2).growth}["raw", "user_attempts"]
    assert (grown.days, grown.rows) == (1, 30)
    assert grown.bytes_per_day == grown.size_bytes == grown.largest_day_bytes > 0
    both = {(one.zone, one.table): one for one in usage(loaded, 10_000).growth}["raw", "user_attempts"]
    assert (both.days, both.rows, both.bytes_per_day) == (2, 80, both.size_bytes // 2)


def test_a_table_that_goes_by_months_is_told_by_the_days_of_its_windows(loaded: Lake) -> None:
    recent = window_of(now()).before.before
    window.run(loaded, "user_attempts", Window(START + 36 * HOUR))
    held = {(one.zone, one.table): one for one in summary.summary(loaded)}["operations", "windows"]
    assert held.partitions == 2
    assert held.oldest == START.date()
    assert held.newest is not None
    assert recent.start.date() <= held.newest <= now().date()
    grown = {(one.zone, one.table): one for one in usage(loaded, 10_000).growth}["operations", "windows"]
    assert grown.days == 3  # the 4th and 5th of March, and today
    assert grown.bytes_per_day == grown.size_bytes // 3


def test_the_webhook_hears_of_windows_that_fail_or_are_held_back(
    broker: Broker, lake: Lake, rows_of: Rows, webhook: tuple[str, list[dict[str, Any]]]
) -> None:
    url, told = webhook
    alerting = lake_of(
        lake.settings.model_copy(update={"lake_alert_webhook": SecretStr(url), "kafka_timeout_seconds": 1})
    )
    bad = [{**event, "correct": None, "item_id": None} for event in attempts(20, START)]
    broker.send("user.attempts", messages(bad))

    held = window.run(alerting, "user_attempts", FIRST)
    broker.stop()
    broker.start()
    broker.delete("user.sessions")
    with pytest.raises(SchoolhouseError):
        window.run(alerting, "user_sessions", FIRST)

    assert held.state == "quarantined"
    assert rows_of("processed", "user_attempts").height == 0
    assert rows_of("quarantine", "user_attempts").height == 20
    assert told[0]["kind"] == "window_quarantined"
    assert "learner" not in json.dumps(told)


def test_a_window_that_was_held_back_is_freed_when_it_is_good(broker: Broker, lake: Lake, rows_of: Rows) -> None:
    bad = [{**event, "correct": None, "item_id": None} for event in attempts(20, START)]
    broker.send("user.attempts", messages(bad))
    window.run(lake, "user_attempts", FIRST)
    raw = Table(lake, "raw", "user_attempts")
    found = raw.scan()
    assert found is not None
    mended = found.with_columns(correct=pl.lit(value=True), item_id=pl.lit("item-1")).collect()
    raw.commit(mended.schema, lambda _: Change(mended, {}, "window_start = '2024-03-04T10:00:00Z'"))

    outcome = window.run(lake, "user_attempts", FIRST, again=True)

    assert (outcome.state, outcome.done.rows) == ("loaded", 20)
    assert rows_of("quarantine", "user_attempts").height == 0
    assert rows_of("processed", "user_attempts").height == 20


def test_an_event_of_a_day_whose_rows_were_cleaned_up_is_set_aside_and_the_sums_of_that_day_stay(
    broker: Broker, lake: Lake, rows_of: Rows
) -> None:
    old, recent = window_of(now() - timedelta(days=400)), window_of(now() - timedelta(hours=5))
    broker.send("user.attempts", messages(attempts(20, old.start)))
    window.run(lake, "user_attempts", old)
    retention.cleanup(lake, dry_run=False)
    before = rows_of("aggregated", "daily_aggregations")
    new = attempts(10, recent.start, first=20)
    values = [json.dumps(event).encode() for event in [*attempts(1, old.start, first=30), *new]]
    broker.send("user.attempts", [(recent.start, b"no JSON", 0), *((recent.start, value, 0) for value in values)])

    outcome = window.run(lake, "user_attempts", recent)

    assert (outcome.done.rows, outcome.done.poison) == (10, 2)
    held = rows_of("quarantine", "messages").sort("kafka_offset")
    assert held["reason"].to_list()[-1] == "too_old"
    assert held["value"].to_list() == [b"no JSON", values[0]]
    of_the_day = {"year": old.start.year, "month": old.start.month, "day": old.start.day}
    assert rows_of("aggregated", "daily_aggregations").filter(**of_the_day).equals(before)
    assert sorted(rows_of("processed", "user_attempts")["event_id"]) == [event["event_id"] for event in new]


def test_sums_stay_when_a_window_is_worked_on_again_whose_rows_were_cleaned_up(
    broker: Broker, lake: Lake, rows_of: Rows
) -> None:
    keeping = lake_of(lake.settings.model_copy(update={"lake_raw_retention_days": 0}))
    broker.send("user.attempts", messages(attempts(20, START) + attempts(20, START + HOUR, first=20)))
    for one in (FIRST, Window(FIRST.end)):
        window.run(keeping, "user_attempts", one)
    before = rows_of("aggregated", "daily_aggregations")
    retention.cleanup(lake_of(keeping.settings.model_copy(update={"lake_aggregated_retention_days": 0})), dry_run=False)

    assert window.run(keeping, "user_attempts", FIRST, again=True).state == "loaded"

    assert rows_of("aggregated", "daily_aggregations").equals(before)
    until = START.replace(hour=0) + timedelta(days=1)
    assert not integrity.validate(keeping, "daily_aggregations", 1, until=until)[0].is_broken
