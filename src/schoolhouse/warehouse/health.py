"""What an operator asks of the warehouse: is it well, how large is it, and is its data sound?"""

from __future__ import annotations

from dataclasses import dataclass
from importlib.resources import files
from typing import Any, Final

from schoolhouse.warehouse import migrations
from schoolhouse.warehouse.connection import Warehouse
from schoolhouse.warehouse.statements import describe, statement

_CHECKS: Final = "schoolhouse.warehouse.sql.checks"
_QUESTIONS: Final = "schoolhouse.warehouse.sql.questions"

# Rejects and unknown verbs are part of life; they fail a check from this share on. Everything else fails at one.
_TOLERATED_SHARE: Final = {"rejects": 0.01, "unmapped": 0.05}


@dataclass(frozen=True)
class Check:
    """The outcome of one check of the data: `offenders` of `examined`, and whether that is tolerable."""

    name: str
    title: str
    offenders: int
    examined: int
    tolerated_share: float

    @property
    def passed(self) -> bool:
        """Whether no more offend than is tolerated."""
        return self.offenders <= self.tolerated_share * self.examined

    def as_dict(self) -> dict[str, Any]:
        """The outcome as plain values."""
        return {
            "name": self.name,
            "title": self.title,
            "passed": self.passed,
            "offenders": self.offenders,
            "examined": self.examined,
            "tolerated_share": self.tolerated_share,
        }


def read_health(warehouse: Warehouse) -> dict[str, Any]:
    """Version, uptime (seconds), clock, migrations and newest event."""
    health = warehouse.ask(statement("read_health"), why="health").first()
    states = migrations.status(warehouse)
    health["engine"] = "embedded" if warehouse.is_embedded else "server"
    health["migrations_applied"] = sum(state.state == "applied" for state in states)
    health["migrations_pending"] = sum(state.state == "pending" for state in states)
    if not health["migrations_pending"]:
        newest = warehouse.ask(statement("read_newest_event"), why="health").first()
        has_events = bool(newest["rows"])
        health["newest_event"] = newest["newest_event"] if has_events else None
        health["newest_arrival"] = newest["newest_arrival"] if has_events else None
    return health


def list_table_sizes(warehouse: Warehouse) -> list[dict[str, Any]]:
    """Rows, bytes on disk, parts and partitions of each table, largest first."""
    return warehouse.ask(statement("list_table_sizes"), why="health").dicts()


def run_checks(warehouse: Warehouse) -> list[Check]:
    """Every check of the data. Each reads all events, so time grows with the warehouse."""
    outcomes = []
    for name in _names(_CHECKS):
        sql = statement(name, _CHECKS)
        counts = warehouse.ask(sql, why=f"check {name}").first()
        outcomes.append(
            Check(
                name=name,
                title=describe(sql)[0],
                offenders=int(counts["offenders"]),
                examined=int(counts["examined"]),
                tolerated_share=_TOLERATED_SHARE.get(name, 0.0),
            )
        )
    return outcomes


def question_names() -> list[str]:
    """Names of the sample questions."""
    return _names(_QUESTIONS)


def ask_question(warehouse: Warehouse, name: str) -> tuple[str, list[dict[str, Any]]]:
    """Title and rows of one sample question."""
    sql = statement(name, _QUESTIONS)
    return describe(sql)[0], warehouse.ask(sql, why=f"question {name}").dicts()


def _names(package: str) -> list[str]:
    return sorted(entry.name.removesuffix(".sql") for entry in files(package).iterdir() if entry.name.endswith(".sql"))
