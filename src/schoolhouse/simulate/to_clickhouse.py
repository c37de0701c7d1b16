"""Into the schemas that Aspects reads: `<db_name>.xapi_events_all` and the tables of `<db_event_sink_name>`."""

from __future__ import annotations

import time
from typing import Final

from schoolhouse.errors import DeliveryError, SchoolhouseError, SettingsError, UsageError
from schoolhouse.settings import Settings, load_settings
from schoolhouse.simulate.campus import Plan
from schoolhouse.simulate.course_tables import Table
from schoolhouse.simulate.delivery import Delivered, OnRows, RunState, StatementBatch, batches_of, with_retries
from schoolhouse.simulate.load_config import LoadConfig
from schoolhouse.simulate.native import native_block
from schoolhouse.warehouse.connection import Warehouse, open_warehouse
from schoolhouse.warehouse.statements import statement

STATEMENT_TABLE: Final = "xapi_events_all"
STATEMENT_COLUMNS: Final[tuple[tuple[str, str], ...]] = (
    ("event_id", "UUID"),
    ("emission_time", "DateTime64(6)"),
    ("event", "String"),
)
_SQL: Final = "schoolhouse.simulate.sql"
_WHY: Final = "load a simulated campus"
# Younger versions of the sink write this table; where it is missing, the others are loaded all the same.
_OPTIONAL: Final = frozenset({"course_enrollment"})


class ClickHouse:
    """A ClickHouse server with the schemas of Aspects."""

    def __init__(self, config: LoadConfig) -> None:
        self._config = config
        self._xapi, self._sink = config["db_name"], config["db_event_sink_name"]
        try:
            self._warehouse = open_warehouse(_settings(config), who="simulate load-db")
            answer = self._warehouse.ask(
                statement("list_aspects_tables", _SQL), {"xapi": self._xapi, "event_sink": self._sink}, why=_WHY
            )
        except SchoolhouseError as error:
            if "CLICKHOUSE_" not in error.hint:
                raise
            # The environment has no say here.
            hint = "Check db_host, db_port, db_username and db_password of the configuration, and that the server runs."
            raise DeliveryError(error.message, hint=hint) from None
        self._there = {f"{database}.{name}" for database, name in answer.rows}

    @property
    def warehouse(self) -> Warehouse:
        """The connection."""
        return self._warehouse

    def close(self) -> None:
        """Let go of the connection."""
        self._warehouse.close()

    def write_table(self, table: Table, on_rows: OnRows) -> Delivered:
        """Insert one table, some thousand rows at a time."""
        place, rows, size, started = f"{self._sink}.{table.name}", 0, 0, time.monotonic()
        if not self._has(place, table.name):
            return Delivered(table.file, place, 0, 0, 0.0, note="left out: there is no such table")
        for count, block in table.blocks():
            with_retries(place, lambda block=block: self._insert(place, block, "CSV", table.column_names))  # type: ignore[misc]
            rows, size = rows + count, size + len(block)
            on_rows(count)
        return Delivered(table.file, place, rows, size, time.monotonic() - started)

    def write_statements(self, plan: Plan, state: RunState, on_rows: OnRows) -> Delivered:
        """Insert all statements, batch by batch."""
        place, rows, size, started = f"{self._xapi}.{STATEMENT_TABLE}", 0, 0, time.monotonic()
        self._has(place, STATEMENT_TABLE)
        for batch in batches_of(plan, self._config["batch_size"], state.has_batch):
            try:
                size += with_retries(f"batch {batch.index}", lambda batch=batch: self._insert_batch(place, batch))  # type: ignore[misc]
            except SchoolhouseError as error:
                raise missing(self._config, state, error) from None
            state.finish_batch(batch.index)
            rows += len(batch.lines)
            on_rows(len(batch.lines))
        return Delivered("xapi", place, rows, size, time.monotonic() - started)

    def load_table(self, name: str, columns: tuple[tuple[str, str], ...], url: str, form: str) -> Delivered:
        """Let ClickHouse read files from S3 into one table."""
        started = time.monotonic()
        database = self._xapi if name == STATEMENT_TABLE else self._sink
        if not self._has(f"{database}.{name}", name):
            return Delivered(name, f"{database}.{name}", 0, 0, 0.0, note="left out: there is no such table")
        keys = {"s3_key": self._config["s3_key"], "s3_secret": self._config["s3_secret"]}
        sql = statement("load_from_s3" if keys["s3_key"] else "load_from_open_s3", _SQL)
        sql = sql[sql.index("INSERT INTO") :].replace("COLUMNS", ", ".join(column for column, _ in columns))
        parameters = {
            "database": database,
            "table": name,
            "url": url,
            "format": form,
            "structure": ", ".join(f"{column} {kind}" for column, kind in columns),
            **(keys if keys["s3_key"] else {}),
        }
        before = self._count(database, name)
        with_retries(f"load {name}", lambda: self._warehouse.run(sql, parameters, why=_WHY))
        rows = self._count(database, name) - before
        return Delivered(name, f"{database}.{name}", rows, 0, time.monotonic() - started)

    def _count(self, database: str, name: str) -> int:
        answer = self._warehouse.ask(statement("count_rows", _SQL), {"database": database, "table": name}, why=_WHY)
        return int(answer.value())

    def _has(self, place: str, name: str) -> bool:
        if place in self._there:
            return True
        if name in _OPTIONAL:
            return False
        raise DeliveryError(
            f"ClickHouse has no table {place}.",
            hint="Aspects makes it; check db_name and db_event_sink_name.",
        )

    def _insert(self, place: str, block: bytes, form: str, columns: tuple[str, ...]) -> None:
        self._warehouse.insert_bytes(place, block, input_format=form, columns=columns, why=_WHY)

    def _insert_batch(self, place: str, batch: StatementBatch) -> int:
        block = native_block(batch.row_ids, batch.at_micros, batch.lines)
        self._insert(place, block, "Native", tuple(name for name, _ in STATEMENT_COLUMNS))
        return len(block)


def missing(config: LoadConfig, state: RunState, error: SchoolhouseError) -> DeliveryError:
    """The error of a run whose statements did not all arrive."""
    total = -(-config.statements // config["batch_size"])
    return DeliveryError(
        f"{error.message} {total - state.batches} of {total} batches of statements are missing at the target.",
        hint=f"{error.hint} Then run again with --resume.".strip(),
    )


def _settings(config: LoadConfig) -> Settings:
    if config["db_port"] in {9000, 9440}:
        raise UsageError(
            f"db_port {config['db_port']} is ClickHouse's native port.", hint="Use 8123, or 8443 with TLS."
        )
    try:
        return load_settings(
            clickhouse_host=config["db_host"],
            clickhouse_port=config["db_port"],
            clickhouse_user=config["db_username"],
            clickhouse_password=config["db_password"],
            clickhouse_secure=config.is_secure,
            # The session starts where everyone may be; tables are named with their database.
            clickhouse_database="default",
        )
    except SettingsError as error:
        raise UsageError(error.message, hint="Check the db_ keys of the configuration.") from None
