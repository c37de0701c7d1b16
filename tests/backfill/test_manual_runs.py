"""Manual runs: patterns, formats, accounting, dry runs, attempts, cancel."""

from __future__ import annotations

import gzip
import io
import json
import os
import threading
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest
from backports import zstd
from pyarrow import parquet
from sqlalchemy import update

from schoolhouse.backfill.chunk_logs import page_of_logs
from schoolhouse.backfill.jobs import do
from schoolhouse.backfill.queue import claim
from schoolhouse.backfill.runs import act_on_run, read_run
from schoolhouse.backfill.tables import manual_runs, transaction
from schoolhouse.backfill.worker import Worker
from schoolhouse.etl.handler import Handler
from schoolhouse.warehouse.connection import Warehouse
from tests.backfill.conftest import Lab
from tests.etl.conftest import count_events, jsonl, notification, video

Put = Callable[..., str]
server_only = pytest.mark.parametrize("handle", ["server"], indirect=True)


def statements(start: int, count: int = 3) -> list[dict[str, Any]]:
    return [video(start + number) for number in range(count)]


def pattern(lab: Lab, rest: str = "**/*.jsonl") -> str:
    return f"s3://{lab.bucket}/{rest}"


def logs_of(lab: Lab, run: dict[str, Any]) -> list[dict[str, Any]]:
    with lab.engine.connect() as connection:
        return page_of_logs(connection, "manual", run["id"], limit=200)


def test_every_object_is_loaded_or_told_of(lab: Lab, put: Put, tables: Warehouse) -> None:
    for number in range(6):
        put(f"section/1/video/{number}.jsonl", statements(number * 3))
    put("section/1/video/empty.jsonl", b"")
    put("section/1/video/half.jsonl", jsonl(statements(100, 2)) + b"\n{broken\n\n[1]\n" + jsonl(statements(102, 1)))
    put("section/1/video/torn.jsonl.gz", gzip.compress(jsonl(statements(200, 500)))[:-300])
    run = lab.run("manual", s3_pattern=pattern(lab, "section/**/*.jsonl*"), chunk_size=5)
    assert run["status"] == "completed"
    assert (run["total_objects"], run["processed_objects"]) == (9, 9)
    assert (run["loaded_objects"], run["empty_objects"], run["failed_objects"]) == (7, 1, 1)
    assert (run["rows_written"], run["rows_rejected"]) == (21, 2)
    assert count_events(tables) == 21
    told = {failure["source"].rpartition("/")[2]: failure for log in logs_of(lab, run) for failure in log["failures"]}
    assert set(told) == {"empty.jsonl", "torn.jsonl.gz"}
    assert "inflate" in told["torn.jsonl.gz"]["reason"]

    again = lab.run("manual", s3_pattern=pattern(lab, "section/**/*.jsonl"), chunk_size=5)
    assert (again["skipped_objects"], again["loaded_objects"], again["empty_objects"]) == (7, 0, 1)
    forced = lab.run("manual", s3_pattern=pattern(lab, "section/**/*.jsonl"), force=True)
    assert (forced["loaded_objects"], forced["rows_new"]) == (7, 0)
    assert count_events(tables) == 21


@server_only
@pytest.mark.parametrize("reader", ["native", "parquet"])
@pytest.mark.parametrize("form", ["lines", "JSONAsString", "JSONEachRow", "parquet"])
def test_formats_and_compressions(lab: Lab, put: Put, tables: Warehouse, form: str, reader: str) -> None:
    if form == "parquet":
        sink = io.BytesIO()
        parquet.write_table(pa.table({"line": [json.dumps(each) for each in statements(0, 9)], "n": [1] * 9}), sink)
        put("a/lines.parquet", sink.getvalue())
    else:
        put("a/plain.jsonl", statements(0))
        put("a/packed.jsonl.gz", gzip.compress(jsonl(statements(3))))
        put("a/packed.jsonl.zst", zstd.compress(jsonl(statements(6))))
        if form != "lines":
            put("a/array.json", json.dumps(statements(9), indent=2).encode())
            put("a/spread.json", "\n".join(json.dumps(each, indent=1) for each in statements(12)).encode())
    lab = replace(lab, settings=lab.settings.model_copy(update={"etl_reader": reader}))
    run = lab.run("manual", s3_pattern=pattern(lab, "a/*"), format=form)
    assert (run["status"], run["failed_objects"]) == ("completed", 0)
    assert count_events(tables) == (9 if form in {"lines", "parquet"} else 15)


def test_local_files_are_loaded_once(lab: Lab, tmp_path: Path, tables: Warehouse) -> None:
    (tmp_path / "deep").mkdir()
    (tmp_path / "deep" / "a.jsonl.gz").write_bytes(gzip.compress(jsonl(statements(0))))
    (tmp_path / "b.jsonl").write_bytes(jsonl(statements(3)))
    run = lab.run("manual", s3_pattern=f"{tmp_path}/**/*.jsonl*")
    assert (run["status"], run["loaded_objects"]) == ("completed", 2)
    assert count_events(tables) == 6
    (tmp_path / "b.jsonl").write_bytes(jsonl(statements(3, 4)))
    again = lab.run("manual", s3_pattern=f"{tmp_path}/**/*.jsonl*")
    assert (again["skipped_objects"], again["loaded_objects"], again["rows_new"]) == (1, 1, 1)


