"""Migrated databases that tests use one after another: emptied for each, not made anew.

A migration of the whole warehouse costs a second of CPU; emptying its tables costs milliseconds. What a test changes
besides rows (a table dropped, altered or exchanged, a new one) is seen by comparing the tables with those that the
migration left, and such a database is made anew for the next test.
"""

from __future__ import annotations

import uuid
from dataclasses import dataclass, field

from schoolhouse.settings import Settings
from schoolhouse.warehouse import migrations
from schoolhouse.warehouse.connection import Warehouse, open_warehouse

_TABLES = "SELECT name, uuid, create_table_query FROM system.tables WHERE database = currentDatabase()"
_FILLED = "SELECT name FROM system.tables WHERE database = currentDatabase() AND total_rows > 0"
_LEDGER = "SELECT version, action, count() FROM schema_migrations GROUP BY ALL"
Shape = tuple[frozenset[tuple[object, ...]], frozenset[tuple[object, ...]]]


@dataclass
class MigratedDatabases:
    """The databases of this test process, by the place that asked for them."""

    _made: dict[str, tuple[str, Shape]] = field(default_factory=dict)

    def empty(self, place: str, settings: Settings) -> Settings:
        """`settings` with the name of the place's database, which has all tables and no rows."""
        if place in self._made:
            name, shape = self._made[place]
            known = settings.model_copy(update={"clickhouse_database": name})
            if _emptied(known, shape):
                return known
        fresh = settings.model_copy(update={"clickhouse_database": f"migrated_{uuid.uuid4().hex[:12]}"})
        with open_warehouse(fresh, who="tests", must_exist=False) as warehouse:
            migrations.up(warehouse)
            self._made[place] = fresh.clickhouse_database, _shape(warehouse)
        return fresh


def _emptied(settings: Settings, shape: Shape) -> bool:
    """Whether the database is as it was made; else it is dropped."""
    with open_warehouse(settings, who="tests", must_exist=False) as warehouse:
        if _shape(warehouse) == shape:
            for (table,) in warehouse.ask(_FILLED, why="tests").rows:
                if table != "schema_migrations":
                    warehouse.run(f"TRUNCATE TABLE `{table}` SYNC", why="an empty table for the next test")
            return True
        warehouse.run(f"DROP DATABASE `{warehouse.database}` SYNC", why="a test changed its tables")
        return False


def _shape(warehouse: Warehouse) -> Shape:
    tables = frozenset(warehouse.ask(_TABLES, why="tests").rows)
    names = {row[0] for row in tables}
    ledger = warehouse.ask(_LEDGER, why="tests").rows if "schema_migrations" in names else []
    return tables, frozenset(ledger)
