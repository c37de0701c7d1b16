"""Airflow runs the lake: the same functions that `schoolhouse lake` calls, one mapped task a topic and window.

Two DAGs. `schoolhouse_lake` runs each hour for the hour before: it lists what is to be loaded, loads each dataset in a
task of its own (which reads its partitions side by side), and announces the datasets that changed as assets. One run is
active at a time, because learner states pass from hour to hour; a run that fails is left behind, retries over, and does
not hold up the next. `schoolhouse_lake_upkeep` compacts and cleans up each night.

Only Airflow imports this module. The settings are the environment's, as everywhere; LAKE_DAG_START names the first hour
that catch-up loads, LAKE_DAG_DEADLINE_MINUTES the time after which a run that is not done is told of.
"""

from __future__ import annotations

import os
from datetime import UTC, datetime, timedelta
from typing import Any

from airflow.sdk import (
    DAG,
    Asset,
    AssetAlias,
    AsyncCallback,
    DeadlineAlert,
    DeadlineReference,
    get_current_context,
    task,
)
from airflow.timetables.interval import CronDataIntervalTimetable

CHANGED = "schoolhouse_lake_changed"  # the alias under which assets are announced
DEADLINE_MINUTES = int(os.environ.get("LAKE_DAG_DEADLINE_MINUTES", "50"))  # 0: no deadline


def due(data_interval_start: datetime, data_interval_end: datetime) -> list[dict[str, str]]:
    """Every dataset of every hour in the run's interval: one job each."""
    from schoolhouse.lake.clock import window_of, windows
    from schoolhouse.lake.window import datasets
    from schoolhouse.settings import load_settings

    names = datasets(load_settings())
    hours = windows(window_of(data_interval_start).start, window_of(data_interval_end).start)
    return [{"dataset": name, "window": str(hour)} for hour in hours for name in names]


def load(job: dict[str, str]) -> dict[str, Any]:
    """Load one window of one dataset, and announce the dataset if it changed."""
    from schoolhouse.lake.clock import read_window
    from schoolhouse.lake.window import DID, run
    from schoolhouse.lake.zones import lake_of
    from schoolhouse.settings import load_settings

    outcome = run(lake_of(load_settings()), job["dataset"], read_window(job["window"]))
    done = outcome.done
    facts = {**job, "did": outcome.did, "state": outcome.state, "rows": done.rows, "score": done.score}
    if outcome.did == DID:
        get_current_context()["outlet_events"][AssetAlias(CHANGED)].add(asset_of(job["dataset"]), extra=facts)
    return facts


def asset_of(dataset: str) -> Asset:
    """The asset of a dataset: schedule DAGs of your own on it."""
    return Asset(name=f"lake_{dataset}", uri=f"schoolhouse-lake://processed/{dataset}")


def keep_small() -> int:
    """Join small files; returns how many are gone."""
    from schoolhouse.lake.upkeep import compact
    from schoolhouse.lake.zones import lake_of
    from schoolhouse.settings import load_settings

    return sum(one.files_before - one.files_after for one in compact(lake_of(load_settings())))


def clean_up() -> int:
    """Drop what is older than its zone keeps; returns the rows that went."""
    from schoolhouse.lake.retention import cleanup
    from schoolhouse.lake.zones import lake_of
    from schoolhouse.settings import load_settings

    return sum(one.rows for one in cleanup(lake_of(load_settings()), dry_run=False))


async def deadline_missed(**_: Any) -> None:
    """The run of an hour is not done in time: tell the webhook."""
    from schoolhouse.lake.alerts import deadline_missed as tell
    from schoolhouse.settings import load_settings

    tell(load_settings(), minutes=DEADLINE_MINUTES)


def _start() -> datetime:
    given = os.environ.get("LAKE_DAG_START", "")
    if given:
        from schoolhouse.lake.clock import read_moment

        return read_moment(given)
    return datetime(2026, 1, 1, tzinfo=UTC)


def _deadline() -> DeadlineAlert | None:
    """An hour must be loaded so many minutes after its run was due."""
    if not DEADLINE_MINUTES:
        return None
    return DeadlineAlert(
        reference=DeadlineReference.DAGRUN_QUEUED_AT,
        interval=timedelta(minutes=DEADLINE_MINUTES),
        callback=AsyncCallback(deadline_missed),
    )


_RETRIES = {
    "retries": int(os.environ.get("LAKE_DAG_RETRIES", "2")),
    "retry_delay": timedelta(minutes=1),
    "retry_exponential_backoff": True,
    "max_retry_delay": timedelta(minutes=5),
    "depends_on_past": False,
}

with DAG(
    "schoolhouse_lake",
    description="Hourly windows from Kafka into the lake.",
    # Not `@hourly`, whose interval is empty; six minutes past the hour, when the grace of five is over.
    schedule=CronDataIntervalTimetable("6 * * * *", timezone="UTC"),
    start_date=_start(),
    catchup=bool(os.environ.get("LAKE_DAG_START")),
    max_active_runs=1,
    dagrun_timeout=timedelta(hours=3),
    default_args=_RETRIES,
    deadline=_deadline(),
    tags=["schoolhouse"],
) as lake:
    jobs = task(task_id="due")(due)()
    task(
        task_id="load",
        outlets=[AssetAlias(CHANGED)],
        execution_timeout=timedelta(hours=1),
        map_index_template="{{ task.op_kwargs['job']['dataset'] }} {{ task.op_kwargs['job']['window'] }}",
    )(load).expand(job=jobs)

with DAG(
    "schoolhouse_lake_upkeep",
    description="Compaction and retention of the lake.",
    schedule=CronDataIntervalTimetable("30 3 * * *", timezone="UTC"),
    start_date=_start(),
    catchup=False,
    max_active_runs=1,
    default_args=_RETRIES,
    tags=["schoolhouse"],
) as upkeep:
    task(task_id="compact")(keep_small)() >> task(task_id="cleanup")(clean_up)()
