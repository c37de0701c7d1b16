"""A backup is restored whole or not at all, and a warehouse of pseudonyms stays one."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from schoolhouse.errors import InputError, UsageError
from schoolhouse.settings import Settings, load_settings
from schoolhouse.warehouse import maintenance, migrations
from schoolhouse.warehouse.backup import MANIFEST, back_up, restore
from schoolhouse.warehouse.connection import Warehouse
from schoolhouse.warehouse.pseudonyms import choose_pseudonyms, is_pseudonymous
from tests.warehouse.loading import load_lines, rows, statement, value

KEY = "a key of thirty-two characters, or more"
USERS = "SELECT DISTINCT user_id FROM raw_events"


def _with_key(settings: Settings) -> Settings:
    return settings.model_copy(update={"pseudonym_key": load_settings(pseudonym_key=KEY).pseudonym_key})


def backup_of_an_event(tables: Warehouse, folder: Path, change: Callable[[dict[str, Any]], object]) -> None:
    """A backup whose manifest has been changed."""
    load_lines(tables, [statement()], source="before")
    manifest = back_up(tables, folder)
    change(manifest)
    (folder / MANIFEST).write_text(json.dumps(manifest))


def test_a_restored_warehouse_of_pseudonyms_takes_pseudonyms_only(
    tables: Warehouse, warehouse: Warehouse, tmp_path: Path
) -> None:
    tables.settings, warehouse.settings = _with_key(tables.settings), _with_key(warehouse.settings)
    choose_pseudonyms(tables)
    load_lines(tables, [statement()], source="before")
    assert back_up(tables, tmp_path / "backup")["pseudonymous"]
    restore(warehouse, tmp_path / "backup")
    assert is_pseudonymous(warehouse)
    load_lines(warehouse, [statement(timestamp="2026-08-02T12:00:00Z")], source="after")
    assert value(warehouse, "SELECT count() FROM raw_events") == 2
    assert rows(warehouse, USERS) == rows(tables, USERS)
    assert all(KEY.encode() not in path.read_bytes() for path in (tmp_path / "backup").iterdir())


@pytest.mark.parametrize("handle", ["embedded"], indirect=True)
def test_actors_are_not_restored_into_a_warehouse_of_pseudonyms(
    tables: Warehouse, warehouse: Warehouse, tmp_path: Path
) -> None:
    backup_of_an_event(tables, tmp_path / "backup", lambda manifest: manifest.pop("pseudonymous"))  # as it was once
    warehouse.settings = _with_key(warehouse.settings)
    migrations.up(warehouse)
    choose_pseudonyms(warehouse)
    with pytest.raises(UsageError, match="takes pseudonyms only"):
        restore(warehouse, tmp_path / "backup")
    assert value(warehouse, "SELECT count() FROM raw_events") == 0


class _CutOffError(Exception):
    pass


def _cut_off(_: str) -> None:
    raise _CutOffError


@pytest.mark.parametrize("handle", ["embedded"], indirect=True)
def test_what_a_rebuild_left_behind_is_not_backed_up(tables: Warehouse, warehouse: Warehouse, tmp_path: Path) -> None:
    load_lines(tables, [statement()], source="before")
    with pytest.raises(_CutOffError):
        maintenance.reprocess(tables, on_step=_cut_off)
    assert value(tables, "EXISTS TABLE raw_events_rebuild")
    assert back_up(tables, tmp_path / "backup")["tables"].keys() == migrations.stored_tables()
    restore(warehouse, tmp_path / "backup")
    for table in ("raw_events", "statement_ids", "loads", "load_counts"):
        assert rows(warehouse, f"SELECT * FROM {table} ORDER BY ALL") == rows(
            tables, f"SELECT * FROM {table} ORDER BY ALL"
        )


@pytest.mark.parametrize("handle", ["embedded"], indirect=True)
def test_a_backup_with_a_table_that_is_not_known_restores_nothing(
    tables: Warehouse, warehouse: Warehouse, tmp_path: Path
) -> None:
    left_over: dict[str, list[object]] = {"statement_ids_rebuild": []}
    backup_of_an_event(tables, tmp_path / "backup", lambda manifest: manifest["tables"].update(left_over))
    with pytest.raises(InputError, match="statement_ids_rebuild"):
        restore(warehouse, tmp_path / "backup")
    assert value(warehouse, "SELECT count() FROM loads") == value(warehouse, "SELECT count() FROM raw_events") == 0


def test_on_a_cluster_the_local_tables_are_backed_up() -> None:
    names = migrations.stored_tables("campus")
    assert {"raw_events_local", "schema_migrations"} < names
    assert not names & {"raw_events", "ingest", "ingest_local"}
