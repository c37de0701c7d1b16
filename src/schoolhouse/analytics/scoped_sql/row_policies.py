"""Grants and row policies for the account that asks custom SQL, on a server.

In: the settings, with CLICKHOUSE_QUESTIONS_USER. Out: the statements, and the server that has run them. They hold a
question to its scope a second time, by the server and not by the handle: the account may read the readable tables and
nothing else, and of those the rows of the scope that the query's tag (`log_comment`) names.
"""

from __future__ import annotations

from typing import Final

from schoolhouse.analytics.scoped_sql.scopes import READABLE, VIEWS
from schoolhouse.errors import QueryError, SettingsError, WarehouseError
from schoolhouse.settings import Settings
from schoolhouse.warehouse.connection import Warehouse
from schoolhouse.warehouse.statements import statement

SQL: Final = "schoolhouse.analytics.sql.access"
_POLICIES: Final = ("show_rows_to_others", "hold_questions_to_scope")
_WHY: Final = "access"


def statements(settings: Settings) -> list[str]:
    """What gives the account its rights, in the order to run; running them again changes nothing.

    Raises:
        SettingsError: no account is named, or the engine is the embedded one, which has no accounts.
    """
    if settings.is_embedded or not settings.clickhouse_questions_user:
        raise SettingsError(
            "There is no account to give rights to.",
            hint="Set CLICKHOUSE_HOST, and CLICKHOUSE_QUESTIONS_USER to a user that the server knows.",
        )
    found = []
    for table in READABLE:
        steps = ("grant_questions",) if table in VIEWS else (*_POLICIES, "grant_questions")
        stored = [table, f"{table}_local"] if settings.clickhouse_cluster and table not in VIEWS else [table]
        found += [_rendered(step, name, settings) for name in stored for step in steps]
    return found


def apply(warehouse: Warehouse) -> None:
    """Run the statements.

    Raises:
        WarehouseError: the server refuses, as it does where CLICKHOUSE_USER may not manage access.
    """
    for sql in statements(warehouse.settings):
        try:
            warehouse.run(sql, why=_WHY)
        except QueryError as error:
            raise WarehouseError(
                f"The rights of {warehouse.settings.clickhouse_questions_user} could not be set: {error.message}",
                hint="Let an administrator run what `schoolhouse warehouse access` prints.",
                engine_code=error.engine_code,
            ) from None


def _rendered(step: str, table: str, settings: Settings) -> str:
    """Names cannot be bound in these statements; all of them are our own or of letters, digits and a few signs."""
    cluster = settings.clickhouse_cluster
    return statement(step, SQL).format(
        on_cluster=f" ON CLUSTER `{cluster}`" if cluster else "",
        database=settings.clickhouse_database,
        table=table,
        user=settings.clickhouse_questions_user,
    )
