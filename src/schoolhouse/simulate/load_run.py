"""A run of `simulate load-db`: tables, then statements, then the load from S3 if it is asked for.

What is done is remembered after every dataset and every batch, so a run that failed goes on with `--resume`. Times are
logged to `<log_dir>/db_load.log`.
"""

from __future__ import annotations

import json
import logging
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from logging.handlers import RotatingFileHandler
from pathlib import Path
from typing import Final

from schoolhouse.errors import InputError
from schoolhouse.simulate.course_tables import Table, tables_of
from schoolhouse.simulate.delivery import Delivered, RunState, Target, log
from schoolhouse.simulate.load_config import LoadConfig
from schoolhouse.simulate.to_clickhouse import STATEMENT_COLUMNS, STATEMENT_TABLE, ClickHouse
from schoolhouse.simulate.to_files import CsvFiles, VectorLog
from schoolhouse.simulate.to_lrs import LearningRecordStore
from schoolhouse.simulate.to_native import NativeFiles
from schoolhouse.simulate.writing import estimate

# Called with the dataset, the rows added, and the rows that are expected (0: not known).
OnProgress = Callable[[str, int, int], None]
STATEMENTS: Final = "xapi"


@dataclass(frozen=True)
class Outlook:
    """What a run would write."""

    statements: int
    size_bytes: int
    seconds: float
    rows: dict[str, int]


def run_load(config: LoadConfig, *, resume: bool = False, on_progress: OnProgress | None = None) -> list[Delivered]:
    """Make the campus that the configuration asks for and bring it to its backend."""
    with _timing_log(config):
        state = RunState(Path(config["log_dir"]), _identity(config), resume=resume)
        target = _target(config)
        try:
            done = list(_deliver(config, target, state, on_progress))
            if config["load_from_s3_after"]:
                done += _load_into(config, target)
        finally:
            target.close()
    return done


def load_from_s3(config: LoadConfig) -> list[Delivered]:
    """Load the files that an earlier run wrote to S3."""
    with _timing_log(config):
        return _load_into(config, None)


def outlook(config: LoadConfig) -> Outlook:
    """What `run_load` would write, without writing it."""
    plan = config.plan()
    guess = estimate(plan, "nowhere/", "csv.gz" if config.backend == "csv" else "jsonl")
    return Outlook(guess.statements, guess.size_bytes, guess.seconds, {t.file: _rows(t) for t in _tables(config)})


def _rows(table: Table) -> int:
    return sum(1 for _ in table.rows())


def _tables(config: LoadConfig) -> tuple[Table, ...]:
    return tables_of(
        config.plan(),
        publishes=config["num_course_publishes"],
        profile_changes=config["num_actor_profile_changes"],
    )


def _identity(config: LoadConfig) -> str:
    """What makes two runs the same run; secrets and places of logs do not."""
    ignored = {"db_password", "lrs_password", "s3_secret", "log_dir", "num_workers"}
    return json.dumps({key: str(value) for key, value in config.values.items() if key not in ignored}, sort_keys=True)


def _target(config: LoadConfig) -> Target:
    match config.backend:
        case "csv":
            return CsvFiles(config)
        case "chdb":
            return NativeFiles(config)
        case "clickhouse":
            return ClickHouse(config)
        case "ralph":
            return LearningRecordStore(config, ClickHouse(config))
        case "vector":
            return VectorLog(config, ClickHouse(config))


def _deliver(
    config: LoadConfig, target: Target, state: RunState, on_progress: OnProgress | None
) -> Iterator[Delivered]:
    def counting(dataset: str, expected: int) -> Callable[[int], None]:
        return lambda rows: on_progress(dataset, rows, expected) if on_progress else None

    for table in _tables(config):
        if not state.is_done(table.file):
            done = target.write_table(table, counting(table.file, 0))
            state.finish(table.file)
            yield _logged(done)
    if not state.is_done(STATEMENTS):
        done = target.write_statements(config.plan(), state, counting(STATEMENTS, config.statements))
        state.finish(STATEMENTS)
        yield _logged(done)


def _load_into(config: LoadConfig, target: Target | None) -> list[Delivered]:
    """Let ClickHouse read every file of the run."""
    places = target.load_places() if isinstance(target, NativeFiles) else _csv_places(config)
    clickhouse = ClickHouse(config)
    try:
        datasets: list[tuple[str, str, tuple[tuple[str, str], ...]]] = [
            (STATEMENTS, STATEMENT_TABLE, STATEMENT_COLUMNS)
        ]
        datasets += [(table.file, table.name, table.columns) for table in tables_of_schema()]
        return [
            _logged(clickhouse.load_table(name, columns, places[file][0], places[file][1]))
            for file, name, columns in datasets
        ]
    finally:
        clickhouse.close()


def tables_of_schema() -> tuple[Table, ...]:
    """The tables with their columns; their rows are of no plan."""
    from schoolhouse.simulate.campus import Plan

    return tables_of(Plan(dialect="openedx"), publishes=1, profile_changes=0)


def _csv_places(config: LoadConfig) -> dict[str, tuple[str, str]]:
    source = config["s3_source_location"].rstrip("/")
    names = [STATEMENTS, *(table.file for table in tables_of_schema())]
    return {name: (f"{source}/{name}.csv.gz", "CSV") for name in names}


def _logged(done: Delivered) -> Delivered:
    rate = done.rows / done.seconds if done.seconds else 0
    log.info(
        "%s: %d rows, %d bytes, %.3f s, %.0f rows/s to %s %s",
        done.dataset, done.rows, done.size_bytes, done.seconds, rate, done.where, done.note,
    )  # fmt: skip
    return done


@contextmanager
def _timing_log(config: LoadConfig) -> Iterator[None]:
    directory = Path(config["log_dir"])
    try:
        directory.mkdir(parents=True, exist_ok=True)
        handler = RotatingFileHandler(
            directory / "db_load.log",
            maxBytes=config["log_max_bytes"],
            backupCount=config["log_backup_count"],
            encoding="utf-8",
        )
    except OSError as error:
        raise InputError(f"Cannot write to log_dir {directory}: {error.strerror}.") from None
    handler.setFormatter(logging.Formatter("%(asctime)s %(levelname)s %(message)s"))
    before = log.level
    log.addHandler(handler)
    log.setLevel(logging.DEBUG)
    try:
        log.info("begun: backend %s, %d statements", config.backend, config.statements)
        yield
        log.info("done")
    finally:
        log.removeHandler(handler)
        log.setLevel(before)
        handler.close()
