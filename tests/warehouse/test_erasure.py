"""One person goes from every table, nobody else does, and the deletion does not name them."""

from __future__ import annotations

import json
import uuid
from datetime import UTC, datetime

import pytest

from schoolhouse.warehouse import migrations
from schoolhouse.warehouse.connection import Warehouse
from schoolhouse.warehouse.erasure import Learner, erase_learner, find_platforms
from schoolhouse.warehouse.loads import start_load
from tests.given import HOST, load, page_attempt, page_viewed

OTHER = "https://other.example"


def _everything(warehouse: Warehouse) -> str:
    """All rows of all tables, as text."""
    tables = warehouse.ask(
        "SELECT name FROM system.tables WHERE database = currentDatabase() AND engine LIKE '%MergeTree'", why="tests"
    ).rows
    return "".join(
        warehouse.ask_bytes(f"SELECT * FROM `{name}`", output_format="JSONEachRow", why="tests").decode(
            errors="replace"
        )
        for (name,) in tables
    )


def test_a_learner_is_gone_from_every_table_and_others_stay(warehouse: Warehouse) -> None:
    migrations.up(warehouse)
    kim, lee = "kim-901", "lee-902"
    given = [
        {**page_viewed(42, 1, "2026-03-01T10:00:00Z"), "actor": {"account": {"homePage": HOST, "name": kim}}},
        {**page_attempt(42, 1, "2026-04-01T10:00:00Z"), "actor": {"account": {"homePage": HOST, "name": kim}}},
        {**page_viewed(42, 1, "2026-03-01T10:00:00Z"), "actor": {"account": {"homePage": HOST, "name": lee}}},
        {**page_viewed(42, 1, "2026-03-01T10:00:00Z"), "actor": {"account": {"homePage": OTHER, "name": kim}}},
    ]
    load(warehouse, given)
    rejected = [json.dumps({"actor": {"account": {"name": who}}}) for who in (kim, lee)]
    with start_load(warehouse, route="file", source="rejects") as under_way:
        lines = "\n".join([*rejected, f"not json {kim} at all", f"not json {kim}x"])
        under_way.add_lines(lines.encode(), source_file="rejects", first_line=1)
    names = ("platform", "user_id", "username", "name", "email", "version")
    people = [(HOST, kim, "kim", "Kim", "k@school.example", 1), (HOST, lee, "lee", "Lee", "l@school.example", 1)]
    warehouse.insert("learners", people, names, why="tests")

    assert find_platforms(warehouse, kim) == [OTHER, HOST]
    report = {each.table: each for each in erase_learner(warehouse, Learner(HOST, kim))}

    assert {table: each.found for table, each in report.items() if each.found} == {
        "raw_events": 2, "learners": 1, "rejected_statements": 2, "statement_ids": 2,
    }  # fmt: skip
    assert not any(each.left for each in report.values())
    assert find_platforms(warehouse, kim) == [OTHER]
    text = _everything(warehouse).replace(f"{kim}x", "")
    assert text.count(kim) == _everything_of_other(warehouse, kim)
    assert lee in text


@pytest.mark.parametrize("who", ["Kim Possible", "https://id.example/kim?of=1", 'anné "K" \\ o', "x{1}:[2],3"])
def test_a_rejected_line_is_found_however_the_id_is_written_in_it(warehouse: Warehouse, who: str) -> None:
    migrations.up(warehouse)
    near = [{"actor": {"account": {"name": name}}} for name in (f"{who}x", f"x{who}", who[:-1])]
    lines = [
        json.dumps({"actor": {"account": {"name": who}}}),
        json.dumps({"actor": {"account": {"name": who}}}, ensure_ascii=False),
        f'cut off: {{"name": {json.dumps(who)}, "home',
        *map(json.dumps, near),
    ]
    with start_load(warehouse, route="file", source="rejects") as under_way:
        under_way.add_lines("\n".join(lines).encode(), source_file="rejects", first_line=1)
    report = {each.table: each for each in erase_learner(warehouse, Learner(HOST, who))}
    assert (report["rejected_statements"].found, report["rejected_statements"].left) == (3, 0)
    assert warehouse.ask("SELECT count() FROM rejected_statements FINAL", why="tests").value() == len(near)


def _everything_of_other(warehouse: Warehouse, who: str) -> int:
    """How often the namesake on the other platform is named: in the event, its statement, and the index."""
    question = "SELECT * EXCEPT (event_digest) FROM raw_events"
    events = warehouse.ask_bytes(question, output_format="JSONEachRow", why="tests").decode()
    ids = warehouse.ask_bytes("SELECT * FROM statement_ids", output_format="JSONEachRow", why="tests").decode()
    return events.count(who) + ids.count(who)


def test_what_the_engine_keeps_of_the_deletion_names_nobody(warehouse: Warehouse) -> None:
    migrations.up(warehouse)
    actor = {"account": {"homePage": HOST, "name": "kim-901"}}
    load(warehouse, [{**page_viewed(42, 1, "2026-03-01T10:00:00Z"), "actor": actor}])
    erase_learner(warehouse, Learner(HOST, "kim-901"))
    question = "SELECT command FROM system.mutations WHERE database = currentDatabase()"
    commands = warehouse.ask(question, why="tests").rows
    assert commands
    assert "kim-901" not in str(commands)


def test_an_open_edx_user_name_takes_external_ids_and_course_tables_along(warehouse: Warehouse) -> None:
    migrations.up(warehouse)
    external, now = uuid.uuid4(), datetime(2026, 3, 1, tzinfo=UTC)
    columns = ("external_user_id", "external_id_type", "username", "user_id", "dump_id", "time_last_dumped")
    warehouse.insert("external_id", [(external, "xapi", "kim", 901, uuid.uuid4(), now)], columns, why="tests")
    enrolled = (
        "id",
        "course_key",
        "created",
        "is_active",
        "mode",
        "username",
        "user_id",
        "dump_id",
        "time_last_dumped",
    )
    rows = [(1, "course-v1:a", now, True, "audit", name, 901, uuid.uuid4(), now) for name in ("kim", "lee")]
    warehouse.insert("course_enrollment", rows, enrolled, why="tests")
    actor = {"account": {"homePage": HOST, "name": str(external)}}
    load(warehouse, [{**page_viewed(42, 1, "2026-03-01T10:00:00Z"), "actor": actor}])
    report = {each.table: each for each in erase_learner(warehouse, Learner(HOST, "", "kim"))}
    assert {table: each.found for table, each in report.items() if each.found} == {
        "raw_events": 1, "course_enrollment": 1, "external_id": 1, "statement_ids": 1,
    }  # fmt: skip
    assert not any(each.left for each in report.values())
    assert warehouse.ask("SELECT username FROM course_enrollment", why="tests").rows == [("lee",)]
