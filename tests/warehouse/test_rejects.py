"""Lines that are no statements: each is kept with its reason, once, and harms none of its neighbours."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from schoolhouse.warehouse.connection import Warehouse
from schoolhouse.warehouse.loads import REJECT_CODES
from tests.warehouse.loading import Line, as_bytes, load_block, load_lines, rows, statement, value

GOOD = as_bytes(statement())
MAX_BYTES = 1_048_576


def with_text(text: str) -> bytes:
    """A good statement with a piece of JSON text as its learner's name."""
    return GOOD.replace(b'"learner-1"', text.encode("utf-8", "surrogatepass"))


def of_length(size: int) -> bytes:
    return GOOD[:-1] + b',"x":"' + b"y" * (size - len(GOOD) - 7) + b'"}'


LINES: dict[str, tuple[Line, str]] = {
    "a statement": (statement(mark="good"), ""),
    # not JSON
    "words": ("not json", "not_json"),
    "a statement cut off": (GOOD[:-1], "not_json"),
    "a statement followed by words": (GOOD + b" junk", "not_json"),
    "two statements in a line": (GOOD + GOOD, "not_json"),
    "a trailing comma": (GOOD[:-1] + b",}", "not_json"),
    "single quotes": ("{'actor': {}}", "not_json"),
    "NaN": (GOOD[:-1] + b',"x":NaN}', "not_json"),
    "a number out of range": (with_text("1e999"), "not_json"),
    "a number with a leading zero": (with_text("01"), "not_json"),
    "bytes that are no UTF-8": (GOOD.replace(b"learner-1", b"\xff\xfe"), "not_json"),
    "an overlong UTF-8 form": (GOOD.replace(b"learner-1", b"\xc0\xaf"), "not_json"),
    "a surrogate in UTF-8": (with_text('"\ud800"'), "not_json"),
    "half of a surrogate pair as an escape": (with_text('"\\ud800"'), "not_json"),
    "the other half": (with_text('"\\udc00x"'), "not_json"),
    "an escape that does not exist": (with_text('"\\q"'), "not_json"),
    "a NUL byte in a string": (GOOD.replace(b"learner-1", b"a\0b"), "not_json"),
    "a tab in a string": (GOOD.replace(b"learner-1", b"a\tb"), "not_json"),
    "NUL bytes alone": (b"\0\0\0", "not_json"),
    "a NUL byte before": (b"\0" + GOOD, "not_json"),
    "a NUL byte after": (GOOD + b"\0", "not_json"),
    "UTF-16": (GOOD.decode().encode("utf-16"), "not_json"),
    "nested too deep": (GOOD[:-1] + b',"x":' + b"[" * 1_025 + b"]" * 1_025 + b"}", "not_json"),
    "nested absurdly deep": (b'{"x":' * 150_000, "not_json"),
    # not an object
    "an array": (b"[" + GOOD + b"]", "not_object"),
    "an array that reads like a statement": (
        '["i","2026-08-01T12:00:00Z","","","","",{"objectType":"Agent"},{"id":"v"},{"id":"o"}]',
        "not_object",
    ),
    "a string": ('"statement"', "not_object"),
    "a number": ("5", "not_object"),
    "null": ("null", "not_object"),
    "true": ("true", "not_object"),
    # no actor
    "an empty object": ("{}", "missing_actor"),
    "no actor": (statement(actor=...), "missing_actor"),
    "a null actor": (statement(actor=None), "missing_actor"),
    "an actor of text": (statement(actor="learner-1"), "missing_actor"),
    "an actor in a list": (statement(actor=["Agent", {"name": "learner-1"}]), "missing_actor"),
    # no verb
    "no verb": (statement(verb=...), "missing_verb"),
    "a verb of text": (statement(verb="tried"), "missing_verb"),
    "a verb without an id": (statement(verb={"display": {"en": "tried"}}), "missing_verb"),
    "a verb with an empty id": (statement(verb={"id": ""}), "missing_verb"),
    "a verb in a list": (statement(verb=["a", "https://verbs.example/tried"]), "missing_verb"),
    # no object
    "no object": (statement(object=...), "missing_object"),
    "a null object": (statement(object=None), "missing_object"),
    "an object of text": (statement(object="thing"), "missing_object"),
    "an object in a list": (statement(object=["x", "https://lms.example/thing"]), "missing_object"),
    # no time
    "no timestamp": (statement(timestamp=...), "bad_timestamp"),
    "a timestamp of no shape": (statement(timestamp="yesterday"), "bad_timestamp"),
    # too long
    "a statement of just the length": (of_length(MAX_BYTES), ""),
    "a statement of a byte more": (of_length(MAX_BYTES + 1), "line_too_long"),
    "noise without end": (b"x" * (3 * MAX_BYTES), "line_too_long"),
    # precedence, from the first to the last
    "too long and no JSON": (b"{" * (MAX_BYTES + 1), "line_too_long"),
    "nothing but a time": ('{"timestamp":"2026-08-01T12:00:00Z"}', "missing_actor"),
    "no actor, no verb, no time": (statement(actor=..., verb=..., timestamp=...), "missing_actor"),
    "no verb, no object, no time": (statement(verb=..., object=..., timestamp=...), "missing_verb"),
    "no object, no time": (statement(object=..., timestamp=...), "missing_object"),
    # not rejected
    "nothing": ("", "blank"),
    "blanks": (" \t \v\f ", "blank"),
    "a carriage return": ("\r", "blank"),
    "a byte order mark alone": (b"\xef\xbb\xbf", "blank"),
    "more blanks than a line may have bytes": (b" " * (MAX_BYTES + 1), "blank"),
    "a byte order mark before": (b"\xef\xbb\xbf" + as_bytes(statement(mark="bom")), ""),
    "nested deep": (GOOD[:-1] + b',"x":' + b"[" * 1_000 + b"]" * 1_000 + b"}", ""),
    "a number beyond 64 bits": (with_text("123456789012345678901234567890"), ""),
    "a character beyond 16 bits": (with_text('"\\ud83c\\udf93"'), ""),
    "an empty actor and an empty object": (statement(actor={}, object={}), ""),
}


