"""`simulate load-db`: every backend, from the example configurations that ship, against real parts."""

from __future__ import annotations

import csv
import gzip
import json
import re
import socket
from collections import Counter
from contextlib import suppress
from datetime import datetime
from pathlib import Path
from typing import Any

import pytest

from schoolhouse.cli import app
from schoolhouse.cli.console import guarded
from schoolhouse.simulate.load_run import tables_of_schema
from tests.simulate.conftest import SINK, Aspects, example, written
from tests.simulate.fake_lrs import FakeLrs
from tests.tls_relay import TlsRelay, certificate, running_relay

FILES = {"xapi_events_all": "xapi"} | {table.name: table.file for table in tables_of_schema()}


def run(monkeypatch: pytest.MonkeyPatch, *arguments: str) -> int:
    """A command as a shell would run it."""
    monkeypatch.setattr("sys.argv", ["schoolhouse", "--quiet", "simulate", *arguments])
    return guarded(app)


def load(monkeypatch: pytest.MonkeyPatch, config: dict[str, Any], *more: str) -> int:
    return run(monkeypatch, "load-db", "--config_file", written(Path("config.yaml"), config), *more)


def rows_of(name: str) -> list[list[str]]:
    with gzip.open(f"logs/{name}.csv.gz", "rt", newline="") as stream:
        return list(csv.reader(stream))


@pytest.fixture
def files(monkeypatch: pytest.MonkeyPatch) -> dict[str, list[list[str]]]:
    """What the local example writes, by table."""
    assert load(monkeypatch, example("csv_local.yaml")) == 0
    return {table: rows_of(file) for table, file in FILES.items()}