def test_a_dry_run_tells_what_a_run_would_do_and_does_nothing(lab: Lab, put: Put, tables: Warehouse) -> None:
    for number in range(12):
        put(f"section/1/video/{number:02}.jsonl", jsonl(statements(number * 4, 4)) + b"\nno statement")
    lab.run("manual", s3_pattern=pattern(lab, "section/1/video/00.jsonl"))
    run = lab.run("manual", s3_pattern=pattern(lab), dry_run=True, chunk_size=5)
    estimate = run["metadata"]["estimate"]
    assert run["status"] == "completed"
    assert (estimate["files"], estimate["files_in_already"], estimate["chunks"]) == (12, 1, 3)
    assert (estimate["rows"], estimate["bad_rows"]) == (60, 12)
    assert estimate["bad_reasons"] == {"not_json": 8}
    assert estimate["seconds"] > 0
    assert run["rows_written"] == 0
    assert count_events(tables) == 4


@server_only
def test_the_live_path_and_a_run_count_once(lab: Lab, put: Put, tables: Warehouse, bucket: str) -> None:
    keys = [f"section/1/video/2024-01-01T12-00-0{number}Z_b.jsonl" for number in range(3)]
    for number, key in enumerate(keys):
        put(key, statements(number * 3))
    with Handler(lab.settings, who="tests") as handler:
        handler.handle(notification(bucket, *keys[:2]))
    run = lab.run("manual", s3_pattern=pattern(lab))
    assert (run["skipped_objects"], run["loaded_objects"]) == (2, 1)
    with Handler(lab.settings, who="tests") as handler:
        handler.handle(notification(bucket, *keys))
    assert count_events(tables) == 9


@server_only
def test_attempts_end_and_a_retry_goes_on_behind_the_last_chunk(
    lab: Lab, put: Put, tables: Warehouse, refused_port: int
) -> None:
    for number in range(4):
        put(f"section/1/video/{number}.jsonl", statements(number * 3))
    away = replace(lab, settings=lab.settings.model_copy(update={"clickhouse_port": refused_port}))
    made = lab.create("manual", s3_pattern=pattern(lab), chunk_size=2, max_attempts=1)
    worker = Worker(away.engine, away.settings, threads=1)
    worker.start()
    deadline = time.monotonic() + 120
    while read_run(lab.engine, "manual", made["id"])["status"] != "failed" and time.monotonic() < deadline:
        time.sleep(0.1)
    worker.stop()
    worker.join()
    failed = read_run(lab.engine, "manual", made["id"])
    assert (failed["status"], failed["attempts"], failed["chunk_sequence"]) == ("failed", 1, 0)
    assert "does not answer" in failed["error"]
    assert [(log["status"], log["chunk_index"]) for log in logs_of(lab, failed)] == [("failed", 1)]
    act_on_run(lab.engine, "manual", made["id"], "retry")
    lab.work()
    run = read_run(lab.engine, "manual", made["id"])
    assert (run["status"], run["loaded_objects"], run["chunk_sequence"]) == ("completed", 4, 2)
    assert count_events(tables) == 12


@server_only
def test_a_run_has_three_attempts_and_no_more(lab: Lab, put: Put, refused_port: int) -> None:
    put("section/1/video/0.jsonl", statements(0))
    made = lab.create("manual", s3_pattern=pattern(lab))
    away = lab.settings.model_copy(update={"clickhouse_port": refused_port})
    for attempt, status in ((1, "pending"), (2, "pending"), (3, "failed")):
        with transaction(lab.engine) as connection:  # as if the wait between two attempts had passed
            connection.execute(update(manual_runs).values(not_before=0.0))
        lease = claim(lab.engine, "tests", seconds=30)
        assert lease
        assert lease.attempt == attempt
        do(lab.engine, lease, away, must_end=lambda: False)
        assert read_run(lab.engine, "manual", made["id"])["status"] == status
    assert claim(lab.engine, "tests", seconds=30) is None
    assert [(log["attempt"], log["status"]) for log in logs_of(lab, made)] == [
        (3, "failed"),
        (2, "failed"),
        (1, "failed"),
    ]


