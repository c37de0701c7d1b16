"""One warehouse, two handles: what holds on the embedded engine holds on a server."""

from __future__ import annotations

import json
import logging
import os
import shutil
import socket
import subprocess
import sys
import threading
import uuid
from collections.abc import Iterator
from datetime import UTC, date, datetime
from decimal import Decimal
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest

from schoolhouse.errors import (
    QueryError,
    QueryLimitExceeded,
    QueryRefused,
    WarehouseBusy,
    WarehouseError,
    WarehouseNotReady,
    WarehouseUnavailable,
)
from schoolhouse.settings import Settings, load_settings
from schoolhouse.warehouse.connection import Warehouse, open_scoped, open_warehouse
from tests.conftest import ROOT, Server
from tests.tls_relay import TlsRelay, certificate, running_relay

on_embedded = pytest.mark.parametrize("handle", ["embedded"], indirect=True)
on_server = pytest.mark.parametrize("handle", ["server"], indirect=True)

AWKWARD = 'it\'s "quoted" \\ back\\slash\ttab\nline {x:UInt8} %s ü 漢 🎓'
LEARNER = "learner-4711@campus.example"


@pytest.fixture
def table(warehouse: Warehouse) -> Warehouse:
    warehouse.run("CREATE TABLE t (n UInt64, s String) ENGINE = MergeTree ORDER BY n", why="make a table")
    return warehouse


@pytest.fixture
def reader(table: Warehouse) -> Iterator[Warehouse]:
    with table.reader() as opened:
        yield opened


@pytest.mark.parametrize(
    ("kind", "value"),
    [
        ("UInt8", 255),
        ("Int64", -(2**63)),
        ("UInt64", 2**64 - 1),
        ("Float64", 0.1),
        ("Decimal(18, 4)", Decimal("-12345.6789")),
        ("Bool", True),
        ("String", AWKWARD),
        ("LowCardinality(String)", "video"),
        ("Nullable(Float64)", None),
        ("FixedString(3)", "abc"),
        ("Enum8('a' = 1, 'b' = 2)", "b"),
        ("UUID", uuid.UUID("6690e6c9-3ef0-4ed3-8b37-7f3964730bee")),
        ("Date", date(2026, 2, 28)),
        ("DateTime", datetime(2026, 2, 28, 23, 59, 59, tzinfo=UTC)),
        ("DateTime64(3, 'UTC')", datetime(1999, 12, 31, 23, 59, 59, 123000, tzinfo=UTC)),
        ("Array(String)", ["a", "b'c"]),
        ("Map(String, UInt64)", {"a": 1, "b": 2}),
        ("Tuple(`a` UInt8, `b` String)", {"a": 1, "b": "x"}),
    ],
)
def test_values_of_every_type_come_back_as_they_went(warehouse: Warehouse, kind: str, value: Any) -> None:
    warehouse.run(f"CREATE TABLE one (v {kind}) ENGINE = Memory", why="make a table")
    warehouse.insert("one", [(value,)], ("v",), why="insert a value")
    answer = warehouse.ask("SELECT v FROM one", why="read it back")
    got = answer.value()
    assert (got.decode() if isinstance(got, bytes) else got) == value
    assert answer.types == (kind,)


def test_an_answer_has_names_types_rows_and_cost(warehouse: Warehouse) -> None:
    answer = warehouse.ask("SELECT number AS n, toString(number) AS s FROM numbers(3)", why="look")
    assert answer.columns == ("n", "s")
    assert answer.types == ("UInt64", "String")
    assert answer.rows == [(0, "0"), (1, "1"), (2, "2")]
    assert answer.dicts()[2] == {"n": 2, "s": "2"}
    assert answer.first() == {"n": 0, "s": "0"}
    assert answer.seconds > 0


def test_no_rows_are_no_error(warehouse: Warehouse) -> None:
    answer = warehouse.ask("SELECT 1 WHERE 0", why="look")
    assert (answer.rows, answer.first(), answer.value()) == ([], {}, None)


