"""Inventory runs from the manifest to the events."""

from __future__ import annotations

import os
import random
import threading
import time
from collections.abc import Callable

import pytest
from sqlalchemy import select, update

from schoolhouse.backfill.chunk_logs import follow, page_of_logs
from schoolhouse.backfill.jobs import do
from schoolhouse.backfill.queue import claim
from schoolhouse.backfill.runs import act_on_run, read_run, retry_batch
from schoolhouse.backfill.tables import batches, chunk_logs, inventory_runs, transaction
from schoolhouse.backfill.worker import Worker
from schoolhouse.errors import AccessRefused
from schoolhouse.warehouse.connection import Warehouse
from tests.backfill.conftest import DAY, INVENTORY, Aws, Lab
from tests.etl.conftest import count_events, video

Put = Callable[..., str]
server_only = pytest.mark.parametrize("handle", ["server"], indirect=True)


def keys_of(put: Put, *, count: int, section: int = 1, lines: int = 3, start: int = 0) -> list[str]:
    """Put bundles, a few statements each."""
    keys = []
    for number in range(start, start + count):
        key = f"section/{section}/video/2024-01-{1 + number % 28:02}T12-00-00.000Z_b ü+{number}.jsonl"
        put(key, [video(number * lines + each, section=section) for each in range(lines)])
        keys.append(key)
    return keys


@pytest.mark.parametrize("form", ["CSV", "Parquet", "ORC"])
def test_what_an_inventory_lists_is_loaded(
    lab: Lab, put: Put, put_inventory: Put, tables: Warehouse, form: str
) -> None:
    keys = keys_of(put, count=7)
    put_inventory([keys[:4], keys[4:]], form=form)
    run = lab.run("inventory", batch_chunk_size=3, manifest_page_size=2)
    assert (run["status"], run["error"]) == ("completed", "")
    assert count_events(tables) == 21
    assert (run["total_objects"], run["loaded_objects"], run["rows_written"]) == (7, 7, 21)
    assert [batch["chunk_sequence"] for batch in run["batches"]] == [2, 1]


@server_only
def test_filters_leave_out_other_times_sections_prefixes_and_endings(
    lab: Lab, put: Put, put_inventory: Put, tables: Warehouse
) -> None:
    keys = keys_of(put, count=10) + keys_of(put, count=10, section=2, start=50)
    for other in (
        "section/1/video/no-time.jsonl",
        "section/1/readme.txt",
        "old/section/1/video/2024-01-02T00-00-00Z_b.jsonl",
    ):
        put(other, [video(900)])
        keys.append(other)
    put_inventory([keys])
    run = lab.run(
        "inventory",
        date_range_start="2024-01-02T12:00:00",
        date_range_end="2024-01-05T12:00:00Z",
        section_ids=["1"],
        key_prefix="section/",
    )
    assert (run["status"], run["loaded_objects"], run["filtered_objects"]) == ("completed", 3, 20)
    assert count_events(tables, "section_id = 1") == count_events(tables) == 9
    assert lab.run("inventory")["loaded_objects"] == 19  # the rest, and what names no time


@server_only
@pytest.mark.parametrize("form", ["CSV", "Parquet", "ORC"])
def test_an_inventory_without_sizes_and_etags_asks_s3(
    lab: Lab, put: Put, put_inventory: Put, tables: Warehouse, form: str
) -> None:
    keys = keys_of(put, count=3)
    put("section/1/video/empty.jsonl", b"")
    put_inventory([[*keys, "section/1/video/empty.jsonl", "section/1/video/gone.jsonl"]], form=form, has_etags=False)
    run = lab.run("inventory")
    assert (run["loaded_objects"], run["empty_objects"], run["failed_objects"]) == (3, 1, 1)
    assert count_events(tables) == 9
    assert lab.run("inventory")["skipped_objects"] == 3


@server_only
@pytest.mark.parametrize("spoil", ["data", "manifest"])
def test_a_changed_inventory_is_refused(lab: Lab, put: Put, put_inventory: Put, spoil: str) -> None:
    put_inventory([keys_of(put, count=1)], spoil=spoil)
    run = lab.run("inventory")
    assert run["status"] == "failed"
    assert "differs from" in run["error"]
    assert run["batches"] == []
    put_inventory([keys_of(put, count=1)])
    act_on_run(lab.engine, "inventory", run["id"], "retry")
    lab.work()
    assert read_run(lab.engine, "inventory", run["id"])["status"] == "completed"


@server_only
def test_a_missing_inventory_and_a_foreign_host_are_told(lab: Lab) -> None:
    assert "no inventory of 2024-06-01" in lab.run("inventory")["error"]
    with pytest.raises(AccessRefused):
        lab.create("inventory", manifest_url="https://evil.example/b/manifest.json")


@server_only
def test_the_newest_manifest_of_a_day_is_taken(lab: Lab, put: Put, put_inventory: Put, aws: Aws, bucket: str) -> None:
    key = put_inventory([keys_of(put, count=2)])
    aws.s3.copy_object(Bucket=bucket, Key=key.replace("T01-00Z", "T09-00Z"), CopySource={"Bucket": bucket, "Key": key})
    assert lab.run("inventory")["manifest_url"].endswith("T09-00Z/manifest.json")


@server_only
def test_a_dry_run_estimates_and_makes_no_batches(lab: Lab, put: Put, put_inventory: Put, tables: Warehouse) -> None:
    put_inventory([keys_of(put, count=8)[:5], keys_of(put, count=8)[5:]])
    run = lab.run("inventory", dry_run=True, batch_chunk_size=3)
    estimate = run["metadata"]["estimate"]
    assert (run["status"], run["batches"]) == ("completed", [])
    assert (estimate["files"], estimate["rows"], estimate["bad_rows"], estimate["chunks"]) == (8, 24, 0, 3)
    assert count_events(tables) == 0


