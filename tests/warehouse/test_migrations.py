"""Migrations: up, down, redo, status and plan; a ledger that notices changes; clusters as text."""

from __future__ import annotations

import re
from importlib.resources import files
from typing import Any, Final

import pytest

from schoolhouse.errors import MigrationError, WarehouseNotReady
from schoolhouse.settings import Settings
from schoolhouse.warehouse import migrations
from schoolhouse.warehouse.connection import Warehouse
from schoolhouse.warehouse.statements import describe
from tests.warehouse.loading import load_lines, rows, statement, value

NAMES: Final = [migration.name for migration in migrations.available()]
CLUSTER: Final = "campus"


def tables_of(warehouse: Warehouse) -> list[tuple[Any, ...]]:
    """Every table and view with the text that makes it, less the names the engine gives."""
    sql = "SELECT name, replaceRegexpAll(create_table_query, 'UUID .[0-9a-f-]+. ', '') FROM system.tables"
    return list(
        rows(warehouse, f"{sql} WHERE database = currentDatabase() AND NOT startsWith(name, '.') ORDER BY name")
    )


def states(warehouse: Warehouse) -> list[str]:
    return [entry.state for entry in migrations.status(warehouse)]


def test_up_twice_changes_nothing(warehouse: Warehouse) -> None:
    steps: list[tuple[str, str]] = []
    done = migrations.up(warehouse, on_step=lambda action, name: steps.append((action, name)))
    assert [migration.name for migration in done] == NAMES
    assert steps == [("up", f"{place:04}_{name}") for place, name in enumerate(NAMES, start=1)]
    before = tables_of(warehouse), rows(warehouse, "SELECT * FROM schema_migrations ORDER BY version")
    assert migrations.up(warehouse) == []
    assert (tables_of(warehouse), rows(warehouse, "SELECT * FROM schema_migrations ORDER BY version")) == before


def test_status_and_plan_say_what_is_to_come(warehouse: Warehouse) -> None:
    assert states(warehouse) == ["pending"] * len(NAMES)
    plan = migrations.plan(warehouse)
    assert [migration.name for migration, _ in plan] == NAMES
    assert all(statements[0].startswith("CREATE ") and "IF NOT EXISTS" in statements[0] for _, statements in plan)
    assert tables_of(warehouse) == []  # a plan does nothing
    with pytest.raises(WarehouseNotReady, match=f"{len(NAMES)} of {len(NAMES)} migrations .* warehouse setup"):
        migrations.require_current(warehouse)
    migrations.up(warehouse)
    assert states(warehouse) == ["applied"] * len(NAMES)
    assert migrations.plan(warehouse) == []
    assert all(entry.applied_at and entry.title for entry in migrations.status(warehouse))
    migrations.require_current(warehouse)


def test_down_to_nothing_and_up_again(tables: Warehouse) -> None:
    before = tables_of(tables)
    last = migrations.down(tables)
    assert [migration.name for migration in last] == [NAMES[-1]]
    assert states(tables) == ["applied"] * (len(NAMES) - 1) + ["pending"]
    rest = migrations.down(tables, steps=len(NAMES))
    assert [migration.name for migration in rest] == NAMES[-2::-1]
    assert [name for name, _ in tables_of(tables)] == ["schema_migrations"]
    assert migrations.down(tables) == []
    assert len(migrations.up(tables)) == len(NAMES)
    assert tables_of(tables) == before
    assert load_lines(tables, [statement()], source="works").counts == (1, 0, 0)


def test_redo_takes_the_last_back_and_applies_it(tables: Warehouse) -> None:
    before = tables_of(tables)
    assert [migration.name for migration in migrations.redo(tables)] == [NAMES[-1]]
    assert tables_of(tables) == before
    sql = "SELECT action FROM schema_migrations WHERE version = {version:UInt32} ORDER BY at"
    assert rows(tables, sql, version=len(NAMES)) == [("up",), ("down",), ("up",)]


def record(warehouse: Warehouse, version: int, name: str, checksum: str) -> None:
    columns = ("version", "name", "checksum", "action")
    warehouse.insert("schema_migrations", [(version, name, checksum, "up")], columns, why="write the ledger")


def test_a_migration_that_changed_since_it_ran_is_named(tables: Warehouse) -> None:
    record(tables, 3, "create_raw_events", "the checksum of another text")
    assert states(tables)[2] == "changed"
    with pytest.raises(MigrationError, match=r"0003_create_raw_events has changed since it ran.*Put the file back"):
        migrations.up(tables)
    with pytest.raises(MigrationError, match="0003_create_raw_events"):
        migrations.plan(tables)


def test_migrations_of_a_newer_program_are_shown_and_left_alone(tables: Warehouse) -> None:
    record(tables, 9_001, "create_tomorrow", "unheard of")
    newest = migrations.status(tables)[-1]
    assert (newest.version, newest.name, newest.state) == (9_001, "create_tomorrow", "unknown")
    assert migrations.up(tables) == []
    migrations.require_current(tables)
    assert [migration.name for migration in migrations.down(tables)] == [NAMES[-1]]


