"""A warehouse of pseudonyms never learns who a learner is, by whichever door, and tells learners apart all the same."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from schoolhouse.collect.bundles import BundleGroup
from schoolhouse.collect.pipeline import Pipeline
from schoolhouse.collect.spool import Bundle
from schoolhouse.errors import SettingsError, UsageError, WarehouseNotReady
from schoolhouse.settings import load_settings
from schoolhouse.warehouse import migrations
from schoolhouse.warehouse.connection import Warehouse
from schoolhouse.warehouse.loads import can_read_itself, start_load
from schoolhouse.warehouse.pseudonyms import FILE_NAME, Pseudonyms, choose_pseudonyms, is_pseudonymous
from tests.given import HOST, load, page_viewed

KEY = "a key of thirty-two characters, or more"
PSEUDONYMS = Pseudonyms(KEY)
KIM = {"account": {"homePage": HOST, "name": "kim"}}


def _with_actor(actor: Any, **more: Any) -> dict[str, Any]:
    return {**page_viewed(42, 1, "2026-03-01T10:00:00Z"), "actor": actor, **more}


@pytest.fixture
def pseudonymous(warehouse: Warehouse) -> Warehouse:
    warehouse.settings = warehouse.settings.model_copy(update={"pseudonym_key": _secret()})
    migrations.up(warehouse)
    choose_pseudonyms(warehouse)
    return warehouse


def _secret() -> Any:
    return load_settings(pseudonym_key=KEY).pseudonym_key


def test_statements_and_rejects_hold_pseudonyms(pseudonymous: Warehouse) -> None:
    load(pseudonymous, [_with_actor(KIM), _with_actor({"mbox": "mailto:kim@school.example", "name": "Kim"})])
    with start_load(pseudonymous, route="file", source="rejects") as under_way:
        lines = b'{"actor": {"name": "kim", "mbox": "mailto:kim@school.example"}}\nkim is no JSON\n\n"kim"\n'
        under_way.add_lines(lines, source_file="rejects", first_line=1)
    assert under_way.summary.rejected == {"missing_verb": 1, "not_json": 1, "not_object": 1}
    for table in ("raw_events", "rejected_statements", "statement_ids"):
        stored = pseudonymous.ask_bytes(f"SELECT * FROM {table}", output_format="JSONEachRow", why="tests")
        assert b"kim" not in stored.lower()
    users = {row[0] for row in pseudonymous.ask("SELECT user_id FROM raw_events", why="tests").rows}
    assert len(users) == 2
    assert all("p-" in user for user in users)
    assert pseudonymous.ask(
        "SELECT DISTINCT platform FROM raw_events WHERE platform = 'https://torus.example'", why="t"
    ).rows


def test_one_person_is_one_learner_by_every_route(pseudonymous: Warehouse) -> None:
    load(pseudonymous, [_with_actor(KIM)])
    load(pseudonymous, [json.loads(PSEUDONYMS.text(json.dumps(_with_actor(KIM)).encode()))])  # as a bundle brings it
    load(pseudonymous, [_with_actor({"account": {"homePage": HOST, "name": "lee"}})])
    counts = pseudonymous.ask("SELECT count(), uniq(user_id) FROM raw_events FINAL", why="tests").rows
    assert counts == [(2, 2)]


def test_the_engine_does_not_read_by_itself(pseudonymous: Warehouse, tmp_path: Path) -> None:
    path = tmp_path / "statements.jsonl"
    path.write_text(json.dumps(_with_actor(KIM)) + "\n")
    assert not can_read_itself(pseudonymous, path)
    with (
        pytest.raises(SettingsError, match="with their actors"),
        start_load(pseudonymous, route="s3", source="s") as under_way,
    ):
        under_way.add_select("SELECT 'x' AS line", {})
    assert not pseudonymous.ask("SELECT count() FROM raw_events", why="tests").value()


def test_a_source_that_is_declared_pseudonymous_may_be_read(pseudonymous: Warehouse) -> None:
    pseudonymous.settings = pseudonymous.settings.model_copy(update={"s3_source_is_pseudonymous": True})
    with start_load(pseudonymous, route="s3", source="s") as under_way:
        columns = (
            "{source_file:String} AS source_file, {source_etag:String} AS source_etag, toUInt32(1) AS source_line,"
            " {load_id:UInt64} AS load_id, toDateTime64({received_at:String}, 9, 'UTC') AS received_at,"
            " {max_line_bytes:UInt32} AS max_line_bytes, toUInt8(0) AS is_rebuild"
        )
        under_way.add_select(f"SELECT 'x' AS line, {columns}", {})
    assert under_way.summary.rejected == {"not_json": 1}


def test_a_program_without_the_key_loads_nothing(pseudonymous: Warehouse) -> None:
    pseudonymous.settings = pseudonymous.settings.model_copy(update={"pseudonym_key": type(_secret())("")})
    with pytest.raises(WarehouseNotReady, match="pseudonyms only"):
        start_load(pseudonymous, route="file", source="s")


def test_pseudonyms_are_chosen_before_the_first_statement(warehouse: Warehouse) -> None:
    migrations.up(warehouse)
    assert not is_pseudonymous(warehouse)
    load(warehouse, [_with_actor(KIM)])
    with pytest.raises(UsageError, match="there already"):
        choose_pseudonyms(warehouse)
    assert not is_pseudonymous(warehouse)


@pytest.mark.parametrize("handle", ["embedded"], indirect=True)
def test_pseudonyms_are_chosen_before_the_first_rejected_line(tables: Warehouse) -> None:
    with start_load(tables, route="file", source="rejects") as under_way:
        under_way.add_lines(b"kim is no JSON\n", source_file="rejects", first_line=1)
    with pytest.raises(UsageError, match="there already"):
        choose_pseudonyms(tables)
    assert not is_pseudonymous(tables)


@pytest.mark.parametrize("handle", ["server"], indirect=True)
def test_a_second_machine_makes_no_second_key(tables: Warehouse, tmp_path: Path) -> None:
    choose_pseudonyms(tables)
    key = (tmp_path / FILE_NAME).read_text()
    choose_pseudonyms(tables)
    assert (tmp_path / FILE_NAME).read_text() == key
    elsewhere = tmp_path / "elsewhere"
    tables.settings = tables.settings.model_copy(update={"data_dir": elsewhere})
    with pytest.raises(WarehouseNotReady, match="has no key"):
        choose_pseudonyms(tables)
    assert not (elsewhere / FILE_NAME).exists()


@pytest.mark.parametrize("handle", ["server"], indirect=True)
def test_a_setup_that_was_cut_off_is_finished_with_the_key_it_made(tables: Warehouse, tmp_path: Path) -> None:
    (tmp_path / FILE_NAME).write_text(KEY)
    choose_pseudonyms(tables)
    assert is_pseudonymous(tables)
    assert (tmp_path / FILE_NAME).read_text() == KEY


def test_what_waits_in_the_spool_holds_pseudonyms(tmp_path: Path) -> None:
    settings = load_settings(data_dir=tmp_path, etl_mode="file", pseudonym_key=KEY, drain_seconds=0)
    pipeline = Pipeline(settings)
    pipeline.send(Bundle(BundleGroup("section", "42", "page_viewed"), json.dumps(_with_actor(KIM)).encode()))
    pipeline.stop()
    spooled = b"".join(path.read_bytes() for path in tmp_path.glob("spool.sqlite*"))
    assert PSEUDONYMS.of(f"account {HOST}", "kim").encode() in spooled
    assert b'"kim"' not in spooled


def test_agents_are_found_wherever_a_statement_has_them() -> None:
    kim = {"mbox": "mailto:kim@school.example", "name": "Kim Deal"}
    statement = _with_actor(
        {"objectType": "Group", "name": "Kim's group", "member": [kim, KIM]},
        object={
            "objectType": "SubStatement",
            "actor": kim,
            "verb": {"id": "v"},
            "object": {**kim, "objectType": "Agent"},
        },
        context={"instructor": kim, "team": {"objectType": "Group", "member": [kim]}},
        authority=kim,
    )
    text = PSEUDONYMS.text(json.dumps(statement).encode())
    assert b"kim" not in text.lower()
    assert text.count(b"@pseudonym.invalid") == 6


@pytest.mark.parametrize(
    "agent",
    [
        {"name": "Kim Deal"},
        {"email": "kim@school.example", "objectType": "Agent"},
        {"objectType": "Kim Deal", "mbox": "mailto:kim@school.example", "nick": {"name": "Kim"}},
        {"account": {"homePage": {"name": "kim"}, "name": "kim"}, "member": "mailto:kim@school.example"},
        {"objectType": "Group", "member": ["mailto:kim@school.example", {"name": "Kim"}, [{"name": "Kim"}]]},
        ["kim"],
    ],
)
def test_of_an_agent_nothing_stays_but_type_identifiers_and_members(agent: Any) -> None:
    group = {"objectType": "Group", "member": [agent]}
    lone = {**(agent if isinstance(agent, dict) else {}), "objectType": "Agent", "id": "kim"}
    places = [
        _with_actor(agent),
        _with_actor(group, authority=agent),
        _with_actor(KIM, context={"instructor": agent, "team": group}),
        _with_actor(KIM, object={"objectType": "SubStatement", "actor": agent, "object": lone}),
    ]
    for statement in places:
        text = PSEUDONYMS.text(json.dumps(statement).encode())
        assert b"kim" not in text.lower()
        assert PSEUDONYMS.text(text) == text


def test_an_actor_that_is_a_name_alone_is_stored_without_it(pseudonymous: Warehouse) -> None:
    load(pseudonymous, [_with_actor({"name": "Kim Deal"})])
    stored = pseudonymous.ask("SELECT user_id, position(statement, 'Kim') FROM raw_events", why="tests").rows
    assert stored == [("", 0)]


def test_a_bad_byte_withholds_its_line_and_no_other(pseudonymous: Warehouse) -> None:
    good = json.dumps(_with_actor(KIM)).encode()
    with start_load(pseudonymous, route="file", source="bytes") as under_way:
        lines = b'{"actor": {"mbox": "mailto:kim\xff@school.example"}}\n' + good + b"\n"
        under_way.add_lines(lines, source_file="bytes", first_line=1)
    assert (under_way.summary.new, under_way.summary.rejected) == (1, {"not_json": 1})
    rejected = pseudonymous.ask("SELECT line FROM rejected_statements", why="tests").value()
    assert "kim" not in str(rejected)


@pytest.mark.parametrize("before", [b"\xef\xbb\xbf", b" \v\f\xef\xbb\xbf\t"])
def test_a_byte_order_mark_is_no_part_of_a_statement(before: bytes) -> None:
    plain = json.dumps(_with_actor(KIM)).encode()
    assert PSEUDONYMS.lines(before + plain) == PSEUDONYMS.lines(plain)
    assert PSEUDONYMS.text(before + plain) == PSEUDONYMS.text(plain)
    assert PSEUDONYMS.lines(before) == before


def test_an_address_and_its_hash_are_one_person() -> None:
    by_address = PSEUDONYMS.text(b'{"mbox": "mailto:kim@school.example"}')
    digest = hashlib.sha1(b"mailto:kim@school.example").hexdigest()
    assert PSEUDONYMS.text(json.dumps({"mbox_sha1sum": digest}).encode()) == by_address


def test_another_key_gives_another_pseudonym_and_none_tells_the_name() -> None:
    assert PSEUDONYMS.of("account", "kim") != Pseudonyms(KEY + "!").of("account", "kim")


_json = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**40), 2**40) | st.text(max_size=5),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(
            st.sampled_from(["actor", "account", "name", "mbox", "member", "object", "homePage", "objectType", "x"]),
            inner,
            max_size=4,
        )
    ),
    max_leaves=8,
)


@given(_json)
def test_replacing_twice_changes_nothing_more(value: Any) -> None:
    once = PSEUDONYMS.text(json.dumps(value).encode())
    assert PSEUDONYMS.text(once) == once


@given(st.lists(st.binary(max_size=20).filter(lambda line: b"\n" not in line)))
def test_lines_stay_as_many_as_they_were(lines: list[bytes]) -> None:
    block = b"\n".join(lines)
    assert PSEUDONYMS.lines(block).count(b"\n") == block.count(b"\n")
