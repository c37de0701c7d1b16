"""The questions of `hostile.txt` and `honest.txt`, and two warehouses to ask them in."""

from __future__ import annotations

import re
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from schoolhouse.analytics.scoped_sql.asking import ask_scoped
from schoolhouse.analytics.scoped_sql.scopes import LIMITS, QuestionScope, section_scope
from schoolhouse.analytics.sections import Section
from schoolhouse.errors import QueryError
from schoolhouse.settings import Settings
from schoolhouse.warehouse import migrations
from schoolhouse.warehouse.connection import Warehouse, open_warehouse
from tests.given import HOST, load, name_section, page_viewed, small_campus

COPIED = ("raw_events", "experiment_attributions", "sections")
OWN = Section(HOST, 42, "42", "", 7, "42@torus.example")
# Small enough that a question which wants the machine is stopped at once.
SMALL_LIMITS = {**LIMITS, "max_execution_time": 1, "max_memory_usage": 150_000_000}


def read(name: str) -> dict[str, list[str]]:
    """The questions of a file by heading, with escapes resolved."""
    found: dict[str, list[str]] = {}
    heading = ""
    for line in (Path(__file__).parent / name).read_text(encoding="utf-8").split("\n"):
        if line.startswith("# "):
            heading = line[2:]
        elif line.strip():
            found.setdefault(heading, []).append(_resolved(line))
    return found


def _resolved(line: str) -> str:
    line = re.sub(r"\\u\{([0-9A-F]+)\}", lambda match: chr(int(match[1], 16)), line)
    escapes = {"\\\\": "\\", "\\n": "\n", "\\t": "\t", "\\r": "\r", "\\0": "\0"}
    return re.sub(r"\\[\\ntr0]", lambda match: escapes[match[0]], line)


@dataclass(frozen=True)
class TwoWarehouses:
    """`whole` holds many sections; `alone` holds the rows of one of them, exactly as `whole` does, and nothing else."""

    whole: Settings
    alone: Settings

    def differs(self, question: str, *, scope: QuestionScope | None = None) -> str:
        """How the answers of the two differ, or '' when nobody could tell which one was asked."""
        there = outcome(self.whole, question, scope)
        if there == ("refused", "question_refused"):  # before any warehouse was asked
            return ""
        here = outcome(self.alone, question, scope)
        return "" if there == here else f"{question!r}: whole says {there!r:.500}, alone says {here!r:.500}"


def outcome(settings: Settings, question: str, scope: QuestionScope | None = None) -> tuple[str, Any]:
    """What a person gets: the rows in any order, or the kind of refusal."""
    scope = scope or replace(section_scope(OWN), limits=SMALL_LIMITS)
    try:
        answer = ask_scoped(settings, question, scope, who="tests", sees_identifiers=True)
    except QueryError as error:
        return "refused", error.code
    return "rows", sorted(map(repr, answer.rows))


def fill(whole: Settings, alone: Settings) -> None:
    """Make both warehouses."""
    with open_warehouse(whole, who="tests", must_exist=False) as warehouse:
        migrations.up(warehouse)
        load(warehouse, small_campus())
        load(warehouse, [page_viewed(44, 5000 + n, f"2026-03-0{1 + n % 9}T10:00:00Z", project=7) for n in range(30)])
        load(warehouse, [page_viewed(42, 901, "not a time")])
        for section in (42, 43, 44):
            name_section(warehouse, section, title=f"Title of {section}")
        people = [
            (HOST, str(901 + n), f"learner{n}", f"Learner {n}", f"learner{n}@school.example", 1) for n in range(9)
        ]
        columns = ("platform", "user_id", "username", "name", "email", "version")
        warehouse.insert("learners", people, columns, why="tests")
    with open_warehouse(alone, who="tests", must_exist=False) as warehouse:
        migrations.up(warehouse)
        for table in COPIED:
            source = f"`{whole.clickhouse_database}`.{table}"
            rows = f"SELECT * FROM {source} FINAL WHERE section_id = 42 AND platform = '{HOST}'"
            warehouse.run(f"INSERT INTO {table} {rows}", why="tests")


def state(warehouse: Warehouse) -> list[tuple[Any, ...]]:
    """Tables, and how many events they hold, to see whether anything was written."""
    return warehouse.ask(
        "SELECT database, name, create_table_query, (SELECT count() FROM raw_events FINAL) FROM system.tables"
        " WHERE database = currentDatabase() ORDER BY ALL", why="tests",
    ).rows  # fmt: skip
