"""The stand-in answers as a server does. These tests speak plain HTTP to it, as curl would."""

from __future__ import annotations

import gzip
import http.client
import json
import subprocess
import sys
import threading
import zlib
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import quote, urlencode

import lz4.frame
import pytest
from backports import zstd

from tests.conftest import ROOT, Server


@dataclass(frozen=True)
class Got:
    status: int
    headers: http.client.HTTPMessage
    body: bytes

    @property
    def text(self) -> str:
        return self.body.decode()


class Caller:
    """One connection, kept alive between calls."""

    def __init__(self, server: Server) -> None:
        self.connection = http.client.HTTPConnection(server.host, server.port, timeout=60)

    def __call__(
        self,
        query: str = "",
        body: bytes | Iterator[bytes] = b"",
        method: str = "POST",
        headers: dict[str, str] | None = None,
        **parameters: str,
    ) -> Got:
        if query:
            parameters["query"] = query
        is_stream = not isinstance(body, bytes)
        path = f"/?{urlencode(parameters, quote_via=quote)}"
        self.connection.request(method, path, body=body, headers=headers or {}, encode_chunked=is_stream)
        response = self.connection.getresponse()
        return Got(response.status, response.headers, response.read())


@pytest.fixture
def call(stand_in: Server) -> Iterator[Caller]:
    caller = Caller(stand_in)
    caller(f"DROP DATABASE IF EXISTS {DATABASE} SYNC")
    caller(f"CREATE DATABASE {DATABASE}")
    caller(f"CREATE TABLE {TABLE} (n UInt64, s String) ENGINE = MergeTree ORDER BY n")
    yield caller
    caller(f"DROP DATABASE IF EXISTS {DATABASE} SYNC")
    caller.connection.close()


DATABASE = "stand_in"
TABLE = f"{DATABASE}.t"
ROWS = "SELECT number AS n, concat('row ', toString(number)) AS s FROM numbers(5)"


def test_ping_is_ok(stand_in: Server) -> None:
    connection = http.client.HTTPConnection(stand_in.host, stand_in.port, timeout=10)
    connection.request("GET", "/ping")
    response = connection.getresponse()
    assert (response.status, response.read()) == (200, b"Ok.\n")
    connection.close()


def test_an_answer_has_the_headers_of_a_server(call: Caller) -> None:
    got = call(ROWS, query_id="my-own-id")
    assert got.status == 200
    assert got.text.splitlines()[-1] == "4\trow 4"
    assert got.headers["X-ClickHouse-Query-Id"] == "my-own-id"
    assert got.headers["X-ClickHouse-Format"] == "TabSeparated"
    assert got.headers["X-ClickHouse-Timezone"]
    summary = json.loads(got.headers["X-ClickHouse-Summary"])
    assert (summary["read_rows"], summary["result_rows"]) == ("5", "5")


def test_a_statement_without_an_answer_names_no_format(call: Caller) -> None:
    got = call(f"CREATE TABLE {DATABASE}.other (n UInt8) ENGINE = Memory")
    assert (got.status, got.body) == (200, b"")
    assert "X-ClickHouse-Format" not in got.headers


def test_an_empty_answer_names_its_format(call: Caller) -> None:
    got = call("SELECT 1 WHERE 0")
    assert (got.body, got.headers["X-ClickHouse-Format"]) == (b"", "TabSeparated")


@pytest.mark.parametrize(
    ("parameters", "expected"),
    [
        ({"query": "SELECT 1 AS a FORMAT CSVWithNames"}, '"a"\n1\n'),
        ({"query": "SELECT 1 AS a", "default_format": "JSONEachRow"}, '{"a":1}\n'),
        ({"query": "SELECT 1 AS a FORMAT CSV", "default_format": "JSONEachRow"}, "1\n"),
    ],
)
def test_the_format_comes_from_the_query_and_then_from_the_url(
    call: Caller, parameters: dict[str, str], expected: str
) -> None:
    assert call(**parameters).text == expected


def test_the_query_is_the_url_then_a_line_break_then_the_body(call: Caller) -> None:
    assert call("SELECT 1 +", b" 2").text == "3\n"
    assert call(body=b"SELECT 4").text == "4\n"


def test_curls_default_content_type_is_taken_for_a_query(call: Caller) -> None:
    form = {"Content-Type": "application/x-www-form-urlencoded"}
    assert call(body=b"SELECT 'a=b&c'", headers=form).text == "a=b&c\n"


