"""What an operator watches: is the warehouse well, what was loaded, and which lines were rejected, and why."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Final

from schoolhouse.analytics.readers import Readers
from schoolhouse.analytics.sections import SQL
from schoolhouse.errors import NotFound
from schoolhouse.warehouse import health, migrations
from schoolhouse.warehouse.statements import statement

_LOADS: Final = 25
_REJECTS: Final = 100
_PREVIEW: Final = 160


@dataclass(frozen=True)
class WarehouseState:
    """Everything on the page of the warehouse, as plain values."""

    health: dict[str, Any]
    tables: list[dict[str, Any]]
    pending: list[tuple[str, str, tuple[str, ...]]]
    loads: list[dict[str, Any]]
    rejects: list[dict[str, Any]]


def warehouse_state(readers: Readers, *, who: str) -> WarehouseState:
    """Look at the warehouse: some ten quick questions."""
    with readers.lend(who) as warehouse:
        found = health.read_health(warehouse)
        pending = [
            (f"{migration.version:04}_{migration.name}", migration.title, tuple(sql))
            for migration, sql in migrations.plan(warehouse)
        ]
        if pending:  # the tables that the rest asks for may not be there
            return WarehouseState(found, health.list_table_sizes(warehouse), pending, [], [])
        loads = warehouse.ask(statement("list_recent_loads", SQL), {"limit": _LOADS}, why="admin").dicts()
        rejects = warehouse.ask(statement("count_rejects", SQL), why="admin").dicts()
        return WarehouseState(found, health.list_table_sizes(warehouse), pending, loads, rejects)


def read_load(readers: Readers, load_id: int, *, who: str) -> tuple[dict[str, Any], list[dict[str, Any]]]:
    """One load, and the first lines that it rejected. Raises NotFound."""
    found = readers.ask(statement("find_load", SQL), {"load_id": load_id}, who=who, why="admin").first()
    if not found:
        raise NotFound(f"There is no load {load_id}.")
    values = {"load_id": load_id, "characters": _PREVIEW, "limit": _REJECTS}
    return found, readers.ask(statement("list_load_rejects"), values, who=who, why="admin").dicts()


def read_rejected_line(readers: Readers, load_id: int, source_line: int, *, who: str) -> list[dict[str, Any]]:
    """What a load rejected at one line of its source, whole. Raises NotFound."""
    values = {"load_id": load_id, "source_line": source_line}
    found = readers.ask(statement("find_rejected_line", SQL), values, who=who, why="admin").dicts()
    if not found:
        raise NotFound(f"The load {load_id} rejected nothing at line {source_line}.")
    return found
