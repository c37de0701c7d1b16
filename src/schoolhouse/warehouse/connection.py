"""One client for ClickHouse, whether it runs inside this process (chDB) or on a server.

In: SQL with bound parameters, and blocks of data. Out: rows, bytes, and errors of `schoolhouse.errors`. This is the
only module that imports the driver; what the driver raises is mapped by `engine_errors`.

The surprising facts: the embedded engine opens one directory for one process at a time (a second process gets a clear
error), a handle runs one call at a time (open a second handle to ask while a long insert runs), and `import chdb` takes
half a second and 230 MB, so the driver is imported when the first handle opens and not before.
"""

from __future__ import annotations

import fcntl
import logging
import re
import shutil
import struct
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any, BinaryIO, Final, Literal, Self, cast

from schoolhouse.errors import QueryError, WarehouseBusy, WarehouseError, WarehouseNotReady, WarehouseUnavailable
from schoolhouse.observe import query_tag
from schoolhouse.warehouse.engine_errors import mapped

if TYPE_CHECKING:
    from clickhouse_connect.driver.client import Client
    from pydantic import SecretStr

    from schoolhouse.settings import Settings

Role = Literal["writer", "reader", "scoped"]
Parameters = Mapping[str, Any]

# What every handle sets. Times are UTC by declaration and by session; FINAL merges each month by itself, since a
# statement's month is part of its identity.
COMMON_SETTINGS: Final[dict[str, Any]] = {
    "session_timezone": "UTC",
    "do_not_merge_across_partitions_select_final": 1,
}
# Loads may span many years: by default an insert that touches over 100 months throws.
WRITER_SETTINGS: Final[dict[str, Any]] = {
    "max_partitions_per_insert_block": 0,
    "throw_on_max_partitions_per_insert_block": 0,
    # Loads insert in parallel, in blocks small enough to keep memory flat. FINAL and merges remove duplicates; to do it
    # block by block on insert would cost a third more.
    "max_insert_threads": 2,
    "parallel_view_processing": 1,  # the views behind the door work side by side: nearly twice the rate on two cores
    "min_insert_block_size_rows": 32_768,
    "min_insert_block_size_bytes": 67_108_864,
    "optimize_on_insert": 0,
    # The mapping shares parsed columns between many branches; lazy branches would copy and compute them anew for each
    # (twice the time, and gigabytes for a block of mixed lines).
    "short_circuit_function_evaluation": "disable",
}
# readonly = 2 forbids writing and DDL, and still lets each question carry its tag and limits.
READER_SETTINGS: Final[dict[str, Any]] = {"readonly": 2}

_ENGINE_CONFIG: Final = Path(__file__).with_name("engine.xml")
_UNKNOWN_DATABASE: Final = 81
_BUSY_SIGNS: Final = ("EmbeddedServer", "Cannot lock file", "already connected", "already running")


_STREAM_BYTES: Final = 1024 * 1024

# On a full disk the embedded engine writes a definition as an empty file, says nothing, and never opens again.
_DEFINES: Final = re.compile(r"(?:\s|--[^\n]*\n)*(?:CREATE|ALTER|EXCHANGE|RENAME)\b", re.IGNORECASE)
_ROOM_BYTES: Final = 20_000_000


@dataclass(frozen=True)
class Answer:
    """Rows of a question, with what they cost."""

    columns: tuple[str, ...]
    types: tuple[str, ...]
    rows: list[tuple[Any, ...]]
    seconds: float

    def dicts(self) -> list[dict[str, Any]]:
        """The rows as dicts by column name."""
        return [dict(zip(self.columns, row, strict=True)) for row in self.rows]

    def first(self) -> dict[str, Any]:
        """The first row as a dict; an empty one if there is no row."""
        return dict(zip(self.columns, self.rows[0], strict=True)) if self.rows else {}

    def value(self) -> Any:
        """The first column of the first row, or None."""
        return self.rows[0][0] if self.rows else None