def test_values_are_bound_from_the_url(call: Caller) -> None:
    got = call("SELECT {s:String}, {a:Array(UInt64)}", param_s="it's ü", param_a="[1,2]")
    assert got.text == "it\\'s ü\t[1,2]\n"


def test_values_and_the_query_are_taken_from_a_form_and_its_settings_are_not(call: Caller) -> None:
    fields = {"query": "SELECT {s:String}, getSetting('max_block_size')", "param_s": "it's ü", "max_block_size": "1"}
    parts = [
        f'--B\r\nContent-Disposition: form-data; name="{name}"\r\n\r\n{value}\r\n' for name, value in fields.items()
    ]
    body = ("".join(parts) + "--B--\r\n").encode()
    got = call(body=body, headers={"Content-Type": "multipart/form-data; boundary=B"}, max_block_size="2")
    assert got.text == "it\\'s ü\t2\n"


def test_a_field_of_a_form_may_not_exceed_the_servers_limit(call: Caller) -> None:
    body = (
        b'--B\r\nContent-Disposition: form-data; name="query"\r\n\r\nSELECT 1 -- ' + b"x" * 131_072 + b"\r\n--B--\r\n"
    )
    got = call(body=body, headers={"Content-Type": "multipart/form-data; boundary=B"})
    assert (got.status, got.headers["X-ClickHouse-Exception-Code"]) == (500, "1000")


def test_settings_and_the_database_come_from_the_url(call: Caller) -> None:
    got = call("SELECT getSetting('max_threads'), currentDatabase()", database=DATABASE, max_threads="3")
    assert got.text == f"3\t{DATABASE}\n"


def test_settings_do_not_outlive_their_request(call: Caller) -> None:
    default = call("SELECT getSetting('max_block_size')").text
    assert call("SELECT getSetting('max_block_size')", max_block_size="3").text == "3\n"
    assert call("SELECT getSetting('max_block_size')").text == default


def test_get_is_readonly(call: Caller) -> None:
    got = call(f"INSERT INTO {TABLE} VALUES (1, 'a')", method="GET")
    assert (got.status, got.headers["X-ClickHouse-Exception-Code"]) == (500, "164")
    assert "method GET implies readonly" in got.text
    assert call(f"SELECT count() FROM {TABLE}", method="GET").text == "0\n"


def test_post_without_a_length_is_refused(stand_in: Server) -> None:
    connection = http.client.HTTPConnection(stand_in.host, stand_in.port, timeout=10)
    connection.putrequest("POST", "/?query=SELECT%201")
    connection.endheaders()
    assert connection.getresponse().status == 411
    connection.close()


@pytest.mark.parametrize(
    "credentials",
    [
        {"headers": {"X-ClickHouse-User": "reader", "X-ClickHouse-Key": "reader-password"}},
        {"headers": {"Authorization": "Basic cmVhZGVyOnJlYWRlci1wYXNzd29yZA=="}},
        {"user": "reader", "password": "reader-password"},
    ],
    ids=["headers", "basic", "url"],
)
def test_credentials_are_taken_three_ways_and_bring_their_profile(call: Caller, credentials: dict[str, str]) -> None:
    assert call("SELECT getSetting('readonly'), getSetting('max_execution_time')", **credentials).text == "2\t60\n"


@pytest.mark.parametrize(("user", "password"), [("reader", "wrong"), ("nobody", ""), ("default", "x")])
def test_a_wrong_user_or_password_is_refused_as_a_server_does(call: Caller, user: str, password: str) -> None:
    got = call("SELECT 1", user=user, password=password)
    assert (got.status, got.headers["X-ClickHouse-Exception-Code"]) == (403, "516")
    assert got.text.startswith(f"Code: 516. DB::Exception: {user}: Authentication failed: password is incorrect")
    assert "(AUTHENTICATION_FAILED) (version " in got.text


@pytest.mark.parametrize(
    ("user", "password", "query", "settings"),
    [
        ("reader", "reader-password", f"INSERT INTO {TABLE} VALUES (1, 'a')", {}),
        ("reader", "reader-password", f"INSERT INTO {TABLE} FORMAT CSV\n1,a", {}),
        ("reader", "reader-password", f"DROP TABLE {TABLE}", {}),
        ("reader", "reader-password", "SELECT 1", {"readonly": "0"}),
        ("strict_reader", "strict-password", "SELECT 1", {"max_threads": "2"}),
        ("strict_reader", "strict-password", "SELECT 1 SETTINGS max_threads = 2", {}),
    ],
)
def test_readers_cannot_write_or_free_themselves(
    call: Caller, user: str, password: str, query: str, settings: dict[str, str]
) -> None:
    got = call(query, user=user, password=password, **settings)
    assert got.headers["X-ClickHouse-Exception-Code"] == "164"
    assert call(f"SELECT count() FROM {TABLE}").text == "0\n"