def test_a_crash_before_the_ledger_is_repaired_by_running_again(warehouse: Warehouse) -> None:
    migrations.up(warehouse)
    before = tables_of(warehouse)
    migrations.down(warehouse, steps=2)
    for migration, statements in migrations.plan(warehouse):  # done, and then the process died
        assert migration.name in NAMES[-2:]
        for sql in statements:
            warehouse.run(sql, why="apply without a ledger row")
    assert states(warehouse)[-2:] == ["pending", "pending"]
    migrations.up(warehouse)
    assert tables_of(warehouse) == before
    for sql in migrations.render_down(migrations.available()[-1]):
        warehouse.run(sql, why="take back without a ledger row")
    migrations.redo(warehouse)
    assert tables_of(warehouse) == before


def test_a_statement_that_fails_names_its_migration(warehouse: Warehouse) -> None:
    warehouse.run("CREATE TABLE parsed_statements (n UInt8) ENGINE = Memory", why="stand in the way")
    with pytest.raises(MigrationError, match=r"Migration 0021_create_parse_ingest failed going up"):
        migrations.up(warehouse)
    assert states(warehouse)[:20] == ["applied"] * 20
    warehouse.run("DROP TABLE parsed_statements SYNC", why="get out of the way")
    warehouse.run(migrations.available()[1].up, why="make the table that was meant")
    assert len(migrations.up(warehouse)) == len(NAMES) - 20


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("create_x.sql", "-- x\n-- up\nSELECT 1\n-- down\nSELECT 1\n"),
        ("1_create_x.sql", "-- x\n-- up\nSELECT 1\n-- down\nSELECT 1\n"),
        ("0001_create_x.sql", "-- x\nSELECT 1\n"),
        ("0001_create_x.sql", "-- x\n-- up\nSELECT 1\n"),
    ],
)
def test_a_file_that_is_no_migration_is_named(name: str, text: str) -> None:
    with pytest.raises(MigrationError, match=f"{name} is no migration"):
        migrations.parse(name, text)


@pytest.mark.parametrize("migration", migrations.available(), ids=lambda migration: str(migration.name))
def test_a_migration_has_a_title_and_one_statement_a_part(migration: migrations.Migration) -> None:
    assert len(migration.title) > 10
    for part in (migration.up, migration.down):
        without_text = re.sub(r"'(?:[^'\\]|\\.)*'|--[^\n]*", "", part)
        assert ";" not in without_text
    created = re.match(r"CREATE (?:TABLE|MATERIALIZED VIEW|VIEW) (\w+)", migration.up)
    dropped = re.match(r"DROP (?:TABLE|VIEW) (\w+)", migration.down)
    assert created
    assert dropped
    assert created[1] == dropped[1] == migration.name.removeprefix("create_")
    if "MergeTree" in migration.up:
        assert re.search(rf"^    {migration.shard} ", migration.up, re.MULTILINE)


@pytest.mark.parametrize("migration", migrations.available(), ids=lambda migration: str(migration.name))
def test_a_migration_renders_for_a_cluster_in_words_that_the_engine_parses(
    shared_tables: Warehouse, migration: migrations.Migration
) -> None:
    statements = migrations.render_up(migration, CLUSTER) + migrations.render_down(migration, CLUSTER)
    for sql in statements:
        assert sql.count(f"ON CLUSTER '{CLUSTER}'") == 1
        assert f"ON CLUSTER {CLUSTER}" in value(shared_tables, "SELECT formatQuery({sql:String})", sql=sql)
    assert not {"MergeTree", "ReplacingMergeTree", "SummingMergeTree"} & set(re.findall(r"\w+", " ".join(statements)))


def test_a_table_on_a_cluster_is_a_replicated_and_a_distributed_table() -> None:
    text = (
        "-- Loads\n-- shard: load_id\n-- up\nCREATE TABLE loads\n(\n    load_id UInt64,\n    version UInt64\n)\n"
        "ENGINE = ReplacingMergeTree(version)\nORDER BY load_id\n-- down\nDROP TABLE loads\n"
    )
    migration = migrations.parse("0009_create_loads.sql", text)
    local = (
        "CREATE TABLE IF NOT EXISTS loads_local ON CLUSTER 'campus'\n(\n    load_id UInt64,\n    version UInt64\n)\n"
        "ENGINE = ReplicatedReplacingMergeTree('/clickhouse/tables/{uuid}/{shard}', '{replica}', version)\n"
        "ORDER BY load_id"
    )
    distributed = (
        "CREATE TABLE IF NOT EXISTS loads ON CLUSTER 'campus' AS loads_local\n"
        "ENGINE = Distributed('campus', currentDatabase(), 'loads_local', cityHash64(load_id))"
    )
    assert migrations.render_up(migration, CLUSTER) == [local, distributed]
    assert migrations.render_down(migration, CLUSTER) == [
        "DROP TABLE IF EXISTS loads ON CLUSTER 'campus' SYNC",
        "DROP TABLE IF EXISTS loads_local ON CLUSTER 'campus' SYNC",
    ]
    assert migrations.render_up(migration) == [migration.up.replace("CREATE TABLE", "CREATE TABLE IF NOT EXISTS")]
    assert migrations.render_down(migration) == ["DROP TABLE IF EXISTS loads SYNC"]


