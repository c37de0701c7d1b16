"""docs/mapping.md says what the SQL does: its tables are read here and held against the engine."""

from __future__ import annotations

import re
from typing import Final

import pytest

from schoolhouse.warehouse import migrations
from schoolhouse.warehouse.connection import Warehouse
from schoolhouse.warehouse.loads import REJECT_CODES
from tests.conftest import ROOT
from tests.warehouse.loading import load_lines, rows, statement

TEXT: Final = (ROOT / "docs" / "mapping.md").read_text(encoding="utf-8")
TORUS: Final = "http://oli.cmu.edu/extensions/"


def table_under(heading: str) -> list[list[str]]:
    """The cells of the first table under a heading, without its head, backquotes taken off."""
    section = TEXT.split(f"\n## {heading}\n", 1)[1].split("\n## ", 1)[0]
    lines = re.search(r"((?:^\|.*\n)+)", section, re.MULTILINE)
    assert lines
    return [[cell.strip().strip("`") for cell in line[1:-1].split("|")] for line in lines[1].splitlines()[2:]]


EVENT_TYPES: Final = [(verb, kind, event_type) for verb, kind, event_type in table_under("Event types")]


def rules_of_the_mapping() -> list[tuple[str, str, str]]:
    """The rules as they stand in the SQL: pairs, then activity types, then verbs, then what is left."""
    up = next(migration.up for migration in migrations.available() if migration.name == "create_parse_ingest")
    body = up[up.index("transform(") : up.index("AS event_type")]
    lists = [re.findall(r"'([^']*)'", found) for found in re.findall(r"\[(.*?)\]", body, re.DOTALL)]
    pairs = [(*key.split("|"), event_type) for key, event_type in zip(lists[0], lists[1], strict=True)]
    kinds = [("", key, event_type) for key, event_type in zip(lists[2], lists[3], strict=True)]
    verbs = [(key, "", event_type) for key, event_type in zip(lists[4], lists[5], strict=True)]
    rest = re.search(r"'(\w+)'\)\)\)\s*$", body)
    assert rest
    return [*pairs, *kinds, *verbs, ("", "", rest[1])]  # type: ignore[list-item]


def test_every_rule_is_documented_in_its_order() -> None:
    assert rules_of_the_mapping() == EVENT_TYPES


def test_no_rule_stands_twice() -> None:
    conditions = [(verb, kind) for verb, kind, _ in EVENT_TYPES]
    assert len(conditions) == len(set(conditions))


@pytest.fixture(scope="module")
def event_types(shared_tables: Warehouse) -> list[str]:
    """The event type of a statement made for each row of the table, and of each with another verb or type."""
    lines = [
        statement(
            verb={"id": verb or "https://verbs.example/unheard"},
            object={"id": "https://x.example/", "definition": {"type": kind or "https://types.example/unheard"}},
        )
        for verb, kind, _ in EVENT_TYPES
    ]
    events = load_lines(shared_tables, lines, source="docs.jsonl").events("event_type")
    return [events[place + 1]["event_type"] for place in range(len(lines))]


@pytest.mark.parametrize("place", range(len(EVENT_TYPES)))
def test_a_row_of_the_table_is_what_the_mapping_does(event_types: list[str], place: int) -> None:
    assert event_types[place] == EVENT_TYPES[place][2]


def test_rows_with_an_activity_type_go_before_rows_with_a_verb(shared_tables: Warehouse) -> None:
    by_kind = {kind: event_type for verb, kind, event_type in EVENT_TYPES if not verb}
    verbs = [verb for verb, kind, _ in EVENT_TYPES if verb and not kind]
    pairs = {(verb, kind): event_type for verb, kind, event_type in EVENT_TYPES}
    expected = [pairs.get((verb, kind), event_type) for kind, event_type in by_kind.items() if kind for verb in verbs]
    lines = [
        statement(verb={"id": verb}, object={"id": "x", "definition": {"type": kind}})
        for kind in by_kind
        if kind
        for verb in verbs
    ]
    events = load_lines(shared_tables, lines, source="both.jsonl").events("event_type")
    assert [events[place + 1]["event_type"] for place in range(len(lines))] == expected


def test_verbs_and_types_of_torus_count_with_https_too(shared_tables: Warehouse) -> None:
    rules = [rule for rule in EVENT_TYPES if TORUS in rule[0] + rule[1]]
    lines = [
        statement(
            verb={"id": (verb or "v").replace("http://oli", "https://oli")},
            object={"id": "x", "definition": {"type": kind.replace("http://oli", "https://oli")}},
        )
        for verb, kind, _ in rules
    ]
    events = load_lines(shared_tables, lines, source="https.jsonl").events("event_type")
    assert [events[place + 1]["event_type"] for place in range(len(lines))] == [rule[2] for rule in rules]


def test_every_event_type_is_named_in_the_prose() -> None:
    prose = TEXT.split("Types that an event may have", 1)[1].split("\n\n", 1)[0]
    assert set(re.findall(r"`(\w+)`", prose)) - {"unknown"} == {event_type for _, _, event_type in EVENT_TYPES}


def test_every_column_is_documented_with_its_type(shared_tables: Warehouse) -> None:
    sql = "SELECT name, type FROM system.columns WHERE database = currentDatabase() AND table = 'raw_events'"
    documented = [(cells[0], cells[1]) for cells in table_under("Columns of raw_events")]
    assert documented == rows(shared_tables, f"{sql} ORDER BY position")


def test_every_verdict_is_documented_in_the_order_of_precedence() -> None:
    documented = [cells[0] for cells in table_under("Verdicts")]
    up = next(migration.up for migration in migrations.available() if migration.name == "create_parse_ingest")
    verdict = up[up.index("length(body) > max_line_bytes") : up.index("AS verdict")]
    verdict = verdict.replace("looks_whole, if(has_time, '', 'bad_timestamp'),", "")  # the short way of a whole one
    in_sql = [name for name in dict.fromkeys(re.findall(r"'(\w+)'", verdict)) if name in {*REJECT_CODES, "blank"}]
    assert documented == [*in_sql, "(accepted)"]
    assert set(documented) == {*REJECT_CODES, "blank", "(accepted)"}