@server_only
def test_pause_and_resume_go_on_behind_the_last_chunk(
    lab: Lab, put: Put, put_inventory: Put, tables: Warehouse
) -> None:
    put_inventory([keys_of(put, count=12)])
    made = lab.create("inventory", batch_chunk_size=1)
    worker = Worker(lab.engine, lab.settings, threads=2)
    worker.start()
    generator = random.Random(6)
    for _ in range(3):
        time.sleep(generator.uniform(0.2, 1.5))
        if read_run(lab.engine, "inventory", made["id"])["status"] in {"completed", "failed"}:
            break
        act_on_run(lab.engine, "inventory", made["id"], "pause")
        wait_until(
            lambda: all(b["status"] != "running" for b in read_run(lab.engine, "inventory", made["id"])["batches"])
        )
        before = count_events(tables)
        time.sleep(0.3)
        assert count_events(tables) == before
        act_on_run(lab.engine, "inventory", made["id"], "resume")
    wait_until(lambda: read_run(lab.engine, "inventory", made["id"])["status"] == "completed")
    worker.stop()
    worker.join()
    run = read_run(lab.engine, "inventory", made["id"])
    assert (run["loaded_objects"], run["skipped_objects"], run["rows_new"]) == (12, 0, 36)
    with lab.engine.connect() as connection:
        logs = page_of_logs(connection, "inventory", made["id"], limit=200)
    assert sorted(log["chunk_index"] for log in logs) == list(range(1, 13))
    assert count_events(tables) == 36


@server_only
def test_a_failed_batch_is_retried_and_the_others_go_on(
    lab: Lab, put: Put, put_inventory: Put, aws: Aws, bucket: str, tables: Warehouse
) -> None:
    keys = keys_of(put, count=6)
    put_inventory([keys[:2], keys[2:4], keys[4:]])
    made = lab.create("inventory", batch_chunk_size=1)
    lease = claim(lab.engine, "planner", seconds=30)
    assert lease
    do(lab.engine, lease, lab.settings, must_end=lambda: False)
    name = f"{INVENTORY}/data/{DAY}-1.csv"
    whole = aws.s3.get_object(Bucket=bucket, Key=name)["Body"].read()
    aws.s3.put_object(Bucket=bucket, Key=name, Body=b"spoiled")
    lab.work()
    run = read_run(lab.engine, "inventory", made["id"])
    assert (run["status"], [b["status"] for b in run["batches"]]) == ("failed", ["completed", "failed", "completed"])
    assert run["error"] == "1 of 3 batches failed."
    aws.s3.put_object(Bucket=bucket, Key=name, Body=whole)
    retry_batch(lab.engine, made["id"], run["batches"][1]["id"])
    lab.work()
    run = read_run(lab.engine, "inventory", made["id"])
    assert (run["status"], run["loaded_objects"], run["failed_batches"]) == ("completed", 6, 0)
    assert count_events(tables) == 18


@server_only
def test_a_batch_has_as_many_attempts_as_were_asked_for(
    lab: Lab, put: Put, put_inventory: Put, refused_port: int, tables: Warehouse
) -> None:
    put_inventory([keys_of(put, count=2)])
    made = lab.create("inventory", max_batch_attempts=2)
    away = lab.settings.model_copy(update={"clickhouse_port": refused_port})
    for attempt, (settings, status) in enumerate([(lab.settings, "running"), (away, "running"), (away, "failed")]):
        with transaction(lab.engine) as connection:  # as if the wait between two attempts had passed
            connection.execute(update(batches).values(not_before=0.0))
        lease = claim(lab.engine, "tests", seconds=30)
        assert lease
        assert (lease.kind, lease.attempt) == (("batch", attempt) if attempt else ("inventory", 1))
        do(lab.engine, lease, settings, must_end=lambda: False)
        assert read_run(lab.engine, "inventory", made["id"])["status"] == status
    act_on_run(lab.engine, "inventory", made["id"], "retry")
    lab.work()
    assert read_run(lab.engine, "inventory", made["id"])["status"] == "completed"
    assert count_events(tables) == 6


@server_only
def test_followers_see_every_log_once_and_end_with_the_run(lab: Lab, put: Put, put_inventory: Put) -> None:
    put_inventory([keys_of(put, count=5)])
    made = lab.create("inventory", batch_chunk_size=1)
    thread = threading.Thread(target=lab.work)
    thread.start()
    seen = [log["chunk_index"] for log in follow(lab.engine, "inventory", made["id"], wait=lambda: time.sleep(0.05))]
    thread.join()
    assert seen == [1, 2, 3, 4, 5]


@server_only
def test_no_credential_stands_in_a_row_or_log(
    lab: Lab, put: Put, put_inventory: Put, caplog: pytest.LogCaptureFixture
) -> None:
    put_inventory([[*keys_of(put, count=2), "section/1/video/gone.jsonl"]])
    secret = os.environ["AWS_SECRET_ACCESS_KEY"]
    with caplog.at_level("DEBUG", logger="schoolhouse"):
        lab.run("inventory")
    with lab.engine.connect() as connection:
        rows = [str(list(connection.execute(select(table)))) for table in (inventory_runs, batches, chunk_logs)]
    assert not [text for text in [*rows, caplog.text] if secret in text or "AWS4" in text]


def wait_until(is_true: Callable[[], bool], *, seconds: float = 200) -> None:
    deadline = time.monotonic() + seconds
    while not is_true():
        assert time.monotonic() < deadline
        time.sleep(0.05)