def test_views_and_tables_that_store_nothing_are_made_on_each_node() -> None:
    by_name = {migration.name: migration for migration in migrations.available()}
    for name, kind in (
        ("create_ingest", "TABLE"),
        ("create_parse_ingest", "MATERIALIZED VIEW"),
        ("create_video_events", "VIEW"),
    ):
        (sql,) = migrations.render_up(by_name[name], CLUSTER)
        assert sql.startswith(f"CREATE {kind} IF NOT EXISTS {name.removeprefix('create_')} ON CLUSTER 'campus'")


def test_the_plan_for_a_cluster_follows_the_setting(warehouse: Warehouse) -> None:
    settings: Settings = warehouse.settings.model_copy(update={"clickhouse_cluster": CLUSTER})
    before, warehouse.settings = warehouse.settings, settings
    try:
        plan = {migration.name: statements for migration, statements in migrations.plan(warehouse)}
    finally:
        warehouse.settings = before
    assert len(plan["create_raw_events"]) == 2
    assert "cityHash64(event_id)" in plan["create_raw_events"][1]


# --- every other statement of the package ---

DUMMIES: Final = {
    "String": "x",
    "UInt64": 1,
    "UInt32": 1,
    "UInt8": 1,
    "Array(UInt64)": [1],
    "Array(String)": ["x"],
    "Array(UUID)": ["9dc99b37-e920-4a68-a066-917faca28949"],
    "UUID": "9dc99b37-e920-4a68-a066-917faca28949",
    "Identifier": "raw_events",
    "Float64": 1.5,
    "DateTime64(3)": "2026-08-01 00:00:00",
    "DateTime64(3, 'UTC')": "2026-08-01 00:00:00",
    "DateTime64(9, 'UTC')": "2026-08-01 00:00:00",
    "DateTime": "2026-08-01 00:00:00",
    "Date": "2026-08-01",
}
STATEMENTS: Final = {
    entry.name: entry.read_text(encoding="utf-8")
    for entry in files("schoolhouse.warehouse.sql").iterdir()
    if entry.name.endswith(".sql")
}


@pytest.fixture(scope="module")
def tables_and_rebuilds(shared_tables: Warehouse) -> Warehouse:
    """The tables, and beside them those that are there while stored statements go through the mapping again."""
    for table in ("raw_events", "statement_ids"):
        shared_tables.run(f"CREATE TABLE IF NOT EXISTS {table}_rebuild AS {table}", why="make a table")
    return shared_tables


@pytest.mark.parametrize("name", sorted(STATEMENTS))
def test_a_statement_has_a_title_and_the_engine_takes_it(tables_and_rebuilds: Warehouse, name: str) -> None:
    sql = STATEMENTS[name]
    assert len(describe(sql)[0]) > 10
    bound = dict(re.findall(r"\{(\w+):((?:[^{}()]|\([^{}]*\))+)\}", sql))
    values = {parameter: DUMMIES[kind] for parameter, kind in bound.items()}
    body = re.sub(r"\A(?:--[^\n]*\n)+", "", sql)
    assert value(tables_and_rebuilds, "SELECT formatQuery({sql:String})", sql=body)
    question = re.sub(r"\AINSERT INTO \w+(?:\s*\([^)]*\))?\s*", "", body)
    reads_elsewhere = re.search(r"FROM (?:file|s3|s3Cluster)\(", question)  # that would be looked for
    if question.startswith(("SELECT", "WITH")) and not reads_elsewhere:
        assert rows(tables_and_rebuilds, f"EXPLAIN {question}", **values)


def _written_as(name: str) -> str:
    """What the migration of a table or view says, blanks aside."""
    return " ".join(next(one.up for one in migrations.available() if one.name == name).split())


def test_the_fields_of_a_statement_are_the_same_where_they_are_read_and_where_they_travel() -> None:
    """Two files hold the type; were they to differ, the engine would cast without a word."""
    tuples = [
        re.sub(r"\s*([(),])\s*", r"\1", re.search(r"Tuple\(\s*id .*`[^`]+` Nullable\(\w+\)\)+", text)[0])  # type: ignore[index]
        for text in (_written_as("create_extracted_lines"), _written_as("create_extract_fields"))
    ]
    assert tuples[0] == tuples[1]
    assert tuples[0].count("Nullable(") > 50


def test_a_column_has_one_type_on_its_way_and_in_its_table(shared_tables: Warehouse) -> None:
    def types(table: str) -> dict[str, str]:
        return {row[0]: row[1] for row in shared_tables.ask(f"DESCRIBE TABLE {table}", why="test").rows}

    on_the_way, kept = types("parsed_statements"), types("raw_events")
    shared = on_the_way.keys() & kept.keys()
    assert len(shared) > 45
    assert {name: on_the_way[name] for name in shared} == {name: kept[name] for name in shared}