def test_bound_values_may_hold_anything(table: Warehouse) -> None:
    table.run("INSERT INTO t SELECT 1, {s:String}", {"s": AWKWARD}, why="insert")
    rows = table.ask(
        "SELECT s, {list:Array(String)}, {when:DateTime64(3)}, {n:UInt64} FROM t WHERE s = {s:String}",
        {"s": AWKWARD, "list": ["'", "\\", "ü"], "when": datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC), "n": 2**64 - 1},
        why="look",
    ).rows
    assert rows == [(AWKWARD, ["'", "\\", "ü"], datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC), 2**64 - 1)]


def test_a_bound_name_may_name_a_table_and_cannot_break_out(table: Warehouse) -> None:
    assert table.ask("SELECT count() FROM {name:Identifier}", {"name": "t"}, why="look").value() == 0
    with pytest.raises(QueryError):
        table.ask("SELECT count() FROM {name:Identifier}", {"name": "t; DROP TABLE t"}, why="look")
    assert table.ask("SELECT count() FROM t", why="look").value() == 0


@on_server
def test_bound_values_and_rows_never_show_up_in_the_url(table: Warehouse, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG, logger="urllib3.connectionpool")
    table.run("INSERT INTO t SELECT 1, {who:String}", {"who": LEARNER}, why="insert")
    table.ask("SELECT * FROM t WHERE s = {who:String}", {"who": LEARNER}, why="look")
    table.ask_bytes("SELECT * FROM t WHERE s = {who:String}", {"who": LEARNER}, output_format="CSV", why="look")
    table.insert("t", [(2, LEARNER)], ("n", "s"), why="insert")
    table.insert_bytes("t", f"3,{LEARNER}\n".encode(), input_format="CSV", columns=("n", "s"), why="insert")
    urls = [record.getMessage() for record in caplog.records if "HTTP/1.1" in record.getMessage()]
    assert len(urls) >= 5
    assert not [url for url in urls if "learner" in url or "SELECT" in url or "param_" in url]


@pytest.mark.parametrize("data_format", ["CSV", "JSONEachRow", "Native", "RowBinary", "ArrowStream", "Parquet"])
def test_blocks_go_in_and_come_out_in_many_formats(table: Warehouse, data_format: str) -> None:
    rows = "SELECT number AS n, concat('ü', toString(number)) AS s FROM numbers(1000)"
    block = table.ask_bytes(rows, output_format=data_format, why="make a block")
    table.insert_bytes("t", block, input_format=data_format, columns=("n", "s"), why="insert it")
    assert table.ask("SELECT count(), sum(n), max(s) FROM t", why="count").rows == [(1000, 499500, "ü999")]


def test_lines_go_in_as_they_are(table: Warehouse) -> None:
    lines = b'{"a": "b"}\r\n  not json\t\n'
    table.insert_bytes("t", lines, input_format="LineAsString", columns=("s",), why="insert lines")
    assert table.ask("SELECT s FROM t ORDER BY s", why="look").rows == [("  not json\t",), ('{"a": "b"}\r',)]


def test_every_query_carries_its_tag(table: Warehouse) -> None:
    question = "SELECT getSetting('log_comment')"
    for why in ("first purpose", "second purpose"):
        tag = json.loads(table.ask(question, why=why, limits={"max_threads": 1}).value())
        assert tag == {"app": "schoolhouse", "who": "tests", "why": why}
    table.run("INSERT INTO t (s) SELECT getSetting('log_comment')", why="tag a write")
    assert json.loads(table.ask("SELECT s FROM t", why="look").value())["why"] == "tag a write"
    with table.reader(who="a guest") as guest:
        assert json.loads(guest.ask(question, why="third").value())["who"] == "a guest"


