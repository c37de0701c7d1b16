"""The commands, as a person types them, on an embedded warehouse; two of them in processes of their own."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import uuid
from pathlib import Path
from typing import Any

import pytest

from tests.cli.shell import Shell
from tests.conftest import Server
from tests.warehouse.loading import statement


def run_alone(folder: Path, *arguments: str, exit_code: int = 0) -> Any:
    """The JSON that a command prints in a process of its own, with the warehouse in ./schoolhouse-data."""
    command = [sys.executable, "-c", "from schoolhouse.cli import main; main()", *arguments, "--json"]
    done = subprocess.run(command, cwd=folder, capture_output=True, text=True, timeout=120, check=False)
    assert done.returncode == exit_code, done.stdout + done.stderr
    assert "Traceback" not in done.stderr
    return json.loads(done.stdout)


def new_shell(folder: Path, data_dir: Path) -> Shell:
    """A shell whose warehouse is not made yet."""
    return Shell(folder, SCHOOLHOUSE_DATA_DIR=str(data_dir), CLICKHOUSE_DATABASE=f"shell_{uuid.uuid4().hex[:12]}")


@pytest.fixture(scope="module")
def shell(tmp_path_factory: pytest.TempPathFactory, embedded_data_dir: Path) -> Shell:
    """A directory with a warehouse of 40 statements and one reject in it."""
    shell = new_shell(tmp_path_factory.mktemp("shell"), embedded_data_dir)
    lines = [json.dumps(statement(object={"id": f"https://lms.example/{n}"})) for n in range(40)]
    (shell.folder / "a.jsonl").write_text("\n".join([*lines, "{broken", ""]))
    shell.run("warehouse", "setup")
    shell.run("ingest", "a.jsonl")
    return shell


def test_ingest_prints_how_every_line_ended(shell: Shell) -> None:
    report = shell.json("ingest", "a.jsonl")
    assert report["lines"] == 41
    assert (report["accepted"], report["new"], report["duplicate"], report["rejected"]) == (40, 0, 40, {"not_json": 1})
    assert {"blank", "conflict", "bytes", "seconds", "statements_per_second", "load_id"} <= report.keys()
    table = shell.run("ingest", "a.jsonl").stdout
    assert "not_json" in table
    assert "duplicate" in table


def test_ingest_takes_standard_input_and_strict_turns_rejects_into_a_failure(shell: Shell) -> None:
    text = (shell.folder / "a.jsonl").read_text()
    assert shell.json("ingest", "-", stdin=text)["duplicate"] == 40
    shell.run("ingest", "--strict", "-", stdin=text, exit_code=1)


def test_ingest_without_a_warehouse_says_how_to_make_one(tmp_path: Path) -> None:
    (tmp_path / "a.jsonl").write_text("{}\n")
    refused = Shell(tmp_path).run("ingest", "a.jsonl", exit_code=1)
    assert "schoolhouse warehouse setup" in refused.stderr


def test_an_administrator_gets_the_rights_of_custom_sql_to_run(tmp_path: Path) -> None:
    assert "CLICKHOUSE_QUESTIONS_USER" in Shell(tmp_path).run("warehouse", "access", exit_code=2).stderr
    server = {"CLICKHOUSE_HOST": "127.0.0.1", "CLICKHOUSE_DATABASE": "campus", "CLICKHOUSE_QUESTIONS_USER": "questions"}
    printed = Shell(tmp_path, **server).run("warehouse", "access").stdout
    assert "GRANT SELECT ON `campus`.`video_events` TO `questions`;" in printed
    assert (printed.count("GRANT SELECT"), printed.count("CREATE ROW POLICY")) == (4, 6)


def test_setup_says_where_it_may_not_give_rights(stand_in: Server, tmp_path: Path) -> None:
    server = {
        "CLICKHOUSE_HOST": stand_in.host,
        "CLICKHOUSE_PORT": str(stand_in.port),
        "CLICKHOUSE_USER": stand_in.user,
        "CLICKHOUSE_PASSWORD": stand_in.password,
        "CLICKHOUSE_DATABASE": f"shell_{uuid.uuid4().hex[:12]}",
    }
    refused = Shell(tmp_path, **server, CLICKHOUSE_QUESTIONS_USER="questions").run("warehouse", "setup", exit_code=1)
    assert "schoolhouse warehouse access" in refused.stderr


def test_a_missing_file_is_bad_usage(shell: Shell) -> None:
    assert "missing.jsonl" in shell.run("ingest", "missing.jsonl", exit_code=2).stderr


def test_validate_gives_the_verdicts_of_a_load_and_needs_no_warehouse(tmp_path: Path) -> None:
    lines = [json.dumps(statement()), *["{broken", "[]"] * 15, ""]
    (tmp_path / "a.jsonl").write_text("\n".join(lines))
    (verdict,) = run_alone(tmp_path, "validate", "a.jsonl")
    assert (verdict["lines"], verdict["accepted"]) == (31, 1)
    assert verdict["rejected"] == {"not_json": 15, "not_object": 15}
    assert len(verdict["examples"]) == 20
    assert verdict["examples"][0] == {"line": 2, "code": "not_json", "preview": "{broken"}
    run_alone(tmp_path, "validate", "--strict", "a.jsonl", exit_code=1)
    assert not (tmp_path / "schoolhouse-data").exists()


def test_query_answers_as_table_json_and_csv(shell: Shell) -> None:
    sql = "SELECT event_type, count() AS events, toUInt64(9007199254740993) AS big FROM raw_events FINAL GROUP BY 1;"
    assert shell.json("query", sql) == [{"event_type": "other", "events": 40, "big": 9007199254740993}]
    assert shell.run("query", "--csv", sql).stdout == '"event_type","events","big"\n"other",40,9007199254740993\n'
    table = shell.run("query", sql).stdout
    assert "other" in table
    assert "9007199254740993" in table  # it may be an id
    assert shell.json("query", "SELECT 1 AS x WHERE 0 -- nothing") == []


@pytest.mark.parametrize("sql", ["DROP TABLE raw_events", "INSERT INTO raw_events SELECT * FROM raw_events", "SELEC 1"])
def test_query_only_reads(shell: Shell, sql: str) -> None:
    assert shell.run("query", sql, exit_code=1).stderr.startswith("error: ")
    assert shell.json("query", "SELECT count() AS n FROM raw_events FINAL") == [{"n": 40}]


def test_health_metrics_and_doctor_answer(shell: Shell) -> None:
    health = shell.json("warehouse", "health")
    assert health["engine"] == "embedded"
    assert health["migrations_pending"] == 0
    assert {table["table"]: table["rows"] for table in health["tables"]}["raw_events"] >= 40
    questions = shell.run("warehouse", "metrics", "--names").stdout.split()
    assert len(questions) == 11
    answers = shell.json("warehouse", "metrics")
    assert sorted(answers) == questions
    assert answers["event_type_distribution"] == [{"event_type": "other", "events": 40, "share": 1, "learners": 1}]
    assert all(finding["ok"] for finding in shell.json("doctor"))


def test_doctor_tries_whatever_the_settings_name(shell: Shell) -> None:
    away = {
        "DATABASE_URL": "postgresql://127.0.0.1:1/none",
        "AWS_ENDPOINT_URL": "http://127.0.0.1:1",
        "AWS_ACCESS_KEY_ID": "x",
        "AWS_SECRET_ACCESS_KEY": "x",
        "S3_MAX_ATTEMPTS": "1",
        "S3_XAPI_BUCKET_NAME": "bundles",
        "XAPI_QUEUE_URL": "http://127.0.0.1:1/0/queue",
        "KAFKA_BOOTSTRAP_SERVERS": "127.0.0.1:1",
        "KAFKA_TIMEOUT_SECONDS": "1",
    }
    asked = Shell(shell.folder, **shell.environment, **away).run("doctor", "--json", exit_code=1)
    wrong = {finding["part"] for finding in json.loads(asked.stdout) if not finding["ok"]}
    assert wrong == {"app's database", "S3_XAPI_BUCKET_NAME", "XAPI_QUEUE_URL", "Kafka"}


def test_check_fails_while_a_check_fails_and_names_it(shell: Shell) -> None:
    checks = {
        check["name"]: check for check in json.loads(shell.run("warehouse", "check", "--json", exit_code=1).stdout)
    }
    assert not checks["unmapped"]["passed"]  # all forty are of type `other`
    assert not checks["rejects"]["passed"]  # one line in forty-one
    assert checks["duplicates"]["passed"]
    assert checks["conflicts"]["passed"]
    assert checks["timestamps"]["passed"]


def test_migrate_shows_its_state_and_plan(shell: Shell, tmp_path: Path) -> None:
    states = shell.json("warehouse", "migrate", "status")
    assert {state["state"] for state in states} == {"applied"}
    assert "Nothing to run" in shell.run("warehouse", "migrate", "--plan").stdout
    shell.run("warehouse", "migrate", "redo", "--yes")
    assert "0 migrations" in shell.run("warehouse", "migrate", "up").stdout


def test_backup_and_restore_give_the_same_warehouse(shell: Shell, tmp_path: Path, embedded_data_dir: Path) -> None:
    shell.run("warehouse", "backup", str(tmp_path / "backup"))
    other = new_shell(tmp_path, embedded_data_dir)
    other.run("warehouse", "restore", str(tmp_path / "backup"))
    sql = "SELECT * EXCEPT(inserted_at) FROM raw_events FINAL ORDER BY ALL"
    assert other.json("query", sql) == shell.json("query", sql)
    assert "already holds events" in other.run("warehouse", "restore", str(tmp_path / "backup"), exit_code=2).stderr
    part = next((tmp_path / "backup").glob("raw_events.*"))
    part.write_bytes(part.read_bytes()[:-1])
    third = new_shell(tmp_path, embedded_data_dir)
    damaged = third.run("warehouse", "restore", str(tmp_path / "backup"), exit_code=1)
    assert part.name in damaged.stderr


def test_wrong_settings_are_named_without_a_traceback(shell: Shell, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CLICKHOUSE_PORT", "9000")
    assert "8123" in shell.run("warehouse", "health", exit_code=2).stderr


@pytest.mark.parametrize(
    "words",
    [("warehouse", "setup"), ("user", "list"), ("pipeline", "drain"), ("xapi", "add-client", "lms")],
)
def test_a_data_directory_that_cannot_be_made_is_named(tmp_path: Path, words: tuple[str, ...]) -> None:
    (tmp_path / "file").write_text("")
    refused = Shell(tmp_path, SCHOOLHOUSE_DATA_DIR=str(tmp_path / "file")).run(*words, exit_code=1)
    assert f"{tmp_path / 'file'}" in refused.stderr.splitlines()[0]


@pytest.mark.parametrize("unbuffered", ["", "1"])
def test_a_disk_that_is_full_is_said_to_be_so(tmp_path: Path, unbuffered: str) -> None:
    environment = os.environ | {"PYTHONUNBUFFERED": unbuffered}
    command = [sys.executable, "-m", "schoolhouse", "chart", "--json"]
    with Path("/dev/full").open("w") as full:
        done = subprocess.run(
            command, cwd=tmp_path, env=environment, stdout=full, stderr=subprocess.PIPE, text=True, check=False
        )
    assert (done.returncode, done.stderr) == (1, "error: No space left on device.\n")


def test_demo_fills_a_warehouse_and_twice_changes_no_count(tmp_path: Path) -> None:
    first = run_alone(tmp_path, "demo", "--no-serve")
    again = run_alone(tmp_path, "demo", "--no-serve")
    assert first["new"] == first["accepted"] - first["duplicate"] > 50_000
    assert first["lines"] == first["blank"] + first["accepted"] + sum(first["rejected"].values())
    assert (again["new"], again["duplicate"], again["conflict"]) == (0, again["accepted"], 0)
    assert [row["events"] for row in again["events"]] == [row["events"] for row in first["events"]]
