"""A statement counts once, however often and by whatever way it arrives, and the first to arrive stands."""

from __future__ import annotations

import hashlib
import json
import random
import threading
import uuid
from pathlib import Path
from typing import Any

import pytest

from schoolhouse.warehouse.connection import Warehouse, open_warehouse
from schoolhouse.warehouse.health import run_checks
from tests.warehouse.loading import Line, Loaded, as_bytes, load_block, load_file, load_lines, rows, statement, value

TORUS = "http://oli.cmu.edu/extensions/"
STORE = {
    "stored": "2026-08-02T01:02:03.456Z",
    "version": "1.0.3",
    "authority": {
        "objectType": "Agent",
        "name": "A store, [with] {marks}",
        "account": {"homePage": "https://store.example", "name": "key-1"},
    },
}


def new_id() -> str:
    return str(uuid.uuid4())


def with_section(section_id: int, **parts: Any) -> dict[str, Any]:
    return statement(context={"extensions": {TORUS + "section_id": section_id}}, **parts)


def mixed(mark: str, count: int = 40) -> list[bytes]:
    """Statements of which every second has an id."""
    return [
        as_bytes(
            with_section(
                place % 3 + 1,
                mark=f"{mark}-{place}",
                timestamp=f"2026-08-{place % 28 + 1:02}T12:00:00.{place:03}Z",
                **({"id": new_id()} if place % 2 else {}),
            )
        )
        for place in range(count)
    ]


def rekeyed(line: bytes) -> bytes:
    """The same statement with its keys in another order and other white space, if it has an id; else the line."""

    def turned(value: Any) -> Any:
        if isinstance(value, dict):
            return {name: turned(value[name]) for name in reversed(value)}
        return value

    whole = json.loads(line)
    return json.dumps(turned(whole), separators=(" ,\t", " :  ")).encode() if "id" in whole else line


def stored(line: bytes) -> bytes:
    whole = json.loads(line)
    return as_bytes({**whole, **STORE}) if "id" in whole else line


def events(warehouse: Warehouse, event_id: str, columns: str = "verb_id") -> list[Any]:
    sql = f"SELECT {columns} FROM raw_events FINAL WHERE event_id = {{id:UUID}}"
    return list(rows(warehouse, sql, id=event_id))


WAYS: dict[str, Any] = {
    "the same file": lambda lines: lines,
    "in another order": lambda lines: random.Random(7).sample(lines, len(lines)),
    "with CRLF": lambda lines: [line + b"\r" for line in lines],
    "with outer blanks": lambda lines: [b" \t" + line + b"  \v\r" for line in lines],
    "with a byte order mark": lambda lines: [b"\xef\xbb\xbf" + lines[0], *lines[1:]],
    "with blank lines": lambda lines: [b"", *(part for line in lines for part in (line, b" "))],
    "with keys in another order": lambda lines: [rekeyed(line) for line in lines],
    "as a store gives them back": lambda lines: [stored(line) for line in lines],
    "in another order of keys from a store": lambda lines: [rekeyed(stored(line)) for line in lines],
    "twice in a file": lambda lines: [*lines, *lines],
}


@pytest.fixture(scope="module")
def known(shared_tables: Warehouse) -> dict[str, list[bytes]]:
    """Statements for each way, which one load has brought."""
    lines = {way: mixed(way) for way in WAYS}
    loaded = load_lines(shared_tables, [line for each in lines.values() for line in each], source="known")
    assert loaded.counts == (40 * len(WAYS), 0, 0)
    return lines


@pytest.mark.parametrize("way", WAYS)
def test_statements_that_arrive_again_are_duplicates(
    shared_tables: Warehouse, known: dict[str, list[bytes]], way: str
) -> None:
    again = load_lines(shared_tables, WAYS[way](known[way]), source=way)
    accepted = 80 if way == "twice in a file" else 40
    assert again.counts == (0, accepted, 0)
    sql = "SELECT count(), uniqExact(event_id) FROM raw_events FINAL WHERE position(statement, {mark:String}) > 0"
    assert rows(shared_tables, sql, mark=f'"{way}-') == [(40, 40)]