@pytest.fixture(scope="module")
def verdicts(shared_tables: Warehouse) -> dict[str, str]:
    """The verdicts of all lines, loaded at once: each beside its neighbours."""
    loaded = load_lines(shared_tables, [line for line, _ in LINES.values()], source="rejects.jsonl")
    found = loaded.verdicts(len(LINES))
    summary = loaded.summary
    assert summary.lines == len(LINES) == summary.blank + summary.accepted + sum(summary.rejected.values())
    assert summary.rejected == {code: found.count(code) for code in REJECT_CODES}
    return dict(zip(LINES, found, strict=True))


@pytest.mark.parametrize("name", LINES)
def test_a_line_has_its_verdict(verdicts: dict[str, str], name: str) -> None:
    assert verdicts[name] == LINES[name][1]


def test_every_code_has_a_line(verdicts: dict[str, str]) -> None:
    assert set(verdicts.values()) == {"", "blank", *REJECT_CODES}


def test_of_duplicate_keys_the_first_wins(shared_tables: Warehouse) -> None:
    twice = GOOD.replace(b'"verb"', b'"actor":{"account":{"name":"second"}},"verb"')
    assert load_lines(shared_tables, [twice], source="twice").events("user_id") == {1: {"user_id": "learner-1"}}


def test_a_reject_keeps_its_line_and_its_place(shared_tables: Warehouse) -> None:
    load_lines(shared_tables, [GOOD, "  odd \xfc line\t\r", statement(verb=...)], source="places.jsonl")
    sql = "SELECT source_line, code, line, source_etag, load_id > 0, received_at > now() - 600 FROM rejected_statements"
    assert rows(shared_tables, f"{sql} WHERE source_file = 'places.jsonl' ORDER BY source_line") == [
        (2, "not_json", "odd \xfc line", "", 1, 1),
        (3, "missing_verb", as_bytes(statement(verb=...)).decode(), "", 1, 1),
    ]


def test_the_same_bad_line_from_the_same_place_counts_once(shared_tables: Warehouse) -> None:
    lines: list[Line] = [GOOD, "bad", "bad", "worse"]
    for _ in range(3):
        load_lines(shared_tables, lines, source="again.jsonl")
    load_lines(shared_tables, ["bad", "other"], source="elsewhere.jsonl")
    sql = "SELECT source_file, source_line, line FROM rejected_statements FINAL WHERE source_file IN"
    assert rows(shared_tables, f"{sql} ('again.jsonl', 'elsewhere.jsonl') ORDER BY source_file, source_line") == [
        ("again.jsonl", 2, "bad"),
        ("again.jsonl", 3, "bad"),
        ("again.jsonl", 4, "worse"),
        ("elsewhere.jsonl", 1, "bad"),
        ("elsewhere.jsonl", 2, "other"),
    ]
    sql = "SELECT count() FROM raw_events FINAL WHERE statement = {line:String}"
    assert value(shared_tables, sql, line=GOOD.decode()) == 1


def test_where_a_source_has_no_name_the_line_tells_rejects_apart(shared_tables: Warehouse) -> None:
    for line in ("from one client", "from another", "from one client"):
        load_lines(shared_tables, [line], source="")
    sql = "SELECT line FROM rejected_statements FINAL WHERE source_file = '' ORDER BY line"
    assert rows(shared_tables, sql) == [("from another",), ("from one client",)]


