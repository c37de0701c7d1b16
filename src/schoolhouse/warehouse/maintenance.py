"""Keeps the tables fit: merging parts, dropping what is past its time, and mapping stored statements anew."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Final

from schoolhouse.errors import WarehouseError
from schoolhouse.warehouse import migrations
from schoolhouse.warehouse.connection import Warehouse
from schoolhouse.warehouse.statements import statement

_REPROCESS: Final = "reprocess"

OnStep = Callable[[str], None]

# Tables that the mapping fills, with the view that fills each.
_MAPPED_TABLES: Final = {
    "raw_events": "accept_statements",
    "statement_ids": "index_statements",
    "experiment_attributions": "attribute_experiments",
}
# A time to live is a DateTime, which begins anew after 2106: what ends later would be deleted at once.
_LAST_MOMENT: Final = "toDateTime64('2106-01-01 00:00:00', 3, 'UTC')"
# Rows that arrive while a rebuild ends are read once more from this long before it began.
_OVERLAP_SECONDS: Final = 3600


@dataclass(frozen=True)
class Rebuild:
    """What `reprocess` did: rows under FINAL before and after, and how long it took (seconds)."""

    events_before: int
    events_after: int
    seconds: float


def optimize(warehouse: Warehouse, *, on_step: OnStep | None = None) -> int:
    """Merge every partition that has several parts into one; returns how many partitions were merged.

    Questions run two to four times faster afterwards. Merging takes about as long as loading the rows did.
    """
    merged = 0
    for table, engine in warehouse.ask(statement("list_stored_tables"), why="optimize").rows:
        if engine == "MergeTree":
            continue
        for partition, parts, rows in warehouse.ask(
            statement("list_partitions"), {"table": table}, why="optimize"
        ).rows:
            if parts < 2:
                continue
            if on_step:
                on_step(f"{table} {partition}: {parts} parts, {rows:,} rows")
            where = "" if partition == "all" else f" PARTITION ID '{partition}'"
            cluster = _on_cluster(warehouse)
            warehouse.run(f"OPTIMIZE TABLE `{table}`{cluster}{where} FINAL", why="optimize")
            merged += 1
    return merged


def merge_touched(warehouse: Warehouse, *, since: float, on_step: OnStep | None = None) -> int:
    """Merge the partitions of events that were written to since a moment (Unix seconds); returns how many."""
    rows = warehouse.ask(statement("list_touched_partitions"), {"since": int(since)}, why="optimize").rows
    for (partition,) in rows:
        if on_step:
            on_step(str(partition))
        table = "raw_events_local" if warehouse.settings.clickhouse_cluster else "raw_events"
        where = f"{_on_cluster(warehouse)} PARTITION ID '{partition}' FINAL"
        warehouse.run(f"OPTIMIZE TABLE {table}{where}", why="optimize")
    return len(rows)


def apply_retention(warehouse: Warehouse) -> dict[str, int]:
    """Set each table's time to live from the settings (months, 0: for ever); returns them by table."""
    settings = warehouse.settings
    wanted = {
        "raw_events": ("timestamp", settings.raw_events_retention_months),
        "experiment_attributions": ("timestamp", settings.raw_events_retention_months),
        "statement_ids": ("timestamp", settings.raw_events_retention_months),
        "rejected_statements": ("received_at", settings.rejects_retention_months),
        "loads": ("started_at", settings.logs_retention_months),
    }
    for table, (column, months) in wanted.items():
        local = f"{table}_local" if settings.clickhouse_cluster else table
        ddl = warehouse.ask(statement("read_table_ddl"), {"table": local}, why="retention").value() or ""
        target = f"ALTER TABLE `{local}`{_on_cluster(warehouse)}"
        if months:
            end = f"least({column} + INTERVAL {months} MONTH, {_LAST_MOMENT})"
            warehouse.run(f"{target} MODIFY TTL toDateTime({end}, 'UTC')", why="retention")
        elif " TTL " in ddl:
            warehouse.run(f"{target} REMOVE TTL", why="retention")
    return {table: months for table, (_, months) in wanted.items()}


