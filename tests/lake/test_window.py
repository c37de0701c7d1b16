"""One window: the lake equals the truth, each window once, whatever comes between."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from pathlib import Path
from typing import Any

import polars as pl
import pytest

from schoolhouse.errors import LakeUnavailable, SettingsError, UsageError
from schoolhouse.lake import backfill, window, work
from schoolhouse.lake.clock import Window, now, window_of
from schoolhouse.lake.ledger import Ledger
from schoolhouse.lake.tables import Table
from schoolhouse.lake.zones import Lake, lake_of
from tests.lake.broker import HOUR, START, Broker, attempts, messages, session, training
from tests.lake.truth import must_hold

FIRST, SECOND, THIRD = Window(START), Window(START + HOUR), Window(START + 2 * HOUR)
Rows = Callable[[Any, str], pl.DataFrame]


def test_a_loaded_window_holds_the_truth_and_loading_it_again_does_nothing(
    broker: Broker, lake: Lake, rows_of: Rows
) -> None:
    events = attempts(300, START)
    broker.send("user.attempts", messages(events))

    outcome = window.run(lake, "user_attempts", FIRST)
    again = window.run(lake, "user_attempts", FIRST)

    assert (outcome.did, outcome.state, outcome.done.messages, outcome.done.rows) == ("loaded", "loaded", 300, 300)
    assert again.did == "already"
    must_hold(lake, events)
    raw = rows_of("raw", "user_attempts")
    assert raw.select("kafka_partition", "kafka_offset").n_unique() == raw.height == 300
    assert set(raw["window_start"]) == {START}


def test_every_dataset_has_its_window(broker: Broker, lake: Lake, rows_of: Rows) -> None:
    tried = attempts(50, START)
    met = [session(number, START + number * timedelta(minutes=1)) for number in range(20)]
    examples = [training(number, START + number * timedelta(minutes=2)) for number in range(10)]
    for topic, events in (("user.attempts", tried), ("user.sessions", met), ("ml.training", examples)):
        broker.send(topic, messages(events))

    for dataset in window.datasets(lake.settings):
        window.run(lake, dataset, FIRST)

    must_hold(lake, tried, met)
    assert rows_of("processed", "user_sessions").height == 20
    assert rows_of("processed", "ml_training").height == 10


def test_the_last_hour_of_a_day_joins_the_files_of_the_day(broker: Broker, lake: Lake) -> None:
    evening = START.replace(hour=22)
    events = attempts(40, evening, span=2 * HOUR)
    broker.send("user.attempts", messages(events))

    counts = []
    for hour in (Window(evening), Window(evening + HOUR)):
        window.run(lake, "user_attempts", hour)
        files = [Table(lake, zone, "user_attempts").files() for zone in ("raw", "processed")]
        counts.append([found.height for found in files if found is not None])

    assert counts == [[1, 1], [1, 1]]
    must_hold(lake, events)


def test_a_large_window_is_transformed_in_parts_and_holds_the_truth(
    broker: Broker, lake: Lake, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(work, "PART_ROWS", 100)  # a large window in small
    events = attempts(250, START)
    broker.send("user.attempts", messages(events + events[:30]))

    outcome = window.run(lake, "user_attempts", FIRST)

    assert (outcome.done.rows, outcome.done.duplicates) == (250, 30)
    must_hold(lake, events)
    assert list(lake.settings.staging_dir.iterdir()) == []


def test_an_event_that_comes_twice_is_there_once(broker: Broker, lake: Lake) -> None:
    events = attempts(100, START)
    broker.send("user.attempts", messages(events + events[:30]))
    broker.send("user.attempts", messages(attempts(100, START + HOUR, first=100)))
    broker.send("user.attempts", messages(events[:20]))  # and once more, an hour later

    first, second = (window.run(lake, "user_attempts", one) for one in (FIRST, SECOND))

    assert (first.done.rows, first.done.duplicates) == (100, 30)
    assert (second.done.rows, second.done.duplicates) == (100, 20)
    must_hold(lake, [*events, *attempts(100, START + HOUR, first=100)])


def test_a_late_message_comes_with_the_next_window_and_its_own_day_is_summed_again(
    broker: Broker, lake: Lake, rows_of: Rows
) -> None:
    evening = window_of(START.replace(hour=23))
    on_time = attempts(20, evening.start)
    late = attempts(5, evening.start, first=20)
    next_day = attempts(20, evening.end, first=25)
    broker.send("user.attempts", messages(on_time))
    window.run(lake, "user_attempts", evening)
    broker.send("user.attempts", messages(late + next_day))

    outcome = window.run(lake, "user_attempts", Window(evening.end))

    assert (outcome.done.rows, outcome.done.late) == (25, 5)
    assert outcome.done.days == ["2024-03-04", "2024-03-05"]
    must_hold(lake, on_time + late + next_day)
    assert set(rows_of("raw", "user_attempts")["day"]) == {4, 5}


def test_poison_is_in_quarantine_with_where_it_came_from(broker: Broker, lake: Lake, rows_of: Rows) -> None:
    events = attempts(10, START)
    broker.send("user.attempts", [*messages(events), (START, b"\xff not json", 1)])

    outcome = window.run(lake, "user_attempts", FIRST)

    assert (outcome.done.rows, outcome.done.poison) == (10, 1)
    kept = rows_of("quarantine", "messages").row(0, named=True)
    assert (kept["topic"], kept["kafka_partition"], kept["kafka_offset"], kept["value"]) == (
        "user.attempts",
        1,
        5,
        b"\xff not json",
    )
    must_hold(lake, events)


def test_an_empty_window_is_loaded_as_such(broker: Broker, lake: Lake) -> None:
    assert window.run(lake, "user_attempts", FIRST).done.rows == 0
    assert window.run(lake, "user_attempts", FIRST).did == "already"


def test_a_window_that_has_not_begun_is_refused(broker: Broker, lake: Lake) -> None:
    with pytest.raises(UsageError, match="has not begun"):
        window.run(lake, "user_attempts", Window(window_of(now()).end))


def test_the_current_hour_stays_open_and_takes_more_until_it_is_over(broker: Broker, lake: Lake) -> None:
    current = window_of(now())
    events = attempts(30, current.start, span=timedelta(seconds=1))
    broker.send("user.attempts", messages(events[:10]))
    first = window.run(lake, "user_attempts", current)
    nothing = window.run(lake, "user_attempts", current)
    broker.send("user.attempts", messages(events[10:]))
    second = window.run(lake, "user_attempts", current)

    assert (first.state, first.done.rows) == ("open", 10)
    assert nothing.did == "already"
    assert (second.state, second.done.rows) == ("open", 20)
    must_hold(lake, events)


def test_several_runners_of_the_same_windows_load_each_once(broker: Broker, lake: Lake, rows_of: Rows) -> None:
    events = [event for hour in range(2) for event in attempts(100, START + hour * HOUR, first=100 * hour)]
    met = [session(number, START + number * timedelta(minutes=2)) for number in range(60)]
    broker.send("user.attempts", messages(events))
    broker.send("user.sessions", messages(met))

    work = [(name, one) for one in (FIRST, SECOND) for name in ("user_attempts", "user_sessions")] * 2
    with ThreadPoolExecutor(4) as pool:
        list(pool.map(lambda job: window.run(lake, *job), work))

    must_hold(lake, events, met)
    assert rows_of("raw", "user_attempts").height == 200
    assert rows_of("raw", "user_sessions").height == 60


def test_working_on_a_window_again_replaces_its_rows_and_no_others(broker: Broker, lake: Lake, rows_of: Rows) -> None:
    events = attempts(50, START) + attempts(50, START + HOUR, first=50)
    broker.send("user.attempts", messages(events))
    window.run(lake, "user_attempts", FIRST)
    window.run(lake, "user_attempts", SECOND)
    before = rows_of("processed", "user_attempts").drop("window_slice").sort("event_id")

    broker.stop()  # the raw rows are enough
    outcome = window.run(lake, "user_attempts", FIRST, again=True)

    assert (outcome.did, outcome.state, outcome.done.rows) == ("loaded", "loaded", 50)
    assert rows_of("processed", "user_attempts").drop("window_slice").sort("event_id").equals(before)
    must_hold(lake, events)


def test_a_window_that_was_never_loaded_cannot_be_worked_on_again(broker: Broker, lake: Lake) -> None:
    with pytest.raises(UsageError, match="never loaded"):
        window.run(lake, "user_attempts", FIRST, again=True)


def test_hours_of_a_span_that_were_never_loaded_are_passed_over_when_it_is_worked_on_again(
    broker: Broker, lake: Lake
) -> None:
    events = attempts(40, START) + attempts(40, START + 2 * HOUR, first=40)
    broker.send("user.attempts", messages(events))
    for one in (FIRST, THIRD):
        window.run(lake, "user_attempts", one)
    Table(lake, "raw", "user_attempts").delete("kafka_offset < 5", {})  # of the first hour: it fails

    results = list(backfill.run(lake, START - HOUR, THIRD.end, ["user_sessions", "user_attempts"], again=True))

    told = [
        (one.dataset, str(one.window)[-2:], "failed" if isinstance(one, backfill.Failure) else one.did)
        for one in results
    ]
    sessions = [("user_sessions", hour, "skipped") for hour in ("09", "10", "11", "12")]
    did = {"09": "skipped", "10": "failed", "11": "skipped", "12": "loaded"}
    assert sorted(told) == sorted(sessions + [("user_attempts", hour, what) for hour, what in did.items()])
    must_hold(lake, events)


def test_a_span_of_which_nothing_was_ever_loaded_cannot_be_worked_on_again(broker: Broker, lake: Lake) -> None:
    with pytest.raises(UsageError, match="Nothing was ever loaded of user_attempts"):
        list(backfill.run(lake, START, THIRD.end, ["user_attempts"], again=True))


def test_fields_that_come_and_go_do_no_harm(broker: Broker, lake: Lake, rows_of: Rows) -> None:
    plain = attempts(10, START)
    more = [{**event, "device": "tablet", "topic": "topology"} for event in attempts(10, START + HOUR, first=10)]
    fewer = attempts(10, START + 2 * HOUR, first=20)
    for event in fewer:
        del event["bkt_prob_knowledge_before"]
    broker.send("user.attempts", messages(plain + more + fewer))

    for one in (FIRST, SECOND, THIRD):
        window.run(lake, "user_attempts", one)

    must_hold(lake, plain + more + fewer)
    rows = rows_of("processed", "user_attempts").sort("attempted_at")
    assert "device" not in rows.columns
    assert rows["irt_ability_topology_before"].is_not_null().to_list() == [False] * 10 + [True] * 10 + [False] * 10


def test_a_broker_that_goes_away_fails_the_window_and_the_next_try_completes_it(broker: Broker, lake: Lake) -> None:
    impatient = lake_of(lake.settings.model_copy(update={"kafka_timeout_seconds": 1}))
    events = attempts(100, START)
    broker.send("user.attempts", messages(events))
    broker.stop()
    with pytest.raises(LakeUnavailable):
        window.run(impatient, "user_attempts", FIRST)

    broker.start()
    assert window.run(lake, "user_attempts", FIRST).done.rows == 100
    must_hold(lake, events)


def test_one_failed_window_does_not_stop_the_others(broker: Broker, lake: Lake) -> None:
    events = attempts(20, START)
    broker.send("user.attempts", messages(events))
    broker.delete("user.sessions")

    results = list(backfill.run(lake, START, START + 2 * HOUR, ["user_sessions", "user_attempts"]))

    assert [isinstance(one, backfill.Failure) for one in results] == [True, False, True, False]
    must_hold(lake, events)


def test_a_damaged_file_fails_the_windows_of_its_day_and_no_others(broker: Broker, lake: Lake) -> None:
    broker.send("user.attempts", messages(attempts(20, START) + attempts(20, START + 24 * HOUR, first=20)))
    window.run(lake, "user_attempts", FIRST)
    for file in (Path(lake.root) / "processed" / "user_attempts").rglob("*.parquet"):
        file.write_bytes(b"PAR1 no longer what it was PAR1")

    results = list(backfill.run(lake, START + HOUR, START + 2 * HOUR, ["user_attempts", "user_sessions"]))
    results += list(backfill.run(lake, START + 24 * HOUR, START + 25 * HOUR, ["user_attempts"]))

    assert [isinstance(one, backfill.Failure) for one in results] == [False, False, False]
    again = list(backfill.run(lake, START, START + HOUR, ["user_attempts"], again=True))
    assert [isinstance(one, backfill.Failure) for one in again] == [True]
    failed = Ledger(lake).rows(START, FIRST.end, "user_attempts").filter(kind="failed")
    assert "cannot be used" in failed["error"][0]


def test_only_the_topics_of_the_settings_are_loaded(lake: Lake) -> None:
    some = lake.settings.model_copy(update={"kafka_topics": "user.sessions,user.attempts"})
    assert window.datasets(some) == ["user_attempts", "user_sessions"]
    assert len(window.datasets(lake.settings)) == 3
    with pytest.raises(SettingsError, match=r"page\.views"):
        window.datasets(lake.settings.model_copy(update={"kafka_topics": "user.attempts,page.views"}))


def test_windows_may_be_loaded_in_any_order(broker: Broker, lake: Lake, rows_of: Rows) -> None:
    events = [event for hour in range(3) for event in attempts(40, START + hour * HOUR, first=40 * hour)]
    broker.send("user.attempts", messages(events))

    for one in (THIRD, FIRST, SECOND):
        window.run(lake, "user_attempts", one)

    must_hold(lake, events)
    assert rows_of("raw", "user_attempts").height == 120


def test_each_commit_says_where_its_rows_come_from(broker: Broker, lake: Lake) -> None:
    broker.send("user.attempts", messages(attempts(10, START)))
    window.run(lake, "user_attempts", FIRST)

    table = Table(lake, "processed", "user_attempts").open()
    assert table is not None
    commit = table.history(1)[0]
    assert (commit["topic"], commit["window"], commit["messages"]) == ("user.attempts", "2024-03-04T10", "10")
    assert '"stop": 5' in commit["offsets"]
    assert commit["code_version"]
    assert float(commit["quality_score"]) > 0


def test_the_tables_are_partitioned_by_day_and_compressed(broker: Broker, lake: Lake) -> None:
    broker.send("user.attempts", messages(attempts(10, START)))
    window.run(lake, "user_attempts", FIRST)

    assert lake.directory is not None
    for zone, name in (("raw", "user_attempts"), ("processed", "user_attempts"), ("aggregated", "daily_aggregations")):
        files = list((lake.directory / zone / name).rglob("year=2024/month=3/day=4/*.snappy.parquet"))
        assert files, zone


def test_states_are_handed_from_window_to_window(broker: Broker, lake: Lake, rows_of: Rows) -> None:
    events = []
    for hour in range(3):
        for event in attempts(2, START + hour * HOUR, first=2 * hour):
            kept = {name: value for name, value in event.items() if not name.endswith(("_before", "_after"))}
            events.append(kept | {"user_id": "ann", "item_id": "sum", "topic": "algebra", "correct": True})
    broker.send("user.attempts", messages(events, partitions=1))

    for hour in range(3):
        window.run(lake, "user_attempts", Window(START + hour * HOUR))

    rows = rows_of("processed", "user_attempts").sort("attempted_at")
    assert rows["state_source"].to_list() == ["computed"] * 6
    for name in ("sm2_easiness_factor", "sm2_repetitions", "bkt_prob_knowledge"):
        assert rows[f"{name}_before"][1:].to_list() == rows[f"{name}_after"][:-1].to_list(), name
    assert rows["bkt_prob_knowledge_after"].is_sorted()


def test_the_ledger_knows_how_a_window_stands(broker: Broker, lake: Lake) -> None:
    ledger = Ledger(lake)
    assert ledger.standing("user_attempts", FIRST).state == ""
    broker.send("user.attempts", messages(attempts(10, START)))
    window.run(lake, "user_attempts", FIRST)

    standing = ledger.standing("user_attempts", FIRST)
    assert (standing.state, standing.is_under_way, standing.number) == ("loaded", False, 1)
    assert ledger.standing("user_attempts", SECOND).known == {0: 5, 1: 5}


def test_what_was_done_is_kept_by_months_and_read_across_them(broker: Broker, lake: Lake) -> None:
    last = START.replace(month=2, day=29, hour=23)
    events = attempts(20, last) + attempts(20, last + HOUR, first=20)
    broker.send("user.attempts", messages(events))
    for one in (Window(last), Window(last + HOUR)):
        window.run(lake, "user_attempts", one)

    ledger = Ledger(lake)
    standing = ledger.standing("user_attempts", Window(last + HOUR))
    assert (standing.state, standing.number) == ("loaded", 1)
    assert ledger.standing("user_attempts", Window(last)).ceiling == {0: 10, 1: 10}
    assert ledger.rows(last, last + 2 * HOUR)["window_start"].unique().sort().to_list() == [last, last + HOUR]
    files = ledger.table.files()
    assert files is not None
    assert files.filter(pl.col("partition.month") == 2).height == 1  # joined by the day's last hour
    assert "partition.day" not in files.columns
    must_hold(lake, events)


def test_a_lake_whose_tables_are_all_partitioned_by_month_joins_them_too(broker: Broker, lake: Lake) -> None:
    by_month = lake_of(lake.settings.model_copy(update={"lake_partition_columns": "year,month"}))
    evening = START.replace(hour=22)
    events = attempts(40, evening, span=2 * HOUR)
    broker.send("user.attempts", messages(events))
    for hour in (Window(evening), Window(evening + HOUR)):
        window.run(by_month, "user_attempts", hour)

    files = Table(lake, "processed", "user_attempts").files()
    assert files is not None
    assert files.height == 1
    must_hold(lake, events)
