"""The learners' states: none are lost between runners that work side by side."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import deltalake
import polars as pl
import pytest

from schoolhouse.lake import states
from schoolhouse.lake.clock import Window
from schoolhouse.lake.ledger import Plan
from schoolhouse.lake.transform import attempts_in_parts
from schoolhouse.lake.zones import Lake, lake_of
from schoolhouse.settings import load_settings
from tests.lake.messages import attempt, raw

MIDNIGHT = datetime(2024, 3, 5, tzinfo=UTC)
LEARNERS = {"zoe": -2, "kim": -1, "bob": 0}  # and the hour of each one's attempts, from midnight


def _plan(hour: int) -> Plan:
    return Plan("user_attempts", Window(MIDNIGHT + timedelta(hours=hour)), 1, "add", closes=True, spans=())


def _keep(lake: Lake, learner: str) -> None:
    """Add the states after three attempts of a learner, as the slice of their hour does."""
    plan = _plan(LEARNERS[learner])
    times = [(plan.window.start + timedelta(minutes=minute)).isoformat() for minute in range(3)]
    tried = [
        attempt(number, event_id=f"{learner}-{number}", user_id=learner, timestamp=time)
        for number, time in enumerate(times)
    ]
    states.keep(lake, plan, next(attempts_in_parts(raw("user.attempts", *tried), None)).collect())


@pytest.mark.parametrize(("first", "second"), [("kim", "bob"), ("bob", "kim")])
def test_of_two_runners_at_midnight_each_one_s_states_are_read_by_the_next_window(
    first: str, second: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    one, other = (lake_of(load_settings(data_dir=tmp_path)) for _ in range(2))
    _keep(one, "zoe")  # with the base of her day; the new day's is bob's
    write, waiting = deltalake.write_deltalake, [second]

    def write_when_the_other_has(*given: Any, **options: Any) -> None:
        if waiting:
            _keep(other, waiting.pop())
        write(*given, **options)

    monkeypatch.setattr(deltalake, "write_deltalake", write_when_the_other_has)
    _keep(one, first)  # it has prepared its rows, and commits them after the other's

    learners = pl.LazyFrame({"user_id": list(LEARNERS)})
    known = states.before(lake_of(load_settings(data_dir=tmp_path)), _plan(1), learners)
    assert known is not None
    assert set(known["user_id"]) == set(LEARNERS)
    assert waiting == []