@pytest.mark.parametrize(
    ("query", "code", "status", "name"),
    [
        ("SELEC 1", 62, 400, "SYNTAX_ERROR"),
        ("SELECT nope", 47, 404, "UNKNOWN_IDENTIFIER"),
        ("SELECT * FROM nope", 60, 404, "UNKNOWN_TABLE"),
        ("SELECT {x:UInt8}", 456, 500, "UNKNOWN_QUERY_PARAMETER"),
        ("SELECT count() FROM numbers(1e12) SETTINGS max_execution_time = 0.1", 159, 408, "TIMEOUT_EXCEEDED"),
        ("SELECT 1; SELECT 2", 62, 400, "SYNTAX_ERROR"),
        ("", 62, 400, "SYNTAX_ERROR"),
    ],
)
def test_errors_have_the_status_number_and_wording_of_a_server(
    call: Caller, query: str, code: int, status: int, name: str
) -> None:
    got = call(query, max_execution_time="5")
    assert (got.status, got.headers["X-ClickHouse-Exception-Code"]) == (status, str(code))
    assert got.text.startswith(f"Code: {code}. DB::Exception: ")
    assert f"({name}) (version " in got.text
    assert got.text.endswith("(official build))\n")


def test_unknown_settings_and_databases_are_refused(call: Caller) -> None:
    assert call("SELECT 1", no_such_setting="1").headers["X-ClickHouse-Exception-Code"] == "115"
    assert call("SELECT 1", database="nope").headers["X-ClickHouse-Exception-Code"] == "81"


def test_one_statement_may_hold_and_end_in_semicolons(call: Caller) -> None:
    assert call("SELECT ';' -- ; SELECT 2\n;").text == ";\n"


@pytest.mark.parametrize(
    "data_format", ["Native", "RowBinary", "JSONEachRow", "CSV", "TabSeparated", "Values", "Parquet", "ArrowStream"]
)
def test_inserts_are_taken_in_every_format(call: Caller, data_format: str) -> None:
    data = call(f"{ROWS} FORMAT {data_format}").body
    in_url = call(f"INSERT INTO {TABLE} (n, s) FORMAT {data_format}", data)
    in_body = call(body=f"insert into {TABLE} format {data_format}\n".encode() + data)
    assert (in_url.status, in_body.status) == (200, 200)
    assert json.loads(in_url.headers["X-ClickHouse-Summary"])["written_rows"] == "5"
    assert call(f"SELECT n, any(s), count() FROM {TABLE} GROUP BY n ORDER BY n").text == "".join(
        f"{n}\trow {n}\t2\n" for n in range(5)
    )


def test_lines_are_taken_as_they_are(call: Caller) -> None:
    call(f"INSERT INTO {TABLE} (s) FORMAT LineAsString", '{"a": "ü FORMAT CSV"}\n  SELECT\t\n'.encode())
    assert call(f"SELECT s FROM {TABLE} ORDER BY s FORMAT JSONCompactColumns", n="0").status == 404
    assert json.loads(call(f"SELECT s FROM {TABLE} ORDER BY s FORMAT JSONCompactColumns").body) == [
        ["  SELECT\t", '{"a": "ü FORMAT CSV"}']
    ]


def test_inserts_of_values_and_of_selects_are_run_whole(call: Caller) -> None:
    call(f"INSERT INTO {TABLE} VALUES", b"(1, 'FORMAT CSV'), (2, {s:String})", param_s="b")
    call(f"INSERT INTO {TABLE} {ROWS} SETTINGS max_threads = 1")
    assert call(f"SELECT count(), min(s) FROM {TABLE}").text == "7\tFORMAT CSV\n"


def test_an_insert_may_select_from_its_data(call: Caller) -> None:
    query = f"INSERT INTO {TABLE} SELECT n * 10, s FROM input('n UInt64, s String') FORMAT CSV"
    got = call(query, b"1,a\n2,b\n")
    assert (got.status, call(f"SELECT * FROM {TABLE} ORDER BY n").text) == (200, "10\ta\n20\tb\n")