def test_a_handle_speaks_utc_and_in_its_database(warehouse: Warehouse) -> None:
    question = "SELECT currentDatabase(), timezone(), toString(toDateTime(0))"
    assert warehouse.ask(question, why="look").rows == [(warehouse.database, "UTC", "1970-01-01 00:00:00")]


@on_embedded
def test_the_embedded_engine_merges_few_parts_at_once(warehouse: Warehouse) -> None:
    parts = "SELECT value FROM system.merge_tree_settings WHERE name = 'max_parts_to_merge_at_once'"
    merges = "SELECT value FROM system.server_settings WHERE name = 'background_merges_mutations_concurrency_ratio'"
    assert [warehouse.ask(sql, why="test").value() for sql in (parts, merges)] == ["32", "1"]


def test_two_handles_ask_at_once_and_one_stops_the_other(table: Warehouse) -> None:
    errors: list[Exception] = []
    mark = uuid.uuid4().hex

    def long_question() -> None:
        with table.reader() as other:
            try:
                other.ask("SELECT count() FROM numbers(1e13) WHERE sipHash64(number) = 1", why=mark)
            except QueryError as error:
                errors.append(error)

    thread = threading.Thread(target=long_question)
    thread.start()
    named = "position(Settings['log_comment'], {mark:String}) > 0"
    question = f"SELECT count() FROM system.processes WHERE {named} AND query LIKE 'SELECT count() FROM numbers(1e13)%'"
    while not table.ask(question, {"mark": mark}, why="watch").value():
        assert thread.is_alive()
    table.run(
        f"KILL QUERY WHERE {named} AND query LIKE 'SELECT count() FROM numbers(1e13)%'", {"mark": mark}, why="stop"
    )
    thread.join(timeout=60)
    assert [error.engine_code for error in errors if isinstance(error, QueryError)] == [394]


@pytest.mark.parametrize(
    ("sql", "limits", "kind", "code"),
    [
        ("SELEC 1", {}, QueryError, 62),
        ("SELECT nope", {}, QueryError, 47),
        ("SELECT * FROM nope", {}, QueryError, 60),
        ("SELECT * FROM nope.t", {}, QueryError, 81),
        ("SELECT {x:UInt8}", {}, QueryError, 456),
        ("SELECT 1", {"no_such_setting": 1}, QueryError, 115),
        ("SELECT count() FROM numbers(1e13)", {"max_execution_time": 0.05}, QueryLimitExceeded, 159),
        ("SELECT number FROM numbers(1000)", {"max_rows_to_read": 10}, QueryLimitExceeded, 158),
        ("SELECT number FROM numbers(1000)", {"max_bytes_to_read": 10}, QueryLimitExceeded, 307),
        ("SELECT number FROM numbers(1000)", {"max_result_rows": 10}, QueryLimitExceeded, 396),
        ("SELECT groupArray(number) FROM numbers(1e7)", {"max_memory_usage": 1_000_000}, QueryLimitExceeded, 241),
    ],
)
def test_an_engines_error_becomes_ours(
    warehouse: Warehouse, sql: str, limits: dict[str, Any], kind: type[WarehouseError], code: int
) -> None:
    with pytest.raises(kind) as raised:
        warehouse.ask(sql, why="fail", limits=limits)
    assert type(raised.value) is kind
    assert raised.value.engine_code == code
    assert not {"DB::Exception", "(version", "http://", "Stack trace"} & set(raised.value.message.split())
    assert warehouse.ask("SELECT 1", why="go on").value() == 1


def test_limits_hold_for_one_question_alone(warehouse: Warehouse) -> None:
    with pytest.raises(QueryLimitExceeded):
        warehouse.ask_bytes(
            "SELECT number FROM numbers(1000)", output_format="CSV", why="a", limits={"max_result_rows": 5}
        )
    assert len(warehouse.ask("SELECT number FROM numbers(1000)", why="b").rows) == 1000