def test_the_setting_says_which_line_is_too_long(shared_tables: Warehouse) -> None:
    limits = shared_tables.settings.model_copy(update={"max_line_bytes": 1_024})
    before, shared_tables.settings = shared_tables.settings, limits
    try:
        lines = [of_length(1_024), b"  " + of_length(1_024) + b"\r", of_length(1_025)]
        loaded = load_block(shared_tables, b"\n".join(lines) + b"\n", source="short")
    finally:
        shared_tables.settings = before
    assert (loaded.summary.accepted, loaded.summary.rejected) == (2, {"line_too_long": 1})


TEXT = st.text(max_size=20)
JSON: st.SearchStrategy[Any] = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | TEXT,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(TEXT, inner, max_size=4),
    max_leaves=12,
)
TORUS = "http://oli.cmu.edu/extensions/"
VIDEO = "https://w3id.org/xapi/video/extensions/"
EXTENSIONS = st.dictionaries(
    st.sampled_from(
        [
            *(TORUS + name for name in ("section_id", "project_id", "page_id", "part_attempt_number", "session_id")),
            *(TORUS + name for name in ("hints_requested", "attached_objectives", "experiment_attributions")),
            *(VIDEO + name for name in ("length", "time", "progress", "played-segments")),
        ]
    ),
    JSON,
)
ACTIVITY = st.fixed_dictionaries(
    {},
    optional={
        "id": TEXT | st.sampled_from(["course-v1:a+b+c", "ccx-block-v1:+++", "}", "-v1:"]) | JSON,
        "definition": st.fixed_dictionaries(
            {}, optional={"type": TEXT | st.just("http://adlnet.gov/expapi/activities/course"), "name": JSON}
        )
        | JSON,
    },
)
DATE = "[0-9]{4}-[0-9]{2}-[0-9]{2}"
CLOCK = "[0-9]{2}:[0-9]{2}:[0-9]{2}([.,][0-9]{1,12})?(Z|[+-][0-9:]{2,5})?"
TIMES = (
    st.datetimes().map(lambda time: time.isoformat() + "Z")
    | st.from_regex(rf"\A{DATE}[Tt ]{CLOCK}\Z", alphabet=st.characters(codec="ascii"))
    | TEXT
    | JSON
)
STATEMENTS = st.fixed_dictionaries(
    {},
    optional={
        "id": st.uuids().map(str) | JSON,
        "actor": st.fixed_dictionaries({}, optional={"account": JSON, "mbox": JSON, "objectType": JSON}) | JSON,
        "verb": st.fixed_dictionaries({"id": TEXT | JSON}) | JSON,
        "object": ACTIVITY | JSON,
        "result": st.fixed_dictionaries(
            {}, optional={"score": st.dictionaries(st.sampled_from(["scaled", "raw", "max"]), JSON), "response": JSON}
        )
        | JSON,
        "context": st.fixed_dictionaries(
            {},
            optional={
                "extensions": EXTENSIONS | JSON,
                "contextActivities": st.dictionaries(
                    st.sampled_from(["parent", "grouping"]), st.lists(ACTIVITY, max_size=3) | ACTIVITY | JSON
                )
                | JSON,
            },
        )
        | JSON,
        "timestamp": TIMES,
        "stored": TIMES,
        "version": JSON,
        "authority": JSON,
    },
)
ODD_LINES = st.lists(
    st.binary(max_size=60)
    | JSON.map(lambda value: json.dumps(value).encode())
    | STATEMENTS.map(lambda value: json.dumps(value).encode())
    | STATEMENTS.map(lambda value: json.dumps(value, ensure_ascii=False).encode("utf-8", "surrogatepass"))
    | STATEMENTS.map(lambda value: as_bytes(statement(**value))),
    max_size=40,
).map(lambda lines: [line.replace(b"\n", b" ") for line in lines])


@pytest.mark.slow
@settings(max_examples=20, suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow])
@example(lines=[])
@example(lines=[b""])
@given(lines=ODD_LINES)
def test_no_bytes_make_a_load_fail_and_every_line_is_accounted_for(
    shared_tables: Warehouse, lines: list[bytes]
) -> None:
    block = b"".join(line + b"\n" for line in [*lines, GOOD])
    loaded = load_block(shared_tables, block, source="odd")
    summary = loaded.summary
    assert summary.lines == len(lines) + 1
    assert summary.lines == summary.blank + summary.accepted + sum(summary.rejected.values())
    assert summary.accepted == summary.new + summary.duplicate + summary.conflict
    assert summary.bytes == len(block)
    assert set(summary.rejected) <= set(REJECT_CODES)
    sql = "SELECT (SELECT count() FROM {table:Identifier} WHERE load_id = {load:UInt64})"
    load = int(summary.load_id)
    assert value(shared_tables, sql, table="raw_events", load=load) >= summary.new
    assert value(shared_tables, sql, table="statement_ids", load=load) >= summary.new