class Warehouse:
    """A handle on the warehouse, as writer or as reader. Use as a context manager, or `close` it.

    `who` (an account, a command), each call's `why`, and the `scope` to which a question is held, if it is, travel with
    every query as its `log_comment`.
    """

    def __init__(self, client: Client, settings: Settings, *, role: Role, who: str) -> None:
        self._client = client
        self._tag = ""
        self.settings = settings
        self.role: Role = role
        self.who = who
        self.scope: Mapping[str, Any] | None = None

    @property
    def database(self) -> str:
        """Name of the database that holds the tables."""
        return self.settings.clickhouse_database

    @property
    def is_embedded(self) -> bool:
        """Whether the engine runs in this process."""
        return self.settings.is_embedded

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Release the handle."""
        self._client.close()

    def reader(self, *, who: str | None = None) -> Warehouse:
        """A second, read-only handle on the same warehouse."""
        return open_warehouse(self.settings, role="reader", who=who or self.who, must_exist=False)

    def ask(
        self,
        sql: str,
        parameters: Parameters | None = None,
        *,
        why: str,
        limits: Mapping[str, Any] | None = None,
    ) -> Answer:
        """Run one SELECT and return its rows.

        Args:
            sql: the statement, with `{name:Type}` where values go.
            parameters: values by name, bound by the engine.
            why: purpose of the query, for the query log.
            limits: engine settings for this query alone, such as `max_execution_time` (seconds).

        Raises:
            QueryError: the statement is wrong, refused, or stopped by a limit.
            WarehouseUnavailable: the server did not answer.
        """
        started = time.perf_counter()
        with self._mapped_errors():
            result = self._client.query(sql, parameters=dict(parameters or {}), settings=self._with_tag(why, limits))
            rows = [tuple(row) for row in result.result_rows]
        return Answer(
            columns=tuple(result.column_names),
            types=tuple(str(kind.name) for kind in result.column_types),
            rows=rows,
            seconds=time.perf_counter() - started,
        )

    def ask_bytes(
        self,
        sql: str,
        parameters: Parameters | None = None,
        *,
        output_format: str,
        why: str,
        limits: Mapping[str, Any] | None = None,
    ) -> bytes:
        """Run one SELECT and return its answer in a ClickHouse format (JSON, CSVWithNames, Parquet, ArrowStream…)."""
        with self._mapped_errors():
            return self._client.raw_query(
                sql,
                parameters=dict(parameters or {}),
                settings=self._with_tag(why, limits),
                fmt=output_format,
            )

    def stream_bytes(
        self, sql: str, parameters: Parameters | None = None, *, output_format: str, why: str
    ) -> Iterator[bytes]:
        """Run one SELECT and give its answer piece by piece, in a format without head or foot (Native, CSV)."""
        with self._mapped_errors():
            stream = self._client.raw_stream(
                sql, parameters=dict(parameters or {}), settings=self._with_tag(why, None), fmt=output_format
            )
            with cast("IO[bytes]", stream) as opened:
                while piece := opened.read(_STREAM_BYTES):
                    yield piece

    def run(
        self,
        sql: str,
        parameters: Parameters | None = None,
        *,
        why: str,
        limits: Mapping[str, Any] | None = None,
    ) -> None:
        """Run one statement that returns nothing: DDL, `INSERT … SELECT`, `OPTIMIZE`."""
        if self.is_embedded and self.role == "writer" and _DEFINES.match(sql):
            _require_room(self.settings.warehouse_dir)
        with self._mapped_errors():  # not `command`, which would put bound values into the URL
            self._client.raw_query(sql, parameters=dict(parameters or {}), settings=self._with_tag(why, limits))

    def insert(self, table: str, rows: list[tuple[Any, ...]], columns: tuple[str, ...], *, why: str) -> None:
        """Insert a few typed rows. Large data goes through `insert_bytes`."""
        try:
            with self._mapped_errors(hides_data=True):
                self._client.insert(table, rows, column_names=list(columns), settings=self._with_tag(why, None))
        except (ArithmeticError, AttributeError, LookupError, TypeError, ValueError, struct.error) as error:
            raise QueryError(f"A row does not fit the columns of {table} ({type(error).__name__}).") from None

    def insert_bytes(
        self,
        table: str,
        block: bytes | IO[bytes],
        *,
        input_format: str,
        columns: tuple[str, ...],
        why: str,
        limits: Mapping[str, Any] | None = None,
    ) -> None:
        """Insert a block or an open file that is already in a ClickHouse input format (ArrowStream, Native…)."""
        with self._mapped_errors(hides_data=True):
            self._client.raw_insert(
                table,
                column_names=list(columns),
                insert_block=cast("BinaryIO", block),
                fmt=input_format,
                settings=self._with_tag(why, limits),
            )

    def restrict(self, restrictions: Mapping[str, Any], *, why: str) -> None:
        """Set session settings of an embedded handle, the last of which ends all further change."""
        with self._mapped_errors():
            self._tag = query_tag(self.who, why, self.scope)
            self._client.set_client_setting("log_comment", self._tag)
            for name, value in restrictions.items():
                self._client.set_client_setting(name, value)

    def _with_tag(self, why: str, limits: Mapping[str, Any] | None) -> dict[str, Any]:
        tag = query_tag(self.who, why, self.scope)
        settings = dict(limits or {})
        if not self.is_embedded:
            return {**settings, "log_comment": tag}
        if tag != self._tag:  # a session setting is cheaper here than a setting a call
            self._client.set_client_setting("log_comment", tag)
            self._tag = tag
        return settings

    @contextmanager
    def _mapped_errors(self, *, hides_data: bool = False) -> Iterator[None]:
        from clickhouse_connect.driver.exceptions import ClickHouseError

        try:
            yield
        except ClickHouseError as error:
            raise mapped(error, hides_data=hides_data) from None
        except (ConnectionError, TimeoutError) as error:
            raise WarehouseUnavailable(f"ClickHouse did not answer: {type(error).__name__}.") from None


def open_warehouse(
    settings: Settings, *, role: Role = "writer", who: str = "schoolhouse", must_exist: bool = True
) -> Warehouse:
    """Open a handle.

    Args:
        settings: which warehouse, and how to reach it.
        role: `reader` handles cannot write.
        who: the account or command on whose behalf queries run.
        must_exist: refuse to create an embedded warehouse or a database that is not there (`setup` passes False).

    Raises:
        WarehouseNotReady: there is no embedded warehouse or no such database yet.
        WarehouseBusy: another process holds the embedded warehouse.
        WarehouseUnavailable: the server cannot be reached.
    """
    if settings.is_embedded:
        return _open_embedded(settings, role=role, who=who, must_exist=must_exist)
    return _open_server(settings, role=role, who=who, must_exist=must_exist)


def open_scoped(
    settings: Settings,
    restrictions: Mapping[str, Any],
    *,
    who: str,
    why: str,
    scope: Mapping[str, Any] | None = None,
) -> Warehouse:
    """Open a read-only handle for one question of somebody who may not see everything.

    The restrictions become settings of the session before it turns read-only. On the embedded engine nothing can change
    them afterwards; on a server a SETTINGS clause could, so the question must not have one. `scope` goes with the tag
    of each query: a server's row policies read it.
    """
    if settings.is_embedded:
        warehouse = _open_embedded(settings, role="scoped", who=who, must_exist=True)
        warehouse.scope = scope
        warehouse.restrict({**restrictions, "readonly": 1}, why=why)
        return warehouse
    session = {**_session_settings(settings), **restrictions}
    warehouse = _open_server(settings, role="scoped", who=who, must_exist=True, session=session)
    warehouse.scope = scope
    return warehouse


def _open_embedded(settings: Settings, *, role: Role, who: str, must_exist: bool) -> Warehouse:
    path = settings.warehouse_dir
    if must_exist and not path.is_dir():
        raise WarehouseNotReady(
            f"There is no warehouse in {path}.", hint="Create it with `schoolhouse warehouse setup`."
        )
    path.mkdir(parents=True, exist_ok=True)

    from clickhouse_connect.driver.exceptions import ClickHouseError

    try:
        client = _connected(
            settings,
            creates=role == "writer" and not must_exist,
            interface="chdb",
            path=str(path.resolve()),
            chdb_options={"config-file": str(_ENGINE_CONFIG)},
            settings=_session_settings(settings),
        )
        if role == "reader":
            for name, value in READER_SETTINGS.items():
                client.set_client_setting(name, value)
    except ClickHouseError as error:
        if any(sign in str(error) for sign in _BUSY_SIGNS):
            if not _is_held(path):
                raise WarehouseError(
                    f"The warehouse in {path} cannot be opened.",
                    hint="Nobody else holds it. May its files be written, and has its disk room? The engine may have "
                    "said more above. What is damaged comes back with `schoolhouse warehouse restore`.",
                ) from None
            raise WarehouseBusy(
                f"The warehouse in {path} is open in another process{_holder(path)}.",
                hint="Stop that process, or ask through it: a running `schoolhouse serve` answers `query` for you.",
            ) from None
        raise mapped(error) from None
    return Warehouse(client, settings, role=role, who=who)


def _open_server(
    settings: Settings, *, role: Role, who: str, must_exist: bool, session: dict[str, Any] | None = None
) -> Warehouse:
    from clickhouse_connect.driver.exceptions import ClickHouseError

    user, password = _account(settings, role)
    session = session or _session_settings(settings)
    if role != "writer":
        session |= READER_SETTINGS
    address = f"{settings.clickhouse_host}:{settings.clickhouse_port}"
    try:
        client = _connected(
            settings,
            creates=role == "writer" and not must_exist,
            host=settings.clickhouse_host,
            port=settings.clickhouse_port,
            username=user,
            password=password.get_secret_value(),
            secure=settings.is_secure,
            ca_cert=str(settings.clickhouse_ca_file or "") or None,
            settings=session,
            send_receive_timeout=settings.clickhouse_timeout_seconds,
            connect_timeout=10,
            autogenerate_session_id=False,  # a session would run one query at a time
            form_encode_query_params=True,  # bound values stay out of the URL
            client_name="schoolhouse",
        )
    except ClickHouseError as error:
        reason = mapped(error)
        if isinstance(reason, WarehouseUnavailable):
            raise WarehouseUnavailable(
                f"ClickHouse at {address} does not answer.",
                hint="Check CLICKHOUSE_HOST, CLICKHOUSE_PORT (with TLS, CLICKHOUSE_CA_FILE) and that the server runs.",
            ) from None
        raise reason from None
    return Warehouse(client, settings, role=role, who=who)


def _account(settings: Settings, role: Role) -> tuple[str, SecretStr]:
    """User and password of a role: the least that is set up and will do."""
    if role == "scoped" and settings.clickhouse_questions_user:
        return settings.clickhouse_questions_user, settings.clickhouse_questions_password
    if role != "writer" and settings.clickhouse_reader_user:
        return settings.clickhouse_reader_user, settings.clickhouse_reader_password
    return settings.clickhouse_user, settings.clickhouse_password


def _connected(warehouse: Settings, *, creates: bool, **options: Any) -> Client:
    """A client that speaks in the warehouse's database, which is made first if `creates`."""
    import clickhouse_connect
    from clickhouse_connect.driver.exceptions import DatabaseError

    logging.getLogger("clickhouse_connect").setLevel(logging.CRITICAL)  # what it logs it raises too, with data in it
    database = warehouse.clickhouse_database
    try:
        return clickhouse_connect.get_client(database=database, tz_mode="aware", **options)
    except DatabaseError as error:
        if error.code != _UNKNOWN_DATABASE:
            raise
    if not creates:
        raise WarehouseNotReady(
            f"There is no database {database!r}.", hint="Create it with `schoolhouse warehouse setup`."
        )
    client = clickhouse_connect.get_client(tz_mode="aware", **options)
    cluster = f" ON CLUSTER `{warehouse.clickhouse_cluster}`" if warehouse.clickhouse_cluster else ""
    client.command(f"CREATE DATABASE IF NOT EXISTS `{database}`{cluster}")
    client.database = database
    return client


def _session_settings(settings: Settings) -> dict[str, Any]:
    session = {**COMMON_SETTINGS, **WRITER_SETTINGS}
    if settings.clickhouse_max_memory_bytes:
        session["max_memory_usage"] = settings.clickhouse_max_memory_bytes
    return session


def _is_held(path: Path) -> bool:
    """Whether somebody has the directory open: the engine keeps a lock on its status file."""
    try:
        with (path / "status").open("rb") as status:
            fcntl.flock(status, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return True
    except OSError:
        return False
    return False


def _require_room(path: Path) -> None:
    """Raise WarehouseError unless the disk has room for the definition of a table."""
    free = shutil.disk_usage(path).free
    if free < _ROOM_BYTES:
        raise WarehouseError(
            f"The disk of {path} is full: {free:,} bytes are left.",
            hint="Make room first. Definitions of tables that are written to a full disk are lost.",
        )


def _holder(path: Path) -> str:
    """` (process 123)` when the engine's status file tells who holds the directory."""
    try:
        match = re.search(r"PID:\s*(\d+)", (path / "status").read_text())
    except OSError:
        return ""
    return f" (process {match.group(1)})" if match else ""