def test_a_cancel_kills_the_insert_and_its_rows_are_counted(lab: Lab, put: Put, tables: Warehouse) -> None:
    body = jsonl(statements(0, 20_000))
    for number in range(40):  # an insert that lasts for seconds: short ones are not watched
        put(f"section/1/video/{number:02}.jsonl", body.replace(b"campus.example", b"campus%02d.example" % number))
    made = lab.create("manual", s3_pattern=pattern(lab), chunk_size=40, optimize=False)
    worker = Worker(lab.engine, lab.settings, threads=1)
    thread = threading.Thread(target=worker.run, kwargs={"until_idle": True})
    thread.start()
    deadline = time.monotonic() + 60
    while not (live := read_run(lab.engine, "manual", made["id"])["live"]) and time.monotonic() < deadline:
        time.sleep(0.05)
    assert live["rows_read"] > 0
    assert live["query_id"].startswith("schoolhouse_backfill_manual_")
    queries = tables.ask("SELECT query FROM system.processes WHERE query_kind = 'Insert'", why="tests").rows
    assert not [query for (query,) in queries if os.environ["AWS_SECRET_ACCESS_KEY"] in query]
    assert act_on_run(lab.engine, "manual", made["id"], "cancel")["status"] == "cancelled"
    thread.join(60)
    run = read_run(lab.engine, "manual", made["id"])
    assert run["status"] == "cancelled"
    assert [log["status"] for log in logs_of(lab, run)] == ["cancelled"]
    stood = int(tables.ask("SELECT count() FROM raw_events", why="tests").value())
    assert stood < 800_000
    assert run["rows_written"] == stood
    running = "SELECT count() FROM system.processes WHERE query_kind = 'Insert' AND query LIKE '%INTO ingest%'"
    assert tables.ask(running, why="tests").value() == 0


@server_only
def test_what_is_wrong_with_the_house_fails_the_run_and_no_object(lab: Lab, put: Put) -> None:
    put("section/1/video/0.jsonl", statements(0))
    run = lab.run("manual", s3_pattern=pattern(lab), target_table="nowhere.raw_events", max_attempts=1)
    assert (run["status"], run["failed_objects"]) == ("failed", 0)
    assert "no database 'nowhere'" in run["error"]


@server_only
def test_a_run_does_not_take_what_a_deleted_one_of_its_number_brought_for_its_own(lab: Lab, put: Put) -> None:
    put("section/1/video/0.jsonl", statements(0))
    first = lab.run("manual", s3_pattern=pattern(lab), optimize=False)
    assert first["loaded_objects"] == 1
    act_on_run(lab.engine, "manual", first["id"], "delete")
    made = lab.create("manual", s3_pattern=pattern(lab), optimize=False)
    assert made["id"] == first["id"]
    assert claim(lab.engine, "one that dies at once", seconds=-1)
    lab.work()
    run = read_run(lab.engine, "manual", made["id"])
    assert (run["skipped_objects"], run["loaded_objects"], run["rows_written"]) == (1, 0, 0)


@server_only
def test_names_and_lines_beyond_what_a_server_takes_in_a_value_go_in_portions(
    lab: Lab, put: Put, tmp_path: Path
) -> None:
    folder = "/".join(["ü" * 50] * 8)  # long as a name, three times as long in a URL
    for number in range(160):
        put(f"section/1/{folder}/{number:03}.jsonl", statements(number * 3))
    run = lab.run("manual", s3_pattern=pattern(lab), chunk_size=1000, optimize=False)
    assert (run["status"], run["loaded_objects"], run["rows_new"]) == ("completed", 160, 480), run["error"]
    (log,) = logs_of(lab, run)
    assert log["failures"] == []
    assert lab.run("manual", s3_pattern=pattern(lab), chunk_size=1000, optimize=False)["skipped_objects"] == 160

    dry = lab.run("manual", s3_pattern=pattern(lab), dry_run=True)
    assert dry["metadata"]["estimate"]["files_in_already"] == 160
    (tmp_path / "long.jsonl").write_bytes(jsonl([video(n) | {"x": "'" * 900} for n in range(300)]) + b"\n")
    dry = lab.run("manual", s3_pattern=f"{tmp_path}/*.jsonl", dry_run=True)
    facts = dry["metadata"]["estimate"]
    assert (facts["rows"], facts["bad_rows"], facts["unreadable"]) == (300, 0, [])


@server_only
def test_what_nobody_foresaw_ends_the_attempt_with_its_class(
    lab: Lab, put: Put, caplog: pytest.LogCaptureFixture
) -> None:
    put("section/1/video/0.jsonl", statements(0))
    made = lab.create("manual", s3_pattern=pattern(lab), max_attempts=1)
    with transaction(lab.engine) as connection:  # no request can say so
        connection.execute(update(manual_runs).values(chunk_size=-1))
    lease = claim(lab.engine, "tests", seconds=30)
    assert lease
    do(lab.engine, lease, lab.settings, must_end=lambda: False)
    run = read_run(lab.engine, "manual", made["id"])
    assert run["status"] == "failed"
    assert run["error"] == "The attempt failed unexpectedly (ValueError). The worker's log tells where."
    assert "islice" in caplog.text


@server_only
def test_settings_and_options_reach_the_insert(lab: Lab, put: Put, tables: Warehouse) -> None:
    put("section/1/video/0.jsonl", statements(0))
    values = {"clickhouse_settings": {"max_threads": 1, "max_insert_threads": 1}, "options": {"wait_end_of_query": "1"}}
    assert lab.run("manual", s3_pattern=pattern(lab), **values)["status"] == "completed"
    tight = {"clickhouse_settings": {"max_memory_usage": 1000}}
    run = lab.run("manual", s3_pattern=pattern(lab), force=True, **tight)
    assert run["failed_objects"] == 1
    assert count_events(tables) == 3