def test_without_a_file_a_small_default_runs(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(monkeypatch, "load-db", "--json") == 0
    done = {row["dataset"]: row["rows"] for row in json.loads(capsys.readouterr().out)}
    assert done["xapi"] == 3_000
    assert {name: len(rows_of(name)) for name in done} == done
    log = Path("logs/db_load.log").read_text()
    assert re.search(r"xapi: 3000 rows, \d+ bytes, [\d.]+ s", log)


def test_statements_in_files_have_their_id_and_time_before_them(files: dict[str, list[list[str]]]) -> None:
    assert len(files["xapi_events_all"]) == 3_000
    for event_id, emitted, event in files["xapi_events_all"]:
        statement = json.loads(event)
        assert statement["id"] == event_id
        assert datetime.fromisoformat(f"{emitted}+00:00") == datetime.fromisoformat(statement["timestamp"])
        assert "2024-01-01" <= emitted < "2025-06-30"


def test_ids_of_blocks_are_well_formed_and_each_publish_writes_each_once(files: dict[str, list[list[str]]]) -> None:
    locations = Counter(row[2] for row in files["course_blocks"])
    wanted = re.compile(r"block-v1:Org\d+\+C\d+\+\d{4}_T\d\+type@[a-z]+\+block@([0-9a-f]{32}|course)")
    assert all(wanted.fullmatch(location) for location in locations)
    assert set(locations.values()) == {3}  # num_course_publishes
    kinds = Counter(json.loads(row[4])["block_type"] for row in files["course_blocks"])
    courses = {"course": 3, "chapter": 2 * 3 + 5, "sequential": 2 * 10 + 40, "vertical": 2 * 20 + 80}
    courses |= {"problem": 2 * 20 + 80, "video": 2 * 10 + 30}
    assert kinds == {kind: 3 * count for kind, count in courses.items()}
    statement_blocks = {
        found for row in files["xapi_events_all"] for found in re.findall(r"block-v1:[^\"/\\]+", row[2])
    }
    assert statement_blocks <= set(locations)


def test_tags_name_what_is_there(files: dict[str, list[list[str]]]) -> None:
    objects = {row[2] for row in files["course_blocks"]} | {row[1] for row in files["course_overviews"]}
    tags = {row[0] for row in files["tag"]}
    taxonomies = {row[0] for row in files["taxonomy"]}
    assert {row[1] for row in files["object_tag"]} <= objects
    assert {row[3] for row in files["object_tag"]} <= tags
    assert {row[2] for row in files["object_tag"]} == {row[1] for row in files["tag"]} == taxonomies


def test_learners_are_enrolled_once_in_a_course_and_have_their_profiles(files: dict[str, list[list[str]]]) -> None:
    joined = Counter((row[1], row[5]) for row in files["course_enrollment"] if row[3] == "True")
    assert set(joined.values()) == {1}
    assert Counter(course for course, _ in joined).most_common() == [
        ("course-v1:Org1+C103+2024_T3", 25),
        ("course-v1:Org1+C101+2024_T1", 12),
        ("course-v1:Org2+C102+2024_T2", 12),
    ]
    actors = {json.loads(row[2])["actor"]["account"]["name"] for row in files["xapi_events_all"]}
    assert actors <= {row[0] for row in files["external_id"]}
    assert len(files["external_id"]) == 40
    assert len(files["user_profile"]) == 40 * 3  # and num_actor_profile_changes


def test_a_course_has_no_more_threads_than_its_size_says(monkeypatch: pytest.MonkeyPatch) -> None:
    config = example("csv_local.yaml", num_batches=40)
    for size in config["course_size_makeup"].values():
        size["forum_posts"] = 2
    assert load(monkeypatch, config) == 0
    posted = [json.loads(row[2]) for row in rows_of("xapi")]
    threads = [one["object"]["id"] for one in posted if "/threads/" in one["object"]["id"]]
    assert 1 <= len(threads) <= 3 * 2


def test_clickhouse_holds_what_the_files_hold(
    monkeypatch: pytest.MonkeyPatch, aspects: Aspects, files: dict[str, list[list[str]]]
) -> None:
    assert load(monkeypatch, example("clickhouse.yaml") | aspects.keys) == 0
    check_tables(aspects, files)


def test_a_port_of_tls_is_spoken_to_in_tls(
    monkeypatch: pytest.MonkeyPatch, aspects: Aspects, files: dict[str, list[list[str]]], tmp_path: Path
) -> None:
    own = certificate(tmp_path, "clickhouse")
    monkeypatch.setenv("CLICKHOUSE_CA_FILE", str(own.certificate))
    with running_relay(TlsRelay(aspects.server.port, own, port=free_port_of_tls())) as relay:
        config = example("clickhouse.yaml") | aspects.keys | {"db_host": "127.0.0.1", "db_port": relay.port}
        assert load(monkeypatch, config) == 0
    check_tables(aspects, files)
    assert b"course_overviews" in relay.heard


def free_port_of_tls() -> int:
    """One that ends in 443, by which `db_port` says that TLS is spoken."""
    for port in range(10_443, 60_443, 1_000):
        with socket.socket() as probe, suppress(OSError):
            probe.bind(("127.0.0.1", port))
            return port
    raise OSError("no port that ends in 443 is free")


def check_tables(aspects: Aspects, files: dict[str, list[list[str]]]) -> None:
    stored = {str(row[0]): row[1] for row in aspects.rows("xapi_events_all", "toString(event_id), event")}
    assert stored == {row[0]: row[2] for row in files["xapi_events_all"]}
    for table in SINK:
        assert len(aspects.rows(table)) == len(files[table]), table
    names = "toString(external_user_id), external_id_type, username, toString(user_id)"
    assert sorted(aspects.rows("external_id", names)) == sorted(tuple(row[:4]) for row in files["external_id"])
    assert sorted(aspects.rows("course_blocks", "location, xblock_data_json")) == sorted(
        (row[2], row[4]) for row in files["course_blocks"]
    )


def test_a_table_that_the_sink_is_too_old_for_is_left_out_and_said_so(
    monkeypatch: pytest.MonkeyPatch, aspects: Aspects, capsys: pytest.CaptureFixture[str]
) -> None:
    aspects.warehouse.run(f"DROP TABLE {aspects.sink}.course_enrollment SYNC", why="test")
    assert load(monkeypatch, example("clickhouse.yaml", num_batches=1) | aspects.keys, "--json") == 0
    notes = {row["dataset"]: row["note"] for row in json.loads(capsys.readouterr().out)}
    assert notes["enrollments"] == "left out: there is no such table"
    assert set(notes.values()) == {"", notes["enrollments"]}


def test_a_missing_schema_is_an_error_that_names_the_table(
    monkeypatch: pytest.MonkeyPatch, aspects: Aspects, capsys: pytest.CaptureFixture[str]
) -> None:
    assert load(monkeypatch, example("clickhouse.yaml") | aspects.keys | {"db_event_sink_name": "nowhere"}) == 1
    assert "no table nowhere.course_overviews" in capsys.readouterr().err


def test_vector_finds_a_log_line_for_each_statement(
    monkeypatch: pytest.MonkeyPatch, aspects: Aspects, capsysbinary: pytest.CaptureFixture[bytes]
) -> None:
    assert load(monkeypatch, example("vector.yaml") | aspects.keys) == 0
    lines = capsysbinary.readouterr().out.splitlines()
    assert len(lines) == 3_000
    assert all(line.startswith(b" [xapi_tracking] [] {") for line in lines)
    prefix = len(b" [xapi_tracking] [] ")
    assert len({json.loads(line[prefix:])["id"] for line in lines}) == 3_000
    assert len(aspects.rows("external_id")) == 40


def lrs_config(aspects: Aspects, lrs: FakeLrs, **more: Any) -> dict[str, Any]:
    return example("ralph_clickhouse.yaml") | aspects.keys | {"lrs_url": lrs.url} | more


def test_a_record_store_gets_every_statement_by_post(
    monkeypatch: pytest.MonkeyPatch, aspects: Aspects, lrs: FakeLrs
) -> None:
    lrs.answers = [503, 503, 429]  # what may pass is tried again
    monkeypatch.setattr("time.sleep", lambda seconds: None)
    assert load(monkeypatch, lrs_config(aspects, lrs)) == 0
    assert len(lrs.statements) == 3_000
    assert lrs.posts == 10 + 3
    assert len(aspects.rows("xapi_events_all")) == 0
    assert len(aspects.rows("external_id")) == 40


def test_a_failed_run_says_what_is_missing_and_resume_sends_only_that(
    monkeypatch: pytest.MonkeyPatch, aspects: Aspects, lrs: FakeLrs, capsys: pytest.CaptureFixture[str]
) -> None:
    config = lrs_config(aspects, lrs, num_workers=1, batch_size=30, num_batches=100)
    lrs.takes_at_most = 40
    assert load(monkeypatch, config) == 1
    err = capsys.readouterr().err
    assert "answered 400" in err
    assert "60 of 100 batches of statements are missing" in err
    assert "--resume" in err
    assert len(lrs.statements) == 40 * 30
    lrs.takes_at_most = 1_000
    before = lrs.posts
    assert load(monkeypatch, config, "--resume") == 0
    assert len(lrs.statements) == 3_000
    assert lrs.posts - before == 60
    assert len(aspects.rows("external_id")) == 40  # the tables were not written again


def test_another_configuration_cannot_resume_a_run(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    assert load(monkeypatch, example("csv_local.yaml"), "--resume") == 1
    assert "no run to resume" in capsys.readouterr().err
    assert load(monkeypatch, example("csv_local.yaml")) == 0
    assert load(monkeypatch, example("csv_local.yaml", seed=2), "--resume") == 1
    assert "another configuration" in capsys.readouterr().err


def test_a_wrong_password_fails_at_once(
    monkeypatch: pytest.MonkeyPatch, aspects: Aspects, lrs: FakeLrs, capsys: pytest.CaptureFixture[str]
) -> None:
    assert load(monkeypatch, lrs_config(aspects, lrs, lrs_password="hunter2", num_workers=1)) == 1
    err = capsys.readouterr().err
    assert "refused the user (401). 10 of 10 batches" in err
    assert "lrs_password" in err
    assert "hunter2" not in err
    assert lrs.posts == 1


def test_a_dry_run_tells_and_writes_nothing(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    assert load(monkeypatch, example("csv_local.yaml"), "--dry-run", "--json") == 0
    facts = json.loads(capsys.readouterr().out)
    assert (facts["xapi statements"], facts["external_ids rows"], facts["blocks rows"]) == (3_000, 40, 1_092)
    assert not Path("logs").exists()


def test_a_server_that_does_not_answer_is_looked_for_in_the_configuration(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    assert load(monkeypatch, example("clickhouse.yaml", db_host="127.0.0.1", db_port=1)) == 1
    err = capsys.readouterr().err
    assert "127.0.0.1:1 does not answer" in err
    assert "db_host" in err
    assert "CLICKHOUSE_HOST" not in err


def test_a_wrong_configuration_is_bad_usage(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    assert load(monkeypatch, example("csv_local.yaml", batchsize=3)) == 2
    assert "unknown key 'batchsize'" in capsys.readouterr().err


def test_files_on_s3_are_loaded_by_clickhouse_now_and_later(
    monkeypatch: pytest.MonkeyPatch, aspects: Aspects, bucket: str, ministack: str, files: dict[str, list[list[str]]]
) -> None:
    places = {"csv_output_destination": f"s3://{bucket}/run/", "s3_source_location": f"{ministack}/{bucket}/run/"}
    config = example("csv_s3_clickhouse.yaml") | aspects.keys | places
    assert load(monkeypatch, config) == 0
    check_tables(aspects, files)
    for table in (*SINK, "xapi_events_all"):
        database = aspects.xapi if table == "xapi_events_all" else aspects.sink
        aspects.warehouse.run(f"TRUNCATE TABLE {database}.{table}", why="test")
    keys = {name: config[name] for name in (*aspects.keys, "s3_source_location", "s3_key", "s3_secret")}
    assert run(monkeypatch, "load-db-from-s3", "--config_file", written(Path("later.yaml"), keys)) == 0
    check_tables(aspects, files)


def test_native_files_on_s3_are_loaded_by_clickhouse(
    monkeypatch: pytest.MonkeyPatch, aspects: Aspects, bucket: str, files: dict[str, list[list[str]]]
) -> None:
    assert load(monkeypatch, example("chdb_s3.yaml") | aspects.keys | {"s3_bucket": bucket}) == 0
    check_tables(aspects, files)
