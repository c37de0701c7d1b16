"""The steps of one slice of a window. Each looks whether its table has the slice already; see `window`."""

from __future__ import annotations

import json
import math
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import polars as pl

from schoolhouse.lake import days, extract, fitted, quality, reports, rework, states
from schoolhouse.lake.ledger import LOADED, OPEN, QUARANTINED, Done, Ledger, Plan
from schoolhouse.lake.tables import Change, Table, number_in
from schoolhouse.lake.transform import attempts_in_parts, dataset_of, transform

if TYPE_CHECKING:
    from deltalake import DeltaTable

    from schoolhouse.lake.quality import QualityReport
    from schoolhouse.lake.topics import Topic
    from schoolhouse.lake.zones import Lake

MOMENT: Final = pl.Datetime("us", "UTC")
LOAD_COLUMNS: Final[dict[str, pl.DataType]] = {"window_start": MOMENT, "window_slice": pl.Int32()}
KAFKA_COLUMNS: Final[dict[str, pl.DataType]] = {
    "kafka_partition": pl.Int32(),
    "kafka_offset": pl.Int64(),
    "kafka_timestamp": MOMENT,
}
DAY_COLUMNS: Final[dict[str, pl.DataType]] = {"year": pl.Int16(), "month": pl.Int8(), "day": pl.Int8()}
PART_ROWS: Final = 1_000_000  # attempts that are transformed at a time: about a gigabyte
POISON_SCHEMA: Final = pl.Schema(
    {"topic": pl.String(), **KAFKA_COLUMNS, "reason": pl.String(), "value": pl.Binary(), **LOAD_COLUMNS, **DAY_COLUMNS}
)


def raw_schema(topic: Topic) -> pl.Schema:
    """The columns of a topic's raw table."""
    return pl.Schema({**topic.schema, **KAFKA_COLUMNS, **LOAD_COLUMNS, **DAY_COLUMNS})