def test_the_same_statements_in_other_files_are_duplicates(shared_tables: Warehouse, tmp_path: Path) -> None:
    lines = mixed("files")
    whole = tmp_path / "whole.jsonl"
    whole.write_bytes(b"\n".join(lines))
    assert load_file(shared_tables, whole).counts == (40, 0, 0)
    for place in range(4):
        part = tmp_path / f"part-{place}.jsonl"
        part.write_bytes(b"\r\n".join(lines[place::4]) + b"\r\n")
        assert load_file(shared_tables, part).counts == (0, 10, 0)


def test_a_statement_twice_in_one_load_is_one_and_a_duplicate(shared_tables: Warehouse) -> None:
    mine = statement(id=new_id())
    assert load_lines(shared_tables, [mine, mine, mine], source="thrice").counts == (1, 2, 0)
    plain = statement(mark="plain, thrice")
    assert load_lines(shared_tables, [plain, as_bytes(plain) + b"\r", plain], source="thrice").counts == (1, 2, 0)


def test_another_key_order_is_another_event_where_there_is_no_id(shared_tables: Warehouse) -> None:
    plain = statement(mark="no id")
    turned = dict(reversed(plain.items()))
    assert load_lines(shared_tables, [plain, turned], source="turned").counts == (2, 0, 0)


def test_the_hash_is_that_of_the_trimmed_line(shared_tables: Warehouse) -> None:
    lines = [as_bytes(statement(mark=f"hash {place}")) for place in range(3)]
    around = [b"", b" \t\v", b"\xef\xbb\xbf "]
    loaded = load_lines(
        shared_tables, [before + line + b" \f\r" for before, line in zip(around, lines, strict=True)], source="hashes"
    )
    found = [row["event_hash"] for _, row in sorted(loaded.events("event_hash").items())]
    assert found == [hashlib.sha256(line).hexdigest() for line in lines]


def test_an_id_is_kept_and_one_that_is_no_uuid_becomes_one(shared_tables: Warehouse) -> None:
    mine = uuid.uuid4()
    lines: list[Line] = [statement(id=str(mine)), statement(id="attempt-5"), statement(id=""), statement(id=None)]
    found = load_lines(shared_tables, lines, source="ids").events("event_id, hex(event_digest) AS digest")
    assert found[1]["event_id"] == mine
    assert len({row["event_id"] for row in found.values()}) == 4
    again = load_lines(shared_tables, [statement(id="attempt-5", version="1.0.3")], source="ids again")
    assert again.counts == (0, 1, 0)
    assert events(shared_tables, str(found[2]["event_id"]), "count()") == [(1,)]


def test_upper_case_ids_are_the_same_ids(shared_tables: Warehouse) -> None:
    mine = new_id()
    load_lines(shared_tables, [statement(id=mine)], source="lower")
    load_lines(shared_tables, [statement(id=mine.upper())], source="upper")
    assert events(shared_tables, mine, "count()") == [(1,)]


CHANGES: dict[str, dict[str, Any]] = {
    "verb": {"verb": {"id": "https://verbs.example/other"}},
    "result": {"result": {"success": True}},
    "time": {"timestamp": "2026-08-01T12:00:01Z"},
    "month": {"timestamp": "2026-09-01T00:00:00Z"},
    "learner": {"actor": {"account": {"homePage": "https://lms.example", "name": "learner-2"}}},
    "section": {"context": {"extensions": {TORUS + "section_id": 43}}},
    "both verb and section": {
        "verb": {"id": "https://verbs.example/other"},
        "context": {"extensions": {TORUS + "section_id": 43}},
    },
}


def test_of_a_conflict_the_first_stands(shared_tables: Warehouse) -> None:
    ids = {change: new_id() for change in CHANGES}
    first = [with_section(42, id=ids[change]) for change in CHANGES]
    other = [with_section(42, id=ids[change]) | CHANGES[change] for change in CHANGES]
    many = len(CHANGES)
    assert load_lines(shared_tables, first, source="first").counts == (many, 0, 0)
    assert load_lines(shared_tables, other, source="other").counts == (0, 0, many)
    assert load_lines(shared_tables, other, source="other").counts == (0, many, 0)
    assert load_lines(shared_tables, first, source="first").counts == (0, many, 0)
    for change, stands, came_late in zip(CHANGES, first, other, strict=True):
        mine = {"id": ids[change]}
        assert events(shared_tables, ids[change], "statement") == [(as_bytes(stands).decode(),)], change
        hidden = "SELECT DISTINCT statement FROM raw_events WHERE is_conflict AND event_id = {id:UUID}"
        has_other_key = {"timestamp", "actor", "context"} & CHANGES[change].keys()
        expected = [(as_bytes(came_late).decode(),)] if has_other_key else []
        assert rows(shared_tables, hidden, **mine) == expected, change
        contents = "SELECT uniqExact(content_hash, section_id, timestamp, user_id) FROM statement_ids"
        assert value(shared_tables, f"{contents} WHERE event_id = {{id:UUID}}", **mine) == 2, change