@pytest.mark.parametrize(
    "statement",
    [
        "INSERT INTO t VALUES (1, 'a')",
        "INSERT INTO t SELECT 1, 'a'",
        "CREATE TABLE other (n UInt8) ENGINE = Memory",
        "ALTER TABLE t DELETE WHERE 1",
        "TRUNCATE TABLE t",
        "DROP TABLE t",
        "SET readonly = 0",
        "SELECT 1 SETTINGS readonly = 0",
    ],
)
def test_a_reader_cannot_write(reader: Warehouse, statement: str) -> None:
    with pytest.raises(QueryRefused):
        reader.run(statement, why="try")
    assert reader.ask("SELECT count() FROM t", why="look").value() == 0


def test_a_reader_cannot_insert(reader: Warehouse) -> None:
    with pytest.raises(QueryRefused):
        reader.insert("t", [(1, "a")], ("n", "s"), why="try")
    with pytest.raises(QueryRefused):
        reader.insert_bytes("t", b"1,a\n", input_format="CSV", columns=("n", "s"), why="try")
    assert reader.ask("SELECT count() FROM t", why="look").value() == 0


def test_a_readers_questions_may_have_limits(reader: Warehouse) -> None:
    with pytest.raises(QueryLimitExceeded):
        reader.ask("SELECT number FROM numbers(1000)", why="look", limits={"max_rows_to_read": 10})


def test_rows_and_values_never_show_up_in_errors(table: Warehouse, caplog: pytest.LogCaptureFixture) -> None:
    csv = f"1,a\n{LEARNER},b\n".encode()
    attempts = [
        lambda: table.insert("t", [(LEARNER, "a")], ("n", "s"), why="x"),
        lambda: table.insert("t", [(1, LEARNER), (2,)], ("n", "s"), why="x"),
        lambda: table.insert_bytes("t", csv, input_format="CSV", columns=("n", "s"), why="x"),
        lambda: table.insert_bytes("t", LEARNER.encode(), input_format="JSONEachRow", columns=("n", "s"), why="x"),
        lambda: table.run("INSERT INTO t (n) SELECT {n:UInt64}", {"n": LEARNER}, why="x"),
        lambda: table.ask("SELECT toUInt64({s:String})", {"s": LEARNER}, why="x"),
        lambda: table.ask("SELECT {n:UInt64}", {"n": LEARNER}, why="x"),
        lambda: table.ask("SELECT {d:DateTime64(3)}", {"d": LEARNER}, why="x"),
    ]
    for attempt in attempts:
        with pytest.raises(QueryError) as raised:
            attempt()
        assert "learner" not in str(raised.value)
        assert raised.value.__suppress_context__
    assert "learner" not in caplog.text
    assert table.ask("SELECT count() FROM t", why="look").value() == 0


def test_a_missing_database_is_made_by_setup_alone(warehouse_settings: Settings) -> None:
    if warehouse_settings.is_embedded:
        warehouse_settings.warehouse_dir.mkdir(parents=True, exist_ok=True)
    for must_exist, role in ((True, "writer"), (True, "reader"), (False, "reader")):
        with pytest.raises(WarehouseNotReady, match=f"{warehouse_settings.clickhouse_database}.* warehouse setup"):
            open_warehouse(warehouse_settings, role=role, must_exist=must_exist)  # type: ignore[arg-type]
    with open_warehouse(warehouse_settings, must_exist=False) as made:
        assert made.ask("SELECT currentDatabase()", why="look").value() == warehouse_settings.clickhouse_database
    with open_warehouse(warehouse_settings) as found:
        assert found.ask("SELECT 1", why="look").value() == 1


def test_a_missing_embedded_warehouse_names_its_directory_and_is_not_made(tmp_path: Path) -> None:
    settings = load_settings(data_dir=tmp_path / "nowhere")
    with pytest.raises(WarehouseNotReady, match=f"{tmp_path}/nowhere/warehouse.* warehouse setup"):
        open_warehouse(settings)
    assert not (tmp_path / "nowhere").exists()