def reprocess(warehouse: Warehouse, *, on_step: OnStep | None = None) -> Rebuild:
    """Rebuild the mapped tables from the stored statements through today's mapping, then swap them in.

    New tables stand beside the live ones and take every new statement too; the stored ones go through the door again,
    month by month, with their own arrival times. After the swap, what arrived in the last moments is read once more, so
    nothing is lost. A rebuild that is cut off leaves the live tables untouched; run it again.
    """
    if warehouse.settings.clickhouse_cluster:
        raise WarehouseError(
            "Reprocessing a cluster is not built yet.",
            hint="Load the sources again with `schoolhouse ingest`; nothing counts twice.",
        )
    say = on_step or (lambda _: None)
    started = time.perf_counter()
    began_at = int(time.time())
    before = _count_events(warehouse)
    _drop_rebuild(warehouse)
    for table, view in _MAPPED_TABLES.items():
        warehouse.run(f"CREATE TABLE `{table}_rebuild` AS `{table}`", why=_REPROCESS)
        warehouse.run(_extra_view(view, table, f"{table}_rebuild", "rebuild", "is_rebuild IN (0, 1)"), why=_REPROCESS)
    for partition, _, rows in warehouse.ask(statement("list_partitions"), {"table": "raw_events"}, why=_REPROCESS).rows:
        say(f"{partition}: {rows:,} rows")
        warehouse.run(statement("reprocess_partition"), {"partition": partition}, why=_REPROCESS)
    warehouse.run(statement("hide_rebuilt_conflicts"), why=_REPROCESS)
    for table, view in _MAPPED_TABLES.items():
        warehouse.run(_extra_view(view, table, table, "late", "is_rebuild = 2"), why=_REPROCESS)
    oldest_at = int(time.time() - _running_inserts(warehouse, 0)["seconds"])  # its rows bear the time of its start
    for table in _MAPPED_TABLES:
        warehouse.run(f"EXCHANGE TABLES `{table}` AND `{table}_rebuild`", why=_REPROCESS)
    _wait_for_earlier_inserts(warehouse, time.monotonic())
    say("what arrived meanwhile")
    since = min(began_at, oldest_at) - _OVERLAP_SECONDS
    warehouse.run(statement("reprocess_late"), {"since": since}, why=_REPROCESS)
    warehouse.run(statement("keep_conflicting_contents"), why=_REPROCESS)
    # Once more, in the tables that are live now: a load that ended meanwhile hid its conflicts in the old ones.
    warehouse.run(statement("hide_rebuilt_conflicts").replace("_rebuild", ""), why=_REPROCESS)
    _drop_rebuild(warehouse)
    return Rebuild(before, _count_events(warehouse), round(time.perf_counter() - started, 3))


def _extra_view(view: str, table: str, target: str, suffix: str, which: str) -> str:
    """The statement of a mapped table's own view, under another name, for another target and other rows."""
    migration = next(each for each in migrations.available() if each.name == f"create_{view}")
    return migration.up.replace(f"VIEW {view} TO {table} ", f"VIEW {view}_{suffix} TO {target} ").replace(
        "is_rebuild = 0", which
    )


def _wait_for_earlier_inserts(warehouse: Warehouse, swapped_at: float) -> None:
    """Inserts that began before the swap write into the old tables; wait until none is left."""
    while True:
        seconds = time.monotonic() - swapped_at
        if not _running_inserts(warehouse, seconds)["inserts"]:
            return
        time.sleep(0.2)


def _running_inserts(warehouse: Warehouse, seconds: float) -> dict[str, Any]:
    return warehouse.ask(statement("count_inserts_older_than"), {"seconds": seconds}, why=_REPROCESS).first()


def _drop_rebuild(warehouse: Warehouse) -> None:
    for table, view in _MAPPED_TABLES.items():
        for suffix in ("rebuild", "late"):
            warehouse.run(f"DROP VIEW IF EXISTS `{view}_{suffix}` SYNC", why=_REPROCESS)
        warehouse.run(f"DROP TABLE IF EXISTS `{table}_rebuild` SYNC", why=_REPROCESS)


def _count_events(warehouse: Warehouse) -> int:
    return int(warehouse.ask(statement("count_events"), why=_REPROCESS).value())


def _on_cluster(warehouse: Warehouse) -> str:
    cluster = warehouse.settings.clickhouse_cluster
    return f" ON CLUSTER '{cluster}'" if cluster else ""
