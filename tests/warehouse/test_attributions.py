"""Entries of `experiment_attributions`: each a row, valid or marked as not, once however its statement is written."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import pytest

from schoolhouse.warehouse.connection import Warehouse
from tests.warehouse.loading import load_lines, rows
from tests.warehouse.test_mapping_torus import ASSIGNMENT, CASES, E, part


def attributed(*entries: Any, **parts: Any) -> dict[str, Any]:
    statement = part()
    statement["context"]["extensions"][E + "experiment_attributions"] = list(entries)
    return statement | parts


ATTRIBUTION_COLUMNS = (
    "experiment_role, attribution_type, is_valid, entry, experiment_id, experiment_uuid, condition_id, condition_code,"
    " assignment_id, assignment_key, assignment_scope, algorithm, enrollment_id, reward_value"
)


def attributions_of(tables: Warehouse, source: str, columns: str = ATTRIBUTION_COLUMNS) -> list[tuple[Any, ...]]:
    sql = f"SELECT {columns} FROM experiment_attributions FINAL WHERE source_file = {{source:String}}"
    return list(rows(tables, f"{sql} ORDER BY source_line, entry", source=source))


def test_each_entry_of_an_attribution_list_is_a_row(shared_tables: Warehouse) -> None:
    reward = {
        "role": "reward",
        "attribution_type": "reward",
        "experiment_id": "5",
        "reward_value": "0.5",
        "assigned_by_policy": "thompson_sampling",
        "enrollment_id": 99,
        "assignment_scope": "section",
        "assignment_key": "ak",
    }
    load_lines(shared_tables, [attributed(ASSIGNMENT, reward)], source="attributions")
    assert attributions_of(shared_tables, "attributions") == [
        ("reward", "reward", True, "2", 5, None, None, None, None, "ak", "section", "thompson_sampling", 99, 0.5),
        ("assignment", "assignment", True, "k1", 5, "u-5", 9, "a", 12, "k1", "intervention", "random", 88, None),
    ]
    scope = "raw_event_type, user_id, platform, section_id, project_id, publication_id, timestamp"
    assert set(attributions_of(shared_tables, "attributions", scope)) == {
        ("part_attempt", "901", "https://h.example", 42, 7, 3, datetime(2026, 8, 1, 12, tzinfo=UTC))
    }


def test_attributions_come_with_their_own_statement_too(shared_tables: Warehouse) -> None:
    load_lines(shared_tables, [CASES["an experiment's condition assigned"][0]], source="assigned")
    assert attributions_of(shared_tables, "assigned", "raw_event_type, experiment_role, condition_code") == [
        ("experiment", "assignment", "a")
    ]


SAME = ("assignment", "exposure", "outcome", "reward", "policy_update")
VALID_PAIRS = {(name, name) for name in SAME} | {
    ("rollup", "outcome"),
    ("rollup", "reward"),
    ("media_interaction", "assignment"),
}


def test_pairs_of_role_and_type_are_valid_or_marked_and_kept(shared_tables: Warehouse) -> None:
    names = [*SAME, "rollup", "media_interaction", "unheard_of", ""]
    entries = [{"role": role, "attribution_type": kind} for role in names for kind in names]
    load_lines(shared_tables, [attributed(*entries), attributed({}, id="x")], source="pairs")
    found = attributions_of(shared_tables, "pairs", "experiment_role, attribution_type, is_valid")
    assert len(found) == len(names) ** 2 + 1
    assert {(role, kind) for role, kind, is_valid in found if is_valid} == VALID_PAIRS


@pytest.mark.parametrize("entries", [{"role": "assignment"}, "assignment", 5, None, []])
def test_attributions_that_are_no_list_are_none_and_lose_no_event(shared_tables: Warehouse, entries: Any) -> None:
    statement = part(object_id=f"https://h.example/{entries}")
    statement["context"]["extensions"][E + "experiment_attributions"] = entries
    source = f"no list: {entries}"
    assert load_lines(shared_tables, [statement], source=source).counts == (1, 0, 0)
    assert attributions_of(shared_tables, source) == []


def test_entries_that_are_no_objects_are_kept_as_invalid(shared_tables: Warehouse) -> None:
    assert load_lines(shared_tables, [attributed("x", None, 5, [1])], source="odd entries").counts == (1, 0, 0)
    found = attributions_of(shared_tables, "odd entries", "entry, is_valid")
    assert found == [("1", False), ("2", False), ("3", False), ("4", False)]


def test_attributions_that_arrive_again_written_otherwise_count_once(shared_tables: Warehouse) -> None:
    statement = attributed(ASSIGNMENT, id="5a9f1b22-0a53-4f0e-9f2e-2f5f0c0c9a01", timestamp="2026-08-02T00:00:00Z")
    load_lines(shared_tables, [statement], source="once")
    load_lines(shared_tables, [dict(reversed(statement.items())) | {"version": "1.0.3"}], source="twice")
    assert attributions_of(shared_tables, "once", "entry") == [("k1",)]
    assert attributions_of(shared_tables, "twice", "entry") == []