def test_a_derived_id_that_is_written_into_its_statement_is_no_conflict(tables: Warehouse) -> None:
    """As a store does that gives a statement its id: the bytes change, and what they say does not."""
    plain = with_section(7, mark="derived")
    assert load_lines(tables, [plain], source="file").counts == (1, 0, 0)
    written = plain | {"id": str(value(tables, "SELECT event_id FROM raw_events"))} | STORE
    assert load_lines(tables, [written], source="store").counts == (0, 1, 0)
    assert load_lines(tables, [plain, written], source="both").counts == (0, 2, 0)
    assert value(tables, "SELECT count() FROM raw_events FINAL") == 1
    assert all(check.passed for check in run_checks(tables) if check.name in {"conflicts", "duplicates"})


def test_within_a_load_the_first_line_stands(shared_tables: Warehouse) -> None:
    mine = new_id()
    lines = [with_section(place, id=mine, verb={"id": f"https://verbs.example/{place}"}) for place in (3, 1, 2)]
    lines.insert(1, with_section(3, id=mine, verb={"id": "https://verbs.example/late"}))
    assert load_lines(shared_tables, lines, source="within").counts == (1, 0, 3)
    assert events(shared_tables, mine, "section_id, verb_id") == [(3, "https://verbs.example/3")]


def test_conflicts_stay_hidden_after_a_merge(tables: Warehouse) -> None:
    mine = new_id()
    for section in (3, 1, 2, 1):
        load_lines(tables, [with_section(section, id=mine)], source=f"{section}")
    for table in ("raw_events", "statement_ids"):
        tables.run(f"OPTIMIZE TABLE {table} FINAL", why="merge")
    assert load_lines(tables, [with_section(2, id=mine)], source="2").counts == (0, 1, 0)
    assert events(tables, mine, "section_id") == [(3,)]
    assert rows(tables, "SELECT DISTINCT section_id FROM raw_events WHERE is_conflict ORDER BY 1") == [(1,), (2,)]


def test_a_statement_without_context_does_not_clash_with_its_neighbours(shared_tables: Warehouse) -> None:
    lines = [statement(id=new_id(), mark="one time, one learner") for _ in range(50)]
    assert load_lines(shared_tables, lines, source="neighbours").counts == (50, 0, 0)


def test_loads_at_once_count_each_statement_once(tables: Warehouse) -> None:
    lines = mixed("at once", 400)
    loaded: list[Loaded] = []

    def load(seed: int) -> None:
        with open_warehouse(tables.settings, who=f"loader {seed}") as own:
            for round_ in range(3):
                shuffled = random.Random(seed * 10 + round_).sample(lines, len(lines))
                loaded.append(load_lines(own, shuffled, source=f"{seed}-{round_}"))

    threads = [threading.Thread(target=load, args=(seed,)) for seed in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(loaded) == 6
    assert all(each.summary.accepted == 400 and each.summary.conflict == 0 for each in loaded)
    assert rows(tables, "SELECT count(), uniqExact(event_id) FROM raw_events FINAL") == [(400, 400)]
    # two loads that overlap may each have counted a statement before the other's came to light, never neither of them
    assert 400 <= sum(each.summary.new for each in loaded) <= 800


def test_a_conflict_between_loads_at_once_has_one_winner(tables: Warehouse) -> None:
    mine = new_id()

    def load(section: int) -> None:
        with open_warehouse(tables.settings, who="loader") as own:
            load_block(own, as_bytes(with_section(section, id=mine)), source=f"{section}")

    threads = [threading.Thread(target=load, args=(section,)) for section in (1, 2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    load_lines(tables, [with_section(1, id=mine), with_section(2, id=mine)], source="both")
    assert len(events(tables, mine, "section_id")) == 1