@on_embedded
def test_a_second_process_is_told_who_holds_the_embedded_warehouse(warehouse: Warehouse) -> None:
    code = """
import sys
from schoolhouse.errors import WarehouseBusy
from schoolhouse.settings import load_settings
from schoolhouse.warehouse.connection import open_warehouse
try:
    open_warehouse(load_settings(data_dir=sys.argv[1]))
except WarehouseBusy as error:
    print(error)
"""
    command = [sys.executable, "-c", code, str(warehouse.settings.data_dir)]
    done = subprocess.run(command, capture_output=True, text=True, cwd=ROOT, timeout=60)
    assert f"is open in another process (process {os.getpid()})" in done.stdout, done.stderr
    assert "schoolhouse serve" in done.stdout
    assert WarehouseBusy.is_retryable


def test_a_warehouse_that_nobody_holds_and_that_does_not_open_is_not_said_to_be_busy(tmp_path: Path) -> None:
    (tmp_path / "warehouse" / "status").mkdir(parents=True)  # the engine cannot write its status
    done = subprocess.run(
        [sys.executable, "-m", "schoolhouse", "warehouse", "health"],
        env={**os.environ, "SCHOOLHOUSE_DATA_DIR": str(tmp_path)},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert done.returncode == 1
    assert f"error: The warehouse in {tmp_path}/warehouse cannot be opened.\nhint: Nobody else holds it." in done.stderr


@pytest.mark.parametrize(
    "sql",
    [
        "SELECT nope FROM t WHERE s = {learner:String}",
        "SELECT n FROM nope WHERE s = {learner:String}",
        "SELECT {learner:String} + 1",
        "SELECT upperr({learner:String})",
    ],
)
def test_no_error_shows_a_bound_value(table: Warehouse, sql: str) -> None:
    with pytest.raises(QueryError) as raised:
        table.ask(sql, {"learner": LEARNER}, why="look")
    assert "learner-4711" not in str(raised.value)
    assert raised.value.message


@on_embedded
def test_no_table_is_defined_on_a_full_disk(table: Warehouse, monkeypatch: pytest.MonkeyPatch) -> None:
    full = shutil.disk_usage("/")._replace(free=4096)
    monkeypatch.setattr("shutil.disk_usage", lambda _: full)
    for sql in ("-- a\nCREATE TABLE u AS t", "EXCHANGE TABLES t AND t", "alter table t add column x UInt8"):
        with pytest.raises(WarehouseError, match=r"is full: 4,096 bytes are left\. Make room"):
            table.run(sql, why="define")
    table.run("INSERT INTO t SELECT 1, 'a'", why="load")
    table.run("DROP TABLE t", why="make room")


def test_an_unreachable_server_is_named() -> None:
    with socket.socket() as taken:  # bound and not listening: nobody else gets it, nobody answers
        taken.bind(("127.0.0.1", 0))
        port = taken.getsockname()[1]
        settings = load_settings(clickhouse_host="127.0.0.1", clickhouse_port=port, clickhouse_password="hush-hush")
        with pytest.raises(WarehouseUnavailable, match=f"127.0.0.1:{port}.*CLICKHOUSE_HOST") as raised:
            open_warehouse(settings)
    assert raised.value.is_retryable
    assert "hush" not in str(raised.value)


def test_a_server_that_goes_away_is_unavailable_and_its_url_stays_secret(tmp_path: Path) -> None:
    command = [
        sys.executable,
        "-m",
        "tests.clickhouse_stand_in",
        "--stop-with-stdin",
        "--path",
        str(tmp_path / "engine"),
    ]
    with subprocess.Popen(command, cwd=ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        settings = load_settings(clickhouse_host="127.0.0.1", clickhouse_port=int(process.stdout.readline()))
        with open_warehouse(settings) as warehouse:
            process.kill()
            process.wait(timeout=30)
            with pytest.raises(WarehouseUnavailable) as raised:
                warehouse.ask("SELECT {who:String}", {"who": LEARNER}, why="a private purpose")
    assert str(raised.value) == "ClickHouse did not answer."


def test_a_gateway_that_says_503_is_unavailable() -> None:
    class Gateway(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.send_error(503)

        def do_POST(self) -> None:
            self.send_error(503)

        def log_message(self, *_: object) -> None:
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), Gateway) as gateway:
        threading.Thread(target=gateway.serve_forever, args=(0.05,)).start()
        settings = load_settings(clickhouse_host="127.0.0.1", clickhouse_port=gateway.server_address[1])
        with pytest.raises(WarehouseUnavailable):
            open_warehouse(settings)
        gateway.shutdown()


def test_a_wrong_password_is_refused_and_not_repeated(stand_in: Server) -> None:
    settings = load_settings(
        clickhouse_host=stand_in.host,
        clickhouse_port=stand_in.port,
        clickhouse_user="loader",
        clickhouse_password="open-sesame",
    )
    with pytest.raises(WarehouseError, match=r"refused the user or password.*CLICKHOUSE_PASSWORD") as raised:
        open_warehouse(settings)
    assert raised.value.engine_code == 516
    assert not raised.value.is_retryable
    assert "sesame" not in str(raised.value) + repr(settings)


def test_an_awkward_password_is_carried_and_readers_have_their_own_account(stand_in: Server) -> None:
    settings = load_settings(
        clickhouse_host=stand_in.host,
        clickhouse_port=stand_in.port,
        clickhouse_user="loader",
        clickhouse_password="loader's pässword+/=&",
        clickhouse_reader_user="reader",
        clickhouse_reader_password="reader-password",
    )
    with open_warehouse(settings) as loader, loader.reader() as reader:
        profile = "SELECT getSetting('readonly'), getSetting('max_execution_time')"
        assert loader.ask(profile, why="look").rows == [(0, 0)]
        assert reader.ask(profile, why="look").rows == [(2, 60)]


def test_custom_sql_has_its_own_account_and_says_its_scope(stand_in: Server) -> None:
    settings = load_settings(
        clickhouse_host=stand_in.host,
        clickhouse_port=stand_in.port,
        clickhouse_user=stand_in.user,
        clickhouse_password=stand_in.password,
        clickhouse_questions_user="reader",
        clickhouse_questions_password="reader-password",
    )
    scope = {"platform": "https://torus.example", "section_id": 42}
    profile = "SELECT getSetting('max_execution_time'), JSONExtractRaw(getSetting('log_comment'), 'scope')"
    with open_scoped(settings, {"max_threads": 1}, who="tests", why="look", scope=scope) as asker:
        ((seconds, told),) = asker.ask(profile, why="look").rows
    assert seconds == 60
    assert json.loads(told) == scope
    with open_warehouse(settings, role="reader") as reader:
        assert reader.ask(profile, why="look").rows == [(0, "")]


def test_a_server_is_reached_over_tls_if_somebody_vouches_for_it(stand_in: Server, tmp_path: Path) -> None:
    given = {"clickhouse_host": "127.0.0.1", "clickhouse_user": stand_in.user, "clickhouse_password": stand_in.password}
    with running_relay(TlsRelay(stand_in.port, certificate(tmp_path, "server"))) as relay:
        settings = load_settings(
            **given,
            clickhouse_port=relay.port,
            clickhouse_secure=True,
            clickhouse_ca_file=relay.own.certificate,
        )
        with open_warehouse(settings, who="tests") as opened:
            assert opened.ask("SELECT 1", why="tests").value() == 1
        assert b"SELECT 1" in relay.heard

        stranger = settings.model_copy(update={"clickhouse_ca_file": certificate(tmp_path, "stranger").certificate})
        with pytest.raises(WarehouseUnavailable, match="does not answer"):
            open_warehouse(stranger, who="tests")
