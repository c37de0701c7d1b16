"""The learners' last states (SM-2, BKT, IRT), which the next window starts from, as the table
`processed/learner_states`.

Each slice adds the states that it changed. The first window of each day adds all that came before it as well, so that a
window reads one such base and the changes since, however long the lake's history is. Of a key the newest attempt
counts, so windows may come in any order; a window that comes late is read besides the base that did not know it.

Everybody who adds states raises one number, so that of two at once the second looks again: a base knows all that was
there before it, and what it does not know is recorded after it.
"""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Final

import polars as pl

from schoolhouse.lake import days
from schoolhouse.lake.clock import now
from schoolhouse.lake.tables import Change, Table, number_in
from schoolhouse.lake.transform import STATES, learner_states

if TYPE_CHECKING:
    from deltalake import DeltaTable

    from schoolhouse.lake.ledger import Plan
    from schoolhouse.lake.zones import Lake

DATASET: Final = "user_attempts"
TABLE: Final = "learner_states"
_ADDED: Final = "added"  # the transaction of everybody who adds states
_KEY: Final = ("user_id", "kind", "key")
_MOMENT: Final = pl.Datetime("us", "UTC")
SCHEMA: Final = pl.Schema(
    {
        **STATES,
        "is_base": pl.Boolean(),
        "window_start": _MOMENT,
        "window_slice": pl.Int32(),
        "recorded_at": _MOMENT,
        "year": pl.Int16(),
        "month": pl.Int8(),
        "day": pl.Int8(),
    }
)


def table_of(lake: Lake) -> Table:
    """The table of states."""
    return Table(lake, "processed", TABLE)


def before(lake: Lake, plan: Plan, learners: pl.LazyFrame) -> pl.DataFrame | None:
    """The states that the slice starts from, of the learners that it is about; None where there are none."""
    table = table_of(lake)
    opened = table.open()
    return None if opened is None else _before(table, opened, plan, learners)


def _before(table: Table, opened: DeltaTable, plan: Plan, learners: pl.LazyFrame | None = None) -> pl.DataFrame | None:
    """The states of these learners, or of all."""
    found = table.scan(opened)
    if found is None:
        return None
    start = plan.window.start
    base = _newest_base(found, start)
    earlier = pl.col("window_start") < start
    if plan.mode == "add":
        earlier |= (pl.col("window_start") == start) & (pl.col("window_slice") < plan.number)
    rows = found.filter(earlier & ~pl.col("is_base") | _is_of_base(*base), _is_needed(*base))
    if learners is not None:
        rows = rows.join(learners, on="user_id", how="semi")
    states = rows.sort("updated_at", "recorded_at").unique(_KEY, keep="last", maintain_order=True)
    frame = states.select(STATES.names()).collect(engine="streaming")
    return frame if frame.height else None


def _newest_base(found: pl.LazyFrame, start: datetime) -> tuple[datetime | None, datetime | None]:
    """Window and time of recording of the newest base up to a window: as a rule one of this day or the day before."""
    base = pl.col("window_start").max(), pl.col("recorded_at").sort_by("window_start").last()
    bases = found.filter("is_base", pl.col("window_start") <= start)
    lately = bases.filter(days.between(start - timedelta(days=1), start)).select(base).collect().row(0)
    return lately if lately[0] is not None else bases.select(base).collect().row(0)


def _is_of_base(start: datetime | None, _recorded: datetime | None) -> pl.Expr:
    return pl.lit(value=False) if start is None else pl.col("is_base") & (pl.col("window_start") == start)


def _is_needed(start: datetime | None, recorded: datetime | None) -> pl.Expr:
    """What the base does not know: later windows, and earlier ones that came after it."""
    if start is None or recorded is None:
        return pl.lit(value=True)
    return (pl.col("window_start") >= start) | (pl.col("recorded_at") > recorded)


def keep(lake: Lake, plan: Plan, attempts: pl.DataFrame) -> None:
    """Add the states that the slice changed, unless they are there."""
    table = table_of(lake)
    changed = learner_states(attempts.lazy(), None).collect()
    base_name = f"base {plan.window.start:%Y-%m-%d}"

    def make(opened: DeltaTable) -> Change | None:
        if number_in(opened, plan.transaction) >= plan.number:
            return None
        transactions = {plan.transaction: plan.number, _ADDED: number_in(opened, _ADDED) + 1}
        parts = [_stamped(changed, plan, is_base=False)]
        if not number_in(opened, base_name):
            known = _before(table, opened, plan)
            parts.append(_stamped(known if known is not None else changed.clear(), plan, is_base=True))
            transactions[base_name] = 1
        return Change(pl.concat(parts), transactions, metadata={"window": plan.window})

    table.commit(SCHEMA, make)


def _stamped(states: pl.DataFrame, plan: Plan, *, is_base: bool) -> pl.DataFrame:
    start = plan.window.start
    return states.with_columns(
        pl.lit(is_base).alias("is_base"),
        pl.lit(start, _MOMENT).alias("window_start"),
        pl.lit(plan.number, pl.Int32).alias("window_slice"),
        pl.lit(now(), _MOMENT).alias("recorded_at"),
        pl.lit(start.year, pl.Int16).alias("year"),
        pl.lit(start.month, pl.Int8).alias("month"),
        pl.lit(start.day, pl.Int8).alias("day"),
    ).select(SCHEMA.names())


def needed_since(table: Table) -> datetime | None:
    """The start of the newest base: what is older may be cleaned up, and what is newer may not."""
    found = table.scan()
    if found is None:
        return None
    newest: datetime | None = found.filter("is_base").select(pl.col("window_start").max()).collect().item()
    return newest