class Work:
    """One slice on its way through the zones."""

    def __init__(self, lake: Lake, topic: Topic, plan: Plan, directory: Path) -> None:
        self.lake = lake
        self.topic = topic
        self.plan = plan
        self.directory = directory
        self.done = Done(expired=sum(span.expired for span in plan.spans))
        self.dataset = dataset_of(plan.dataset)
        self.raw = Table(lake, "raw", plan.dataset)
        self.processed = Table(lake, "processed", plan.dataset)
        self.quarantine = Table(lake, "quarantine", plan.dataset)
        self.messages = Table(lake, "quarantine", "messages")
        self.name = plan.transaction
        self.loaded: pl.DataFrame | None = None  # the rows that this try put into the processed zone

    def run(self) -> Done:
        """All steps, in order."""
        with self._timed("extract"):
            raw = self._raw_rows()
        with self._timed("transform"):
            frame = self._transformed(raw)
        report = self._load(frame)
        del frame
        if self.plan.dataset == states.DATASET:
            with self._timed("states"):
                self._keep_states()
        with self._timed("aggregate"):
            self._aggregate()
        with self._timed("report"):
            self._report(report)
        if self.done.state != QUARANTINED:
            self.done.state = self._state()
        return self.done

    def _state(self) -> str:
        """How the window stands after a slice that was not held back: it ends quarantined if an earlier one was."""
        if not self.plan.closes:
            return OPEN
        if self.plan.number > 1 and (held := self.quarantine.scan()) is not None:
            of_window = held.filter(window_start=self.plan.window.start).select(pl.len()).collect().item()
            return QUARANTINED if of_window else LOADED
        return LOADED

    @property
    def _is_again(self) -> bool:
        return self.plan.mode == "again"

    # --- extract: messages into the raw zone ---

    def _raw_rows(self) -> pl.LazyFrame:
        """The raw rows of the slice, which are in the raw zone when this returns."""
        if self._is_again:
            return self._again()
        if self.raw.number(self.name) >= self.plan.number:
            return self._recovered()
        first = days.first_kept(self.lake, self.plan.dataset)
        read = extract.read(
            self.lake.settings, self.topic, self.plan.spans, self.plan.window, self.directory, first_day=first
        )
        self.done.messages, self.done.poison, self.done.late = read.messages, read.poison, read.late
        self.done.raw_rows = read.messages - read.poison
        if read.unreadable:
            self._keep(self.messages, POISON_SCHEMA, self._stamped(read.unreadable, POISON_SCHEMA))
        rows = self._stamped(read.rows, raw_schema(self.topic))
        self._keep(self.raw, raw_schema(self.topic), rows)
        return pl.concat(rows)

    def _stamped(self, files: list[Path], schema: pl.Schema) -> list[pl.LazyFrame]:
        """Staged files with the columns that say which load they came by, and the day of the message."""
        stamps = [
            pl.lit(self.plan.window.start, MOMENT).alias("window_start"),
            pl.lit(self.plan.number, pl.Int32).alias("window_slice"),
            *day_of("kafka_timestamp"),
        ]
        parts = [pl.scan_parquet(file).with_columns(stamps).select(schema.names()) for file in files]
        return parts or [pl.LazyFrame(schema=schema)]

    def _keep(self, table: Table, schema: pl.Schema, rows: list[pl.LazyFrame]) -> None:
        def make(opened: DeltaTable) -> Change | None:
            if number_in(opened, self.name) >= self.plan.number:
                return None
            return Change(rows, {self.name: self.plan.number}, metadata=self._lineage())

        table.commit(schema, make)

    def _recovered(self) -> pl.LazyFrame:
        """The slice out of the raw zone, where an earlier try has put it."""
        here = (pl.col("window_start") == self.plan.window.start) & (pl.col("window_slice") == self.plan.number)
        rows = self._scanned(self.raw, raw_schema(self.topic)).filter(here)
        poison = self._scanned(self.messages, POISON_SCHEMA).filter(here, pl.col("topic") == self.topic.name)
        counts = rows.select(
            pl.len().alias("rows"), (pl.col("kafka_timestamp") < self.plan.window.start).sum().alias("late")
        )
        self.done.raw_rows, self.done.late = counts.collect().row(0)
        self.done.poison = poison.select(pl.len()).collect().item()
        self.done.messages = self.done.raw_rows + self.done.poison
        return rows

    def _again(self) -> pl.LazyFrame:
        """All raw rows of the window: none may have gone since the slice was planned, while they are needed."""
        if self.processed.number(self.name) < self.plan.number:
            rework.refuse_if_raw_rows_are_gone(self.lake, self.plan.dataset, self.plan.window)
        rows = self._scanned(self.raw, raw_schema(self.topic)).filter(pl.col("window_start") == self.plan.window.start)
        self.done.raw_rows = self.done.messages = rows.select(pl.len()).collect().item()
        return rows

    @staticmethod
    def _scanned(table: Table, schema: pl.Schema) -> pl.LazyFrame:
        found = table.scan()
        return pl.LazyFrame(schema=schema) if found is None else found

    # --- transform ---

    def _transformed(self, raw: pl.LazyFrame) -> pl.DataFrame:
        """The rows of the dataset; many attempts go a part at a time, by way of the staging directory."""
        if self.plan.dataset != states.DATASET:
            return transform(self.plan.dataset, raw).collect(engine="streaming")
        held = states.before(self.lake, self.plan, raw.select(pl.col("user_id").unique()))
        count = max(1, math.ceil(self.done.raw_rows / PART_ROWS))
        known = None if held is None else held.lazy()
        parts = attempts_in_parts(raw, known, fitted.parameters(self.lake), parts=count)
        if count == 1:
            return next(parts).collect(engine="streaming")
        files = [self.directory / f"part-{number}.parquet" for number in range(count)]
        for file, rows in zip(files, parts, strict=True):
            rows.sink_parquet(file, compression="lz4", statistics=False)
        return pl.read_parquet(files)

    # --- validate and load: rows into the processed zone, or into quarantine ---

    def _load(self, rows: pl.DataFrame) -> QualityReport:
        """Put the rows where they belong; the report is about those that are new."""
        found: list[QualityReport] = []
        rows = rows.with_columns(
            pl.lit(self.plan.window.start, MOMENT).alias("window_start"),
            pl.lit(self.plan.number, pl.Int32).alias("window_slice"),
        )

        def make(opened: DeltaTable) -> Change | None:
            if number_in(opened, self.name) >= self.plan.number:
                return None
            with self._timed("deduplicate"):
                fresh, hours = self._fresh(rows, opened)
            self._count(fresh)
            with self._timed("validate"):
                found[:] = [self._validate(fresh)]
            if found[0].is_critical:
                self._hold(fresh, found[0])
                fresh = fresh.clear()
            self.loaded = fresh
            return self._change(fresh, {**hours, self.name: self.plan.number}, found[0])

        with self._timed("load"):
            self.processed.commit(rows.schema, make)
            if not found:
                found.append(self._loaded_before(rows.schema))
            if self._is_again and self.done.state != QUARANTINED and self.quarantine.open() is not None:
                self._commit_quarantine(rows.clear(), found[0])  # what was held back is free
        return found[0]

    def _loaded_before(self, schema: pl.Schema) -> QualityReport:
        """The report on a slice that an earlier try, or somebody else, has loaded or held back."""
        here = pl.col("window_start") == self.plan.window.start, pl.col("window_slice") == self.plan.number
        held = self._scanned(self.quarantine, schema).filter(*here).collect()
        rows = held if held.height else self._scanned(self.processed, schema).filter(*here).collect()
        self._count(rows)
        if held.height:
            self.done.state, self.done.quarantined_rows, self.done.rows = QUARANTINED, held.height, 0
        return self._validate(rows)

    def _fresh(self, rows: pl.DataFrame, opened: DeltaTable) -> tuple[pl.DataFrame, dict[str, int]]:
        """The rows whose key is not in the table yet, and the transactions that keep it so until the commit.

        A copy of an event has the event's time. So only stored rows between the first and last new one of each hour
        can be copies, and only writers of the same hours can be in each other's way.
        """
        if not self.dataset.event_time or not rows.height:
            return rows, {}
        moment = pl.col(self.dataset.event_time)
        times = rows.select(self.dataset.event_time)  # grouping copies all columns of what it is given
        hours = times.group_by(moment.dt.truncate("1h").alias("hour")).agg(
            moment.min().alias("since"), moment.max().alias("until")
        )
        stored = self.processed.scan(opened)
        fresh = rows
        if stored is not None:
            if self._is_again:
                stored = stored.filter(pl.col("window_start") != self.plan.window.start)
            near = [days.between(hours["since"].min(), hours["until"].max())]
            near.append(
                pl.any_horizontal(moment.is_between(row["since"], row["until"]) for row in hours.iter_rows(named=True))
            )
            keys = list(self.dataset.key)
            known = stored.filter(*near).select(keys).unique().collect(engine="streaming")
            if known.height:
                fresh = rows.join(known, on=keys, how="anti", maintain_order="left")
        names = [f"hour {hour:%Y-%m-%dT%H}" for hour in hours["hour"]]
        return fresh, {name: number_in(opened, name) + 1 for name in names}

    def _validate(self, rows: pl.DataFrame) -> QualityReport:
        window, ledger = self.plan.window, Ledger(self.lake)
        closes = self.plan.closes  # a window that is still open is not judged by its size
        report = quality.validate(
            self.plan.dataset,
            rows.select(pl.exclude(list(LOAD_COLUMNS))),
            window_start=window.start,
            window_end=window.end,
            history=reports.history(ledger, self.plan.dataset, window) if closes else None,
            earlier_rows=reports.earlier_rows(ledger, self.plan) if closes else 0,
            copies=self.done.duplicates,
        )
        self.done.score, self.done.level, self.done.anomalies = report.score, report.level, report.anomalies
        self.done.failures = {level: count for level, count in report.counts.items() if level != "ok" and count}
        self.done.dimensions = report.dimension_scores
        self.done.schema_compliance = report.schema_compliance
        return report

    def _count(self, fresh: pl.DataFrame) -> None:
        self.done.rows = fresh.height
        self.done.duplicates = max(0, self.done.raw_rows - fresh.height)
        touched = fresh.select(list(DAY_COLUMNS)).unique().sort(list(DAY_COLUMNS))
        self.done.days = [f"{year:04}-{month:02}-{day:02}" for year, month, day in touched.iter_rows()]

    def _change(self, fresh: pl.DataFrame, transactions: Mapping[str, int], report: QualityReport) -> Change:
        replaces = ""
        if self._is_again:
            replaces = _is_of_window(self.plan)
        return Change(fresh, transactions, replaces, self._lineage(report))

    def _hold(self, fresh: pl.DataFrame, report: QualityReport) -> None:
        """Keep rows that failed critically out of the processed zone: they go to quarantine, before anything else."""
        self.done.state, self.done.quarantined_rows, self.done.rows = QUARANTINED, fresh.height, 0
        self._commit_quarantine(fresh, report)

    def _commit_quarantine(self, rows: pl.DataFrame, report: QualityReport) -> None:
        def make(opened: DeltaTable) -> Change | None:
            if number_in(opened, self.name) >= self.plan.number:
                return None
            return self._change(rows, {self.name: self.plan.number}, report)

        self.quarantine.commit(rows.schema, make)

    # --- aggregate and report ---

    def _aggregate(self) -> None:
        if self.plan.dataset in days.SOURCES:
            touched = set(self.done.days)
            if self._is_again:  # a day may have lost all its rows
                touched |= Ledger(self.lake).days(self.plan.dataset, self.plan.window)
            days.recompute(self.lake, self.plan, sorted(touched))

    def _keep_states(self) -> None:
        if states.table_of(self.lake).number(self.name) >= self.plan.number:
            return
        loaded = self.loaded
        if loaded is None:
            here = pl.col("window_start") == self.plan.window.start, pl.col("window_slice") == self.plan.number
            loaded = (
                self._scanned(self.processed, pl.Schema({**self.dataset.schema, **LOAD_COLUMNS}))
                .filter(*here)
                .collect()
            )
        states.keep(self.lake, self.plan, loaded)

    def _report(self, report: QualityReport) -> None:
        self.done.report = reports.keep(self.lake, self.plan, report)

    def _lineage(self, report: QualityReport | None = None) -> dict[str, Any]:
        """What each commit says of its rows: where they come from, and how good they are."""
        facts: dict[str, Any] = {
            "window": self.plan.window,
            "window_slice": self.plan.number,
            "topic": self.topic.name,
            "offsets": json.dumps([asdict(span) for span in self.plan.spans]),
            "messages": self.done.messages,
            "poison": self.done.poison,
        }
        if report is not None:
            facts |= {"rows": self.done.rows, "quality_score": report.score, "quality_level": report.level}
        return facts

    @contextmanager
    def _timed(self, task: str) -> Iterator[None]:
        """Adds the seconds to the task; what ran inside and is timed itself is not counted twice."""
        started, inside = time.perf_counter(), sum(self.done.tasks.values())
        yield
        others = sum(self.done.tasks.values()) - inside
        self.done.tasks[task] = round(self.done.tasks.get(task, 0.0) + time.perf_counter() - started - others, 4)


def day_of(column: str) -> list[pl.Expr]:
    """The partition columns of a moment."""
    moment = pl.col(column).dt
    return [
        moment.year().cast(pl.Int16).alias("year"),
        moment.month().cast(pl.Int8).alias("month"),
        moment.day().cast(pl.Int8).alias("day"),
    ]


def _is_of_window(plan: Plan) -> str:
    """The window's rows in SQL, for what is replaced."""
    return f"window_start = '{plan.window.start:%Y-%m-%dT%H:%M:%S}Z'"
