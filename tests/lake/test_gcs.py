"""The lake in GCS: a fake of its XML API, spoken to by delta-rs, Polars and obstore."""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor

import pytest

from schoolhouse.lake import reports, retention, summary, upkeep, window
from schoolhouse.lake.clock import Window
from schoolhouse.lake.ledger import Ledger
from schoolhouse.lake.zones import Lake, lake_of
from schoolhouse.settings import Settings
from tests.lake.broker import START, Broker, attempts, messages
from tests.lake.gcs import BUCKET, FakeGcs, running_gcs
from tests.lake.truth import must_hold

FIRST = Window(START)


@pytest.fixture
def gcs(monkeypatch: pytest.MonkeyPatch) -> Iterator[FakeGcs]:
    with running_gcs() as running:
        monkeypatch.setenv("STORAGE_EMULATOR_HOST", running.url)
        yield running


@pytest.fixture
def lake(gcs: FakeGcs, lake_settings: Settings) -> Lake:
    """An empty lake in the fake's bucket."""
    return lake_of(lake_settings.model_copy(update={"lake_provider": "gcs", "lake_bucket": BUCKET}))


def test_two_runners_load_a_window_into_gcs_once(broker: Broker, lake: Lake, gcs: FakeGcs) -> None:
    events = attempts(100, START)
    broker.send("user.attempts", messages(events))

    with ThreadPoolExecutor(2) as pool:
        list(pool.map(lambda _: window.run(lake, "user_attempts", FIRST), range(2)))

    must_hold(lake, events)
    assert window.run(lake, "user_attempts", FIRST).did == "already"
    done = Ledger(lake).rows(START, FIRST.end, "user_attempts").filter(kind="done").row(0, named=True)
    assert reports.as_json(lake, done["report"])["rows"] == 100
    assert all(key.startswith("analytics/") for key in gcs.objects)


def test_a_lake_in_gcs_is_compacted_and_cleaned_up(broker: Broker, lake: Lake) -> None:
    broker.send("user.attempts", messages(attempts(20, START)))
    window.run(lake, "user_attempts", FIRST)

    assert upkeep.compact(lake)
    retention.cleanup(lake, dry_run=False)

    held = {(one.zone, one.table): one.rows for one in summary.summary(lake)}
    assert held["raw", "user_attempts"] == 0
    assert held["aggregated", "daily_aggregations"] == 17  # kept for three years
