"""Statements are completed without touching their own bytes."""

import json
from uuid import UUID

from hypothesis import given
from hypothesis import strategies as st

from schoolhouse.collect.splicing import (
    NEWEST_VERSION,
    arrival_of,
    complete,
    complete_for_reading,
    derived_id,
    format_time,
    one_line,
)

from .statements import FULL, SMALL, as_json

names = st.sampled_from(["id", "stored", "authority", "version", "timestamp", "actor", "verb", "object"])
objects = st.dictionaries(names, st.none() | st.integers() | st.text() | st.lists(st.integers()), min_size=1)


@given(statement=objects, indent=st.none() | st.integers(0, 4))
def test_a_statement_in_one_line_says_the_same(statement, indent):
    line = one_line(json.dumps(statement, indent=indent).encode())
    assert b"\n" not in line
    assert json.loads(line) == statement


@given(statement=objects)
def test_additions_stand_in_front_of_the_bytes_that_were_there(statement):
    line = as_json(statement)
    added = complete(line, {"new": b"[1]"}, replaces=False)
    assert added.endswith(line[1:])
    assert json.loads(added) == {"new": [1], **statement}


@given(statement=objects)
def test_what_is_replaced_is_there_once(statement):
    added = complete(as_json(statement), {"stored": b'"now"', "authority": b"{}"}, replaces=True)
    assert json.loads(added) == {**statement, "stored": "now", "authority": {}}
    assert added.count(b'"stored":') == 1


def test_an_id_follows_from_the_bytes_as_the_warehouse_derives_it():
    # SELECT reinterpretAsUUID(substring(SHA256('abc'), 1, 16))
    assert derived_id(b"abc") == UUID("eacf018f-bf16-78ba-2322-ae5dde404141")
    assert derived_id(b"abc", 1) != derived_id(b"abc", 2)


def test_a_reader_gets_what_the_line_lacks_and_nothing_else():
    version = NEWEST_VERSION - 1_785_585_600_123_000_000 - 7
    found = json.loads(complete_for_reading(as_json(SMALL), UUID(FULL["id"]), version, b'{"a":1}'))
    assert found == {
        **SMALL,
        "id": FULL["id"],
        "stored": "2026-08-01T12:00:00.123Z",
        "authority": {"a": 1},
        "version": "1.0.0",
    }
    whole = as_json(found)
    assert complete_for_reading(whole, UUID(int=0), version, b"{}") == whole
    assert complete_for_reading(b"no JSON", UUID(int=0), version, b"{}") == b"no JSON"


def test_arrival_is_exact_to_the_millisecond():
    for milliseconds in (1, 1_785_585_600_001, 1_785_585_600_999, 4_102_444_799_999):
        for line in (1, 1000):
            moment = arrival_of(NEWEST_VERSION - milliseconds * 1_000_000 - line)
            assert round(moment.timestamp() * 1000) == milliseconds
    assert format_time(arrival_of(NEWEST_VERSION - 1_000_000)) == "1970-01-01T00:00:00.001Z"
