"""Creates and changes the tables: numbered `.sql` files, each with an up and a down part, and a checksummed ledger.

`sql/migrations/NNNN_verb_object.sql` holds a comment block, `-- up`, one statement, `-- down`, one statement. A file
that has run must not change: its checksum stands in the table `schema_migrations`. Each statement is rendered so that
running it again does no harm, so a crash between a statement and its ledger row is repaired by running again.

With `CLICKHOUSE_CLUSTER` set, a table becomes `<name>_local` with a replicated engine on every node and `<name>`, the
distributed table over it, sharded by the column that the file's `-- shard:` line names.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from functools import cache
from importlib.resources import files
from typing import Any, Final, Literal

from schoolhouse.errors import MigrationError, QueryError, WarehouseNotReady
from schoolhouse.warehouse.connection import Warehouse
from schoolhouse.warehouse.statements import describe, statement

State = Literal["applied", "pending", "changed", "unknown"]
OnStep = Callable[[str, str], None]

_FILE_NAME: Final = re.compile(r"^(\d{4})_([a-z0-9_]+)\.sql$")
_PARTS: Final = re.compile(r"\A(?P<head>.*?)^-- up\n(?P<up>.+?)^-- down\n(?P<down>.+)\Z", re.DOTALL | re.MULTILINE)
_CREATED: Final = re.compile(r"^CREATE (TABLE|MATERIALIZED VIEW|VIEW) (\w+)")
_DROPPED: Final = re.compile(r"^DROP (TABLE|VIEW) (\w+)")
_ENGINE: Final = re.compile(r"^ENGINE = (\w*MergeTree)(?:\(([^)]*)\))?$", re.MULTILINE)
_LEDGER: Final = "schema_migrations"
_WHY: Final = "migrate"


@dataclass(frozen=True)
class Migration:
    """One migration file. `shard` is the column that spreads a table over a cluster, or empty."""

    version: int
    name: str
    title: str
    shard: str
    up: str
    down: str
    checksum: str


@dataclass(frozen=True)
class MigrationState:
    """A migration and whether it has run: `changed` files differ from what ran, `unknown` ran and have no file."""

    version: int
    name: str
    title: str
    state: State
    applied_at: datetime | None


@cache
def available() -> tuple[Migration, ...]:
    """Every migration of this program, in order. Raises MigrationError for a malformed file."""
    folder = files("schoolhouse.warehouse.sql.migrations")
    names = sorted(entry.name for entry in folder.iterdir() if entry.name.endswith(".sql"))
    found = tuple(parse(name, folder.joinpath(name).read_text(encoding="utf-8")) for name in names)
    versions = [migration.version for migration in found]
    if versions != list(range(1, len(found) + 1)):
        raise MigrationError(f"Migrations must be numbered 1, 2, 3 … without gaps; found {versions}.")
    return found


def parse(file_name: str, text: str) -> Migration:
    """A migration from its file. Raises MigrationError when a part is missing."""
    numbered = _FILE_NAME.match(file_name)
    parts = _PARTS.match(text)
    if not numbered or not parts:
        raise MigrationError(
            f"{file_name} is no migration.",
            hint="It must be called NNNN_verb_object.sql and hold `-- up`, one statement, `-- down`, one statement.",
        )
    shard = re.search(r"^-- shard: (\w+)$", parts["head"], re.MULTILINE)
    return Migration(
        version=int(numbered[1]),
        name=numbered[2],
        title=describe(text)[0],
        shard=shard[1] if shard else "",
        up=parts["up"].strip(),
        down=parts["down"].strip(),
        checksum=hashlib.sha256(text.encode()).hexdigest(),
    )


def stored_tables(cluster: str = "") -> frozenset[str]:
    """Names of the tables that keep rows and are made by migrations, and of their ledger."""
    made = (_CREATED.match(migration.up) for migration in available() if _ENGINE.search(migration.up))
    return frozenset({_LEDGER, *(f"{each[2]}_local" if cluster else each[2] for each in made if each)})


def render_up(migration: Migration, cluster: str = "") -> list[str]:
    """The statements that apply a migration; more than one only on a cluster."""
    created = _CREATED.match(migration.up)
    if not created:
        return [_on_cluster_alter(migration.up, cluster)]
    kind, name = created.groups()
    target = f"CREATE {kind} IF NOT EXISTS {name}"
    if not cluster:
        return [migration.up.replace(created[0], target, 1)]
    engine = _ENGINE.search(migration.up)
    on_cluster = f"ON CLUSTER '{cluster}'"
    if kind != "TABLE" or not engine:
        return [migration.up.replace(created[0], f"{target} {on_cluster}", 1)]
    local = migration.up.replace(created[0], f"CREATE TABLE IF NOT EXISTS {name}_local {on_cluster}", 1)
    arguments = ", ".join(["'/clickhouse/tables/{uuid}/{shard}'", "'{replica}'", *([engine[2]] if engine[2] else [])])
    local = local.replace(engine[0], f"ENGINE = Replicated{engine[1]}({arguments})", 1)
    distributed = (
        f"CREATE TABLE IF NOT EXISTS {name} {on_cluster} AS {name}_local\n"
        f"ENGINE = Distributed('{cluster}', currentDatabase(), '{name}_local', cityHash64({migration.shard}))"
    )
    return [local, distributed]


def render_down(migration: Migration, cluster: str = "") -> list[str]:
    """The statements that take a migration back."""
    dropped = _DROPPED.match(migration.down)
    if not dropped:
        return [_on_cluster_alter(migration.down, cluster)]
    kind, name = dropped.groups()
    if not cluster:
        return [f"DROP {kind} IF EXISTS {name} SYNC"]
    names = [name, f"{name}_local"] if _ENGINE.search(migration.up) else [name]
    return [f"DROP {kind} IF EXISTS {each} ON CLUSTER '{cluster}' SYNC" for each in names]


def _on_cluster_alter(sql: str, cluster: str) -> str:
    return re.sub(r"^ALTER TABLE (\w+)", rf"ALTER TABLE \1 ON CLUSTER '{cluster}'", sql) if cluster else sql


def status(warehouse: Warehouse) -> list[MigrationState]:
    """Every migration and its state, by version."""
    ledger = _ledger(warehouse)
    states = []
    for migration in available():
        entry = ledger.pop(migration.version, None)
        state: State = "pending"
        if entry:
            state = "applied" if entry["checksum"] == migration.checksum else "changed"
        states.append(
            MigrationState(migration.version, migration.name, migration.title, state, entry["at"] if entry else None)
        )
    states += [
        MigrationState(version, entry["name"], "applied by a newer program", "unknown", entry["at"])
        for version, entry in ledger.items()
    ]
    return states


def pending(warehouse: Warehouse) -> list[Migration]:
    """Migrations that have not run, in order. Raises MigrationError if one that ran has changed."""
    states = status(warehouse)
    for entry in states:
        if entry.state == "changed":
            raise MigrationError(
                f"Migration {entry.version:04}_{entry.name} has changed since it ran.",
                hint="Put the file back, and make the change in a new migration.",
            )
    waiting = {entry.version for entry in states if entry.state == "pending"}
    return [migration for migration in available() if migration.version in waiting]


def plan(warehouse: Warehouse) -> list[tuple[Migration, list[str]]]:
    """What `up` would run: each pending migration with its rendered statements."""
    cluster = warehouse.settings.clickhouse_cluster
    return [(migration, render_up(migration, cluster)) for migration in pending(warehouse)]


def up(warehouse: Warehouse, *, on_step: OnStep | None = None) -> list[Migration]:
    """Apply every pending migration; returns them. Applying twice changes nothing."""
    _create_ledger(warehouse)
    done = []
    for migration, statements in plan(warehouse):
        _run(warehouse, migration, "up", statements, on_step)
        done.append(migration)
    return done


def down(warehouse: Warehouse, *, steps: int = 1, on_step: OnStep | None = None) -> list[Migration]:
    """Take the last `steps` migrations back, newest first; returns them. Their tables' rows are gone."""
    standing = [entry for entry in status(warehouse) if entry.state in ("applied", "changed")]
    by_version = {migration.version: migration for migration in available()}
    done = []
    for entry in list(reversed(standing))[:steps]:
        migration = by_version[entry.version]
        _run(warehouse, migration, "down", render_down(migration, warehouse.settings.clickhouse_cluster), on_step)
        done.append(migration)
    return done


