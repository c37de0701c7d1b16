"""Removes one person from every table, and proves it by counting again.

The person is named by platform and id, as statements name them, and on Open edX by user name too, from which further
ids follow. Tables are found by their columns, so that one which is added later is not forgotten. A deletion stays in
the engine's books for a while, so its text holds hashes, not the person's id.

What lies outside of the warehouse (bundles, S3, backups) is not touched: loading it again would bring the person back.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any, Final

from schoolhouse.errors import NotSupported
from schoolhouse.warehouse.connection import Warehouse
from schoolhouse.warehouse.statements import statement

_WHY: Final = "erase a learner"
_IDS_AT_ONCE: Final = 5_000
_WORD: Final = r"[^\\s\"\\\\,:{}\\[\\]]+"
_TEXT: Final = r"\"((?:[^\"\\\\]|\\\\.)*)\""
_SYNC: Final = {"mutations_sync": 2, "lightweight_deletes_sync": 2}


@dataclass(frozen=True)
class Learner:
    """A person on a platform. `user_name` is Open edX's, or empty."""

    platform: str
    user_id: str
    user_name: str = ""


@dataclass(frozen=True)
class Erased:
    """One table: rows that named the person before, and after."""

    table: str
    found: int
    left: int


def find_platforms(warehouse: Warehouse, user_id: str) -> list[str]:
    """The platforms on which somebody has this id."""
    return [row[0] for row in warehouse.ask(statement("list_platforms_of_user"), {"user_id": user_id}, why=_WHY).rows]


def erase_learner(warehouse: Warehouse, learner: Learner) -> list[Erased]:
    """Remove a person's rows from every table, and count before and after.

    Raises:
        NotSupported: the tables are spread over a cluster, where this has to be done on each node.
    """
    if warehouse.settings.clickhouse_cluster:
        raise NotSupported("Erasing is not built for a cluster yet.", hint="docs/accounts.md lists what to delete.")
    user_ids = _all_ids(warehouse, learner)
    conditions = _conditions(warehouse, learner, user_ids)
    before = {table: _count(warehouse, table, condition) for table, condition in conditions}
    # The index of statements knows no platform: its rows are found by the ids of the statements, while those are there.
    event_ids = _event_ids(warehouse, learner.platform, user_ids)
    indexed = _count_indexed(warehouse, event_ids)
    for start in range(0, len(event_ids), _IDS_AT_ONCE):
        batch = ", ".join(f"'{event_id}'" for event_id in event_ids[start : start + _IDS_AT_ONCE])
        warehouse.run(f"ALTER TABLE statement_ids DELETE WHERE event_id IN ({batch})", why=_WHY, limits=_SYNC)
    for table, condition in conditions:
        if before[table]:
            warehouse.run(f"ALTER TABLE `{table}` DELETE WHERE {condition}", why=_WHY, limits=_SYNC)
    report = [Erased(table, before[table], _count(warehouse, table, condition)) for table, condition in conditions]
    return [*report, Erased("statement_ids", indexed, _count_indexed(warehouse, event_ids))]


def _all_ids(warehouse: Warehouse, learner: Learner) -> list[str]:
    ids = {learner.user_id} - {""}
    if learner.user_name:
        found = warehouse.ask(statement("list_external_ids"), {"username": learner.user_name}, why=_WHY).rows
        ids |= {learner.user_name} | {str(row[0]) for row in found}
    return sorted(ids)


def _conditions(warehouse: Warehouse, learner: Learner, user_ids: Sequence[str]) -> list[tuple[str, str]]:
    """Each table that may name the person, with the condition that finds the rows. It holds hashes only."""
    hashed_ids = _hashes(user_ids)
    platform = f"hex(SHA256(platform)) = '{_hash(learner.platform)}'"
    by_column: dict[str, set[str]] = {}
    for table, column in warehouse.ask(statement("list_person_columns"), why=_WHY).rows:
        by_column.setdefault(table, set()).add(column)
    conditions = []
    for table, columns in sorted(by_column.items()):
        if {"platform", "user_id"} <= columns:
            conditions.append((table, f"{platform} AND hex(SHA256(user_id)) IN ({hashed_ids})"))
        elif "username" in columns and learner.user_name:
            conditions.append((table, f"hex(SHA256(username)) = '{_hash(learner.user_name)}'"))
    # A rejected line may be anything: if the id is a word of it, bare or as an e-mail address, or a text between
    # quotation marks, as written or with JSON's escapes undone, the line goes.
    words, texts = rf"extractAll(line, '{_WORD}')", rf"extractAll(line, '{_TEXT}')"
    mails = f"arrayMap(word -> concat('mailto:', word), {words})"
    plain = f"arrayMap(text -> JSONExtractString(concat('[\"', text, '\"]'), 1), {texts})"
    hashed = f"arrayMap(each -> hex(SHA256(each)), arrayConcat({words}, {mails}, {texts}, {plain}))"
    conditions.append(("rejected_statements", f"hasAny({hashed}, [{hashed_ids}])"))
    return conditions


def _event_ids(warehouse: Warehouse, platform: str, user_ids: Sequence[str]) -> list[str]:
    values = {"platform": platform, "user_ids": list(user_ids)}
    return [str(row[0]) for row in warehouse.ask(statement("list_events_of_user"), values, why=_WHY).rows]


def _count(warehouse: Warehouse, table: str, condition: str) -> int:
    # Names come from system.columns, and conditions hold hashes.
    return int(warehouse.ask(f"SELECT count() FROM `{table}` WHERE {condition}", why=_WHY).value())  # noqa: S608


def _count_indexed(warehouse: Warehouse, event_ids: Sequence[str]) -> int:
    total = 0
    for start in range(0, len(event_ids), _IDS_AT_ONCE):
        values = {"event_ids": event_ids[start : start + _IDS_AT_ONCE]}
        total += int(warehouse.ask(statement("count_statement_ids"), values, why=_WHY).value())
    return total


def _hashes(texts: Iterable[str]) -> str:
    return ", ".join(f"'{_hash(text)}'" for text in texts)


def _hash(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest().upper()


def as_dicts(report: Iterable[Erased]) -> list[dict[str, Any]]:
    """The report as plain values."""
    return [{"table": each.table, "found": each.found, "left": each.left} for each in report]
