"""The app's own database: accounts, saved questions, runs and their logs. Statements never come here.

It is SQLite in the data directory by default, and Postgres where `DATABASE_URL` names one, which several machines can
share. A module that keeps rows declares its tables on `metadata` (SQLAlchemy Core) and calls `open_database(settings)`.
"""

from __future__ import annotations

from typing import Any

from sqlalchemy import Connection, Engine, MetaData, create_engine, event, text
from sqlalchemy.engine import URL, make_url
from sqlalchemy.exc import ArgumentError, NoSuchModuleError, SQLAlchemyError

from schoolhouse.errors import DatabaseError, SettingsError, install_hint
from schoolhouse.settings import Settings

metadata = MetaData(
    naming_convention={
        "ix": "ix_%(column_0_label)s",
        "uq": "uq_%(table_name)s_%(column_0_name)s",
        "ck": "ck_%(table_name)s_%(constraint_name)s",
        "fk": "fk_%(table_name)s_%(column_0_name)s",
        "pk": "pk_%(table_name)s",
    }
)

# Two processes that start at once must not both create the tables; the number is ours among Postgres's advisory locks.
_CREATION_LOCK = 7_365_461


def open_database(settings: Settings) -> Engine:
    """An engine over the app's database, with every declared table in place.

    Raises:
        SettingsError: `DATABASE_URL` names no database that we speak to.
        DatabaseError: it cannot be reached or refuses us.
    """
    url = _url(settings)
    try:
        engine = create_engine(url, pool_pre_ping=True)
    except (NoSuchModuleError, ModuleNotFoundError):
        raise SettingsError(
            f"DATABASE_URL starts with {url.drivername!r}, and its driver is not installed.",
            hint=f"SQLite and Postgres are supported. {install_hint('postgres')}",
        ) from None
    if url.get_backend_name() == "sqlite":
        event.listen(engine, "connect", _prepare_sqlite)
    try:
        with engine.begin() as connection:
            _create_tables(connection)
    except SQLAlchemyError as error:
        engine.dispose()
        if url.get_backend_name() == "sqlite":
            raise DatabaseError(
                f"The app's database ({url.database}) cannot be used: {getattr(error, 'orig', None) or error}.",
                hint="Check that its disk has room and may be written to.",
            ) from error
        raise DatabaseError(
            f"The app's database ({_place(url)}) cannot be used: {type(error).__name__}.",
            hint="Is it running, and does DATABASE_URL name its host, user and database? Write @ in a password as %40.",
        ) from error
    return engine


def _url(settings: Settings) -> URL:
    given = settings.database_url.get_secret_value()
    if not given:
        settings.data_dir.mkdir(parents=True, exist_ok=True)
        return URL.create("sqlite", database=str(settings.data_dir / "schoolhouse.sqlite"))
    try:
        url = make_url(given)
    except (ArgumentError, ValueError):  # the latter of a port that is no number
        raise SettingsError(
            "DATABASE_URL is not the URL of a database.",
            hint="For example postgresql://user:password@host/schoolhouse.",
        ) from None
    if url.drivername in {"postgresql", "postgres"}:
        url = url.set(drivername="postgresql+psycopg")
    return url


def _place(url: URL) -> str:
    """Where a database is, without user, password and options; a host with an @ is the end of a password."""
    host = (url.host or "").rpartition("@")[2]
    return f"{host}:{url.port or 5432}/{url.database or ''}"


def _prepare_sqlite(connection: Any, _record: object) -> None:
    cursor = connection.cursor()
    for pragma in ("journal_mode=WAL", "busy_timeout=15000", "foreign_keys=ON", "synchronous=FULL"):
        cursor.execute(f"PRAGMA {pragma}")
    cursor.close()


def _create_tables(connection: Connection) -> None:
    if connection.dialect.name == "postgresql":
        connection.execute(text("SELECT pg_advisory_xact_lock(:number)"), {"number": _CREATION_LOCK})
    else:
        # pysqlite begins a transaction with the first write only; take the write lock before looking what is there.
        connection.exec_driver_sql("BEGIN IMMEDIATE")
    metadata.create_all(connection)
