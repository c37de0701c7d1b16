"""What was planned and done, window by window: a Delta table beside the data, and the only truth about it.

A window is loaded in slices, usually one. A slice is planned (its offsets are fixed), worked on, and done. While an
hour is under way, or followed live, it gets further slices; the last one closes it. A slice that is held in quarantine
holds up none of those after it. Working on a window again is a slice as well: it replaces the rows of all before it.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any, Final, Literal

from schoolhouse.lake.clock import Window, now
from schoolhouse.lake.extract import Span
from schoolhouse.lake.tables import Change, Table, number_in
from schoolhouse.lake.zones import mapped_reads

if TYPE_CHECKING:
    import polars as pl

    from schoolhouse.lake.zones import Lake

Kind = Literal["plan", "done", "failed"]
Mode = Literal["add", "again"]

LOADED: Final = "loaded"
OPEN: Final = "open"
QUARANTINED: Final = "quarantined"
PLANNED: Final = "planned"


@dataclass(frozen=True)
class Plan:
    """A slice that is going to be loaded, with fixed offsets."""

    dataset: str
    window: Window
    number: int
    mode: Mode
    closes: bool
    spans: tuple[Span, ...]

    @property
    def transaction(self) -> str:
        """The name under which each table remembers the window."""
        return f"{self.dataset} {self.window}"


@dataclass
class Done:
    """What a slice came to."""

    state: str = LOADED
    messages: int = 0
    poison: int = 0
    late: int = 0
    expired: int = 0
    raw_rows: int = 0
    duplicates: int = 0
    rows: int = 0
    quarantined_rows: int = 0
    score: float | None = None
    level: str = "ok"
    anomalies: int = 0
    schema_compliance: float | None = None
    failures: dict[str, int] = field(default_factory=dict)
    dimensions: dict[str, float] = field(default_factory=dict)
    tasks: dict[str, float] = field(default_factory=dict)
    days: list[str] = field(default_factory=list)
    report: str = ""
    error: str = ""

    @property
    def seconds(self) -> float:
        """The time that it took."""
        return sum(self.tasks.values())


def schema() -> pl.Schema:
    """The columns of the table."""
    import polars as pl

    moment = pl.Datetime("us", "UTC")
    return pl.Schema(
        {
            "kind": pl.String(),
            "dataset": pl.String(),
            "window_start": moment,
            "window_slice": pl.Int32(),
            "mode": pl.String(),
            "closes": pl.Boolean(),
            "spans": pl.String(),
            "recorded_at": moment,
            "state": pl.String(),
            "messages": pl.Int64(),
            "poison": pl.Int64(),
            "late": pl.Int64(),
            "expired": pl.Int64(),
            "raw_rows": pl.Int64(),
            "duplicates": pl.Int64(),
            "rows": pl.Int64(),
            "quarantined_rows": pl.Int64(),
            "score": pl.Float64(),
            "level": pl.String(),
            "anomalies": pl.Int64(),
            "schema_compliance": pl.Float64(),
            "failures": pl.String(),
            "dimensions": pl.String(),
            "tasks": pl.String(),
            "days": pl.String(),
            "report": pl.String(),
            "error": pl.String(),
            "seconds": pl.Float64(),
            "code_version": pl.String(),
            "year": pl.Int16(),
            "month": pl.Int8(),
            "day": pl.Int8(),
        }
    )


class Ledger:
    """The table `operations/windows`."""

    def __init__(self, lake: Lake) -> None:
        self.table = Table(lake, "operations", "windows")

    def rows(self, since: datetime, until: datetime, dataset: str = "") -> pl.DataFrame:
        """The records of windows that start in `[since, until)`, in order of recording."""
        import polars as pl

        found = self.scan(since, until, dataset)
        if found is None:
            return pl.DataFrame(schema=schema())
        with mapped_reads("operations/windows"):
            return found.sort("recorded_at", maintain_order=True).collect()

    def scan(self, since: datetime, until: datetime, dataset: str = "") -> pl.LazyFrame | None:
        """The same, in no order, for who wants a few of the columns; None when nothing was ever recorded."""
        found = self.table.scan()
        return None if found is None else _between(found, since, until, dataset)

    def plan(self, plan: Plan) -> Plan:
        """Record a plan; when somebody else has planned this slice already, theirs is returned."""
        name = f"plan {plan.transaction}"
        row = _row("plan", plan, Done(state=PLANNED))

        def make(table: Any) -> Change | None:
            return None if number_in(table, name) >= plan.number else Change(row, {name: plan.number})

        if self.table.commit(schema(), make) is None:
            return self.last_plan(plan.dataset, plan.window) or plan
        return plan

    def done(self, plan: Plan, done: Done) -> None:
        """Record the end of a slice, once."""
        name = f"done {plan.transaction}"
        row = _row("done", plan, done)

        def make(table: Any) -> Change | None:
            if number_in(table, name) >= plan.number:
                return None
            return Change(row, {name: plan.number}, metadata=_lineage(plan, done))

        self.table.commit(schema(), make)

    def failed(self, plan: Plan, done: Done) -> None:
        """Record a try that failed; there may be many."""
        row = _row("failed", plan, done)
        self.table.commit(schema(), lambda _: Change(row, {}))

    def days(self, dataset: str, window: Window) -> set[str]:
        """The days that the slices of a window have touched."""
        finished = self.rows(window.start, window.end, dataset).filter(kind="done")
        return {day for row in finished["days"] for day in json.loads(row)}

    def raw_rows(self, dataset: str, window: Window) -> int:
        """The raw rows that a window was loaded with."""
        return int(self.rows(window.start, window.end, dataset).filter(kind="done", mode="add")["raw_rows"].sum())

    def last_plan(self, dataset: str, window: Window) -> Plan | None:
        """The newest plan of a window."""
        found = self.rows(window.start, window.end, dataset)
        plans = found.filter(kind="plan").sort("window_slice")
        return _plan(plans.row(-1, named=True)) if plans.height else None

    def newest_stops(self, dataset: str) -> dict[int, int]:
        """Where reading stopped in the newest window of the last four weeks, by partition."""
        return _stops(self.rows(now() - timedelta(days=28), now() + timedelta(hours=1), dataset))

    def standing(self, dataset: str, window: Window) -> Standing:
        """How a window stands, and what its neighbours have read: what planning has to know."""
        found = self.rows(window.start - timedelta(days=1), window.end + timedelta(hours=1), dataset)
        here = found.filter(window_start=window.start)
        plans = here.filter(kind="plan").sort("window_slice")
        finished = here.filter(kind="done").sort("window_slice")
        plan = _plan(plans.row(-1, named=True)) if plans.height else None
        is_under_way = plan is not None and (not finished.height or finished["window_slice"][-1] < plan.number)
        return Standing(
            plan=plan,
            is_under_way=is_under_way,
            state=str(finished["state"][-1]) if finished.height else "",
            known=_stops(found.filter(window_start=window.start)) or _stops_before(found, window),
            ceiling=_starts(found.filter(window_start=window.end)),
        )


@dataclass(frozen=True)
class Standing:
    """How a window stands in the ledger."""

    plan: Plan | None  # the newest
    is_under_way: bool  # planned, and not done
    state: str  # of the newest slice that is done: open, loaded, quarantined; empty where there is none
    known: Mapping[int, int]  # where reading stopped before, by partition
    ceiling: Mapping[int, int]  # where the window after it began to read

    @property
    def number(self) -> int:
        """The number of the newest slice; 0 where there is none."""
        return self.plan.number if self.plan else 0

    @property
    def is_ended(self) -> bool:
        """Whether the newest slice is done and closes the window: nothing more is read for it."""
        return self.plan is not None and not self.is_under_way and self.plan.closes


def _between(found: pl.LazyFrame, since: datetime, until: datetime, dataset: str) -> pl.LazyFrame:
    import polars as pl

    month = pl.col("year").cast(pl.Int32) * 12 + pl.col("month")  # other months' files stay closed
    wanted = found.filter(
        pl.col("window_start") >= since,
        pl.col("window_start") < until,
        month.is_between(since.year * 12 + since.month, until.year * 12 + until.month),
    )
    return wanted.filter(pl.col("dataset") == dataset) if dataset else wanted


def _stops(rows: pl.DataFrame) -> dict[int, int]:
    """Where the newest plan among these rows stops; a plan to work again reads nothing new and says the same."""
    plans = rows.filter(kind="plan").sort("window_start", "window_slice")
    if not plans.height:
        return {}
    return {span.partition: span.stop for span in _plan(plans.row(-1, named=True)).spans}


def _stops_before(rows: pl.DataFrame, window: Window) -> dict[int, int]:
    """Where the hour before stopped, if it was planned: nothing between the two may be left out."""
    return _stops(rows.filter(window_start=window.before.start))


def _starts(rows: pl.DataFrame) -> dict[int, int]:
    plans = rows.filter(kind="plan").sort("window_slice")
    return {span.partition: span.start for span in _plan(plans.row(0, named=True)).spans} if plans.height else {}


def _plan(row: Mapping[str, Any]) -> Plan:
    return Plan(
        dataset=row["dataset"],
        window=Window(row["window_start"]),
        number=row["window_slice"],
        mode=row["mode"],
        closes=row["closes"],
        spans=tuple(Span(**span) for span in json.loads(row["spans"])),
    )


def _row(kind: Kind, plan: Plan, done: Done) -> pl.DataFrame:
    import polars as pl

    from schoolhouse import __version__

    values = asdict(done)
    values |= {name: json.dumps(values[name]) for name in ("failures", "dimensions", "tasks", "days")}
    start = plan.window.start
    return pl.DataFrame(
        [
            {
                "kind": kind,
                "dataset": plan.dataset,
                "window_start": start,
                "window_slice": plan.number,
                "mode": plan.mode,
                "closes": plan.closes,
                "spans": json.dumps([asdict(span) for span in plan.spans]),
                "recorded_at": now(),
                **values,
                "seconds": done.seconds,
                "code_version": __version__,
                "year": start.year,
                "month": start.month,
                "day": start.day,
            }
        ],
        schema=schema(),
    )


def _lineage(plan: Plan, done: Done) -> dict[str, Any]:
    return {"window": plan.window, "dataset": plan.dataset, "rows": done.rows, "quality_score": done.score}


def capped(spans: Sequence[Span], ceiling: Mapping[int, int]) -> tuple[Span, ...]:
    """The spans, none of which reaches into what the next window reads."""
    return tuple(
        replace(span, stop=max(span.start, min(span.stop, ceiling.get(span.partition, span.stop)))) for span in spans
    )
