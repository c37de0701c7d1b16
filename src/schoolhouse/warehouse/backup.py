"""Backs the warehouse up into a directory, and restores it into an empty one.

A backup is a file a partition, in ClickHouse's Native format under zstd, with `manifest.json` beside them: tables,
rows, SHA-256 of each file, the migrations that made the tables, and whether actors are pseudonyms. The key of these is
not in it. It needs no rights on the server's disks and moves between the embedded engine and a server. Memory stays
flat; time grows with the size. A cluster of many terabytes is better served by ClickHouse's own BACKUP command.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import IO, Any, Final, cast

from backports import zstd

from schoolhouse import __version__
from schoolhouse.errors import InputError, MigrationError, UsageError
from schoolhouse.warehouse import migrations
from schoolhouse.warehouse.connection import Warehouse
from schoolhouse.warehouse.pseudonyms import is_pseudonymous, mark_pseudonymous
from schoolhouse.warehouse.statements import statement

MANIFEST: Final = "manifest.json"
_CHUNK_BYTES: Final = 4 * 1024 * 1024
_WHY: Final = "backup"

OnFile = Callable[[str, int], None]


def back_up(warehouse: Warehouse, folder: Path, *, on_file: OnFile | None = None) -> dict[str, Any]:
    """Write every table of the migrations into `folder`, which must be empty or missing; returns the manifest.

    Loads may go on meanwhile; each partition is read at one moment.
    """
    if folder.exists() and any(folder.iterdir()):
        raise UsageError(f"The directory {folder} is not empty.", hint="Name a new directory for each backup.")
    folder.mkdir(parents=True, exist_ok=True)
    tables: dict[str, list[dict[str, Any]]] = {}
    # a rebuild that was cut off leaves tables behind, which no other warehouse has
    for table in sorted(_tables(warehouse) & migrations.stored_tables(warehouse.settings.clickhouse_cluster)):
        tables[table] = []
        columns = ", ".join(f"`{name}`" for name in _columns(warehouse, table))
        for partition, _, rows in warehouse.ask(statement("list_partitions"), {"table": table}, why=_WHY).rows:
            name = f"{table}.{partition}.native.zst"
            sql = f"SELECT {columns} FROM `{table}` WHERE _partition_id = {{partition:String}}"  # noqa: S608 (own names)
            blocks = warehouse.stream_bytes(sql, {"partition": partition}, output_format="Native", why=_WHY)
            digest, size = _write(folder / name, blocks)
            tables[table].append({"file": name, "rows": rows, "bytes": size, "sha256": digest})
            if on_file:
                on_file(name, size)
    manifest = {
        "schoolhouse": __version__,
        "created_at": datetime.now(UTC).isoformat(timespec="seconds"),
        "migrations": [state.name for state in migrations.status(warehouse) if state.state == "applied"],
        "pseudonymous": is_pseudonymous(warehouse),
        "tables": tables,
    }
    (folder / MANIFEST).write_text(json.dumps(manifest, indent=2))
    return manifest


def restore(warehouse: Warehouse, folder: Path, *, on_file: OnFile | None = None) -> dict[str, Any]:
    """Fill an empty warehouse from a backup; returns its manifest.

    Raises:
        InputError: the backup is damaged, or holds a table that this warehouse lacks; nothing has been restored.
        UsageError: the warehouse already holds events, or takes pseudonyms only and the backup holds actors.
    """
    manifest = _read_manifest(folder)
    known = {migration.name for migration in migrations.available()}
    newer = [name for name in manifest["migrations"] if name not in known]
    if newer:
        raise MigrationError(
            f"The backup was made by a newer program: it has the migration {newer[0]}.", hint="Upgrade first."
        )
    migrations.up(warehouse)
    if warehouse.ask(statement("read_newest_event"), why=_WHY).first()["rows"]:
        raise UsageError(
            f"Database {warehouse.database} already holds events.",
            hint="Restore into an empty warehouse (another database).",
        )
    unknown = sorted(manifest["tables"].keys() - _tables(warehouse))
    if unknown:
        raise InputError(
            f"The backup holds the table {unknown[0]}, which this warehouse lacks.",
            hint=f"A name in _rebuild is left over from a `reprocess` that was cut off: take it out of {MANIFEST}.",
        )
    if manifest.get("pseudonymous"):
        mark_pseudonymous(warehouse)  # before the rows: a load after a restore that was cut off must not bring actors
    elif is_pseudonymous(warehouse):
        raise UsageError(
            f"Database {warehouse.database} takes pseudonyms only, and the backup holds actors.",
            hint="Restore into another database, set up without --pseudonymous.",
        )
    for table, entries in manifest["tables"].items():
        if table == "schema_migrations":
            continue
        columns = tuple(_columns(warehouse, table))
        for entry in entries:
            with zstd.open(folder / entry["file"]) as block:
                warehouse.insert_bytes(
                    table, cast("IO[bytes]", block), input_format="Native", columns=columns, why="restore"
                )
            if on_file:
                on_file(entry["file"], entry["bytes"])
    return manifest


def _read_manifest(folder: Path) -> dict[str, Any]:
    try:
        manifest: dict[str, Any] = json.loads((folder / MANIFEST).read_text())
    except (OSError, ValueError):
        raise InputError(f"{folder} holds no backup.", hint=f"A backup is a directory with a {MANIFEST}.") from None
    for entries in manifest["tables"].values():
        for entry in entries:
            path = folder / entry["file"]
            if not path.is_file() or _digest(path) != entry["sha256"]:
                raise InputError(f"The backup is damaged: {entry['file']} is missing or differs from its checksum.")
    return manifest


def _tables(warehouse: Warehouse) -> set[str]:
    return {row[0] for row in warehouse.ask(statement("list_stored_tables"), why=_WHY).rows}


def _columns(warehouse: Warehouse, table: str) -> list[str]:
    return [row[0] for row in warehouse.ask(statement("list_stored_columns"), {"table": table}, why=_WHY).rows]


def _write(path: Path, blocks: Iterator[bytes]) -> tuple[str, int]:
    with zstd.open(path, "wb", level=3) as file:
        for block in blocks:
            file.write(block)
    return _digest(path), path.stat().st_size


def _digest(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
