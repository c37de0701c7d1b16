"""Working on a window again: as long as its raw rows are there, and never at the cost of what was made of them."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

import pytest

from schoolhouse.errors import LakeError
from schoolhouse.lake import erasure, retention, window
from schoolhouse.lake.clock import Window, now, window_of
from schoolhouse.lake.ledger import Ledger
from schoolhouse.lake.tables import Table
from schoolhouse.lake.zones import Lake
from tests.lake.broker import START, Broker, attempts, messages
from tests.lake.truth import must_hold

FIRST = Window(START)


def test_a_window_whose_raw_rows_were_cleaned_up_keeps_what_was_made_of_them(broker: Broker, lake: Lake) -> None:
    old = window_of(now() - timedelta(days=100))  # raw rows are kept for 90 days, processed ones for 365
    events = attempts(20, old.start)
    broker.send("user.attempts", messages(events))
    window.run(lake, "user_attempts", old)
    retention.cleanup(lake, dry_run=False)

    with pytest.raises(LakeError, match="had 20 raw rows, of which 20 are gone") as caught:
        window.run(lake, "user_attempts", old, again=True)

    assert "DATA_LAKE_RAW_RETENTION_DAYS (90)" in caught.value.hint
    assert not Ledger(lake).standing("user_attempts", old).is_under_way
    must_hold(lake, events)


def test_a_window_that_lost_some_raw_rows_keeps_what_was_made_of_them(broker: Broker, lake: Lake) -> None:
    events = attempts(40, START)
    broker.send("user.attempts", messages(events))
    window.run(lake, "user_attempts", FIRST)
    Table(lake, "raw", "user_attempts").delete("kafka_offset < 5", {})

    with pytest.raises(LakeError, match="had 40 raw rows, of which 10 are gone"):
        window.run(lake, "user_attempts", FIRST, again=True)

    must_hold(lake, events)


def test_work_that_was_killed_does_not_go_on_when_the_raw_rows_have_gone_meanwhile(broker: Broker, lake: Lake) -> None:
    events = attempts(20, START)
    broker.send("user.attempts", messages(events))
    window.run(lake, "user_attempts", FIRST)
    ledger = Ledger(lake)
    loaded = ledger.last_plan("user_attempts", FIRST)
    assert loaded is not None
    ledger.plan(replace(loaded, number=2, mode="again"))  # and killed
    Table(lake, "raw", "user_attempts").delete("true", {})

    with pytest.raises(LakeError, match="20 are gone"):
        window.run(lake, "user_attempts", FIRST)

    must_hold(lake, events)


def test_a_window_that_never_had_a_row_may_be_worked_on_again(broker: Broker, lake: Lake) -> None:
    window.run(lake, "user_attempts", FIRST)

    outcome = window.run(lake, "user_attempts", FIRST, again=True)

    assert (outcome.did, outcome.state, outcome.done.rows) == ("loaded", "loaded", 0)


def test_a_window_of_which_a_learner_was_erased_may_be_worked_on_again(broker: Broker, lake: Lake) -> None:
    events = attempts(60, START)
    broker.send("user.attempts", messages(events))
    window.run(lake, "user_attempts", FIRST)
    for learner in ("learner-3", "learner-4"):
        erasure.erase(lake, learner, dry_run=False)
    left = [event for event in events if event["user_id"] not in {"learner-3", "learner-4"}]

    outcome = window.run(lake, "user_attempts", FIRST, again=True)

    assert outcome.done.rows == len(left) < 60
    must_hold(lake, left)