def test_settings_of_an_insert_hold(call: Caller) -> None:
    got = call(f"INSERT INTO {TABLE} FORMAT CSV", b"1,a\nx,b\n3,c\n", input_format_allow_errors_num="1")
    assert (got.status, call(f"SELECT sum(n) FROM {TABLE}").text) == (200, "4\n")
    got = call(f"INSERT INTO {TABLE} SETTINGS input_format_allow_errors_num = 1 FORMAT CSV", b"y,b\n7,c\n")
    assert (got.status, call(f"SELECT sum(n) FROM {TABLE}").text) == (200, "11\n")


@pytest.mark.parametrize(
    ("encoding", "compress"),
    [("gzip", gzip.compress), ("deflate", zlib.compress), ("lz4", lz4.frame.compress), ("zstd", zstd.compress)],
)
def test_bodies_come_and_go_compressed(call: Caller, encoding: str, compress: type) -> None:
    rows = "".join(f"{n},row {n}\n" for n in range(100_000)).encode()
    got = call(f"INSERT INTO {TABLE} FORMAT CSV", compress(rows), headers={"Content-Encoding": encoding})
    assert (got.status, call(f"SELECT count(), sum(n) FROM {TABLE}").text) == (200, "100000\t4999950000\n")
    got = call(
        f"SELECT * FROM {TABLE} ORDER BY n FORMAT CSV",
        headers={"Accept-Encoding": f"br, {encoding};q=0.5"},
        enable_http_compression="1",
        format_csv_delimiter=",",
        output_format_csv_crlf_end_of_line="0",
    )
    assert got.headers["Content-Encoding"] == encoding
    opened = {"gzip": gzip.decompress, "deflate": zlib.decompress, "lz4": lz4.frame.decompress, "zstd": zstd.decompress}
    assert opened[encoding](got.body).replace(b'"', b"") == rows
    plain = call("SELECT 1", headers={"Accept-Encoding": encoding}, enable_http_compression="0")
    assert "Content-Encoding" not in plain.headers


def test_a_body_may_come_in_chunks(call: Caller) -> None:
    got = call(f"INSERT INTO {TABLE} FORMAT CSV", (f"{n},{'x' * 1000}\n".encode() for n in range(20_000)))
    assert (got.status, call(f"SELECT count(), sum(length(s)) FROM {TABLE}").text) == (200, "20000\t20000000\n")


def test_a_connection_survives_an_error_with_an_unread_body(call: Caller) -> None:
    got = call(f"INSERT INTO {DATABASE}.nope FORMAT CSV", b"1,a\n" * 500_000)
    assert got.status == 404
    assert call("SELECT 1").text == "1\n"


def test_bad_data_is_named_by_its_row(call: Caller) -> None:
    got = call(f"INSERT INTO {TABLE} FORMAT CSV", b"1,a\nx,b\n")
    assert (got.status, got.headers["X-ClickHouse-Exception-Code"]) == (400, "27")
    assert "(at row 2)" in got.text


def test_a_running_query_is_seen_and_killed_by_its_id(call: Caller, stand_in: Server) -> None:
    slow: list[Got] = []
    other = Caller(stand_in)
    question = "SELECT count() FROM numbers(1e13) WHERE sipHash64(number) = 1"
    thread = threading.Thread(target=lambda: slow.append(other(question, query_id="slow-one", max_threads="1")))
    thread.start()
    while not (seen := call("SELECT query FROM system.processes AS p WHERE query_id = 'slow-one'").text):
        assert thread.is_alive()
    assert seen.startswith(question)
    again = call("SELECT 1", query_id="slow-one")
    assert again.headers["X-ClickHouse-Exception-Code"] == "216"
    killed = call("KILL QUERY WHERE query_id = 'slow-one' SYNC")
    thread.join(timeout=60)
    other.connection.close()
    assert killed.status == 200
    assert slow[0].headers["X-ClickHouse-Exception-Code"] == "394"


@pytest.mark.parametrize("way", ["sigterm", "stdin"])
def test_the_process_stops_when_told(tmp_path: Path, way: str) -> None:
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
        assert process.stdin is not None
        assert int(process.stdout.readline()) > 0
        if way == "sigterm":
            process.terminate()
        else:
            process.stdin.close()
        assert process.wait(timeout=30) == 0