def redo(warehouse: Warehouse, *, on_step: OnStep | None = None) -> list[Migration]:
    """Take the last migration back and apply it again."""
    down(warehouse, steps=1, on_step=on_step)
    return up(warehouse, on_step=on_step)


def require_current(warehouse: Warehouse) -> None:
    """Raise WarehouseNotReady unless every migration has run (what a server or a Lambda checks at its start)."""
    waiting = [entry for entry in status(warehouse) if entry.state == "pending"]
    if waiting:
        raise WarehouseNotReady(
            f"{len(waiting)} of {len(available())} migrations have not run in database {warehouse.database}.",
            hint="Run `schoolhouse warehouse setup`.",
        )


def _run(
    warehouse: Warehouse, migration: Migration, action: str, statements: list[str], on_step: OnStep | None
) -> None:
    if on_step:
        on_step(action, f"{migration.version:04}_{migration.name}")
    for sql in statements:
        try:
            warehouse.run(sql, why=_WHY)
        except QueryError as error:
            raise MigrationError(
                f"Migration {migration.version:04}_{migration.name} failed going {action}: {error.message}",
                hint="Mend the cause and run again: steps that were done are not done twice.",
                engine_code=error.engine_code,
            ) from None
    warehouse.insert(
        _LEDGER,
        [(migration.version, migration.name, migration.checksum, action)],
        ("version", "name", "checksum", "action"),
        why=_WHY,
    )


def _create_ledger(warehouse: Warehouse) -> None:
    sql = statement("create_schema_migrations")
    cluster = warehouse.settings.clickhouse_cluster
    if cluster:
        sql = sql.replace("schema_migrations\n", f"schema_migrations ON CLUSTER '{cluster}'\n", 1).replace(
            "ENGINE = MergeTree",
            "ENGINE = ReplicatedMergeTree('/clickhouse/tables/{uuid}/all', '{replica}-{shard}')",
        )
    warehouse.run(sql, why=_WHY)


def _ledger(warehouse: Warehouse) -> dict[int, dict[str, Any]]:
    tables = {row[0] for row in warehouse.ask(statement("list_tables"), why=_WHY).rows}
    if _LEDGER not in tables:
        return {}
    return {row["version"]: row for row in warehouse.ask(statement("read_schema_migrations"), why=_WHY).dicts()}
