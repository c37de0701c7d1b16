"""`schoolhouse lake`: every command that a manager of the lake is promised, as it is written in the documents."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from click.testing import Result
from typer.testing import CliRunner

from schoolhouse.accounts.audit import AuditLog
from schoolhouse.cli import app
from schoolhouse.database import open_database
from schoolhouse.errors import UsageError
from schoolhouse.lake.topics import TOPICS
from schoolhouse.settings import load_settings
from tests.cli.shell import Shell
from tests.lake.broker import HOUR, START, Broker, attempts, messages, running_broker


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Broker, dict[str, str]]]:
    """A broker with two hours of attempts, and the environment that names it and a lake."""
    directory = tmp_path_factory.mktemp("lake")
    with running_broker(directory / "broker") as broker:
        broker.create(*TOPICS)
        events = attempts(60, START) + attempts(40, START + HOUR, first=60)
        broker.send("user.attempts", [*messages(events), (START, b"{", 0)])
        yield (
            broker,
            {
                "SCHOOLHOUSE_DATA_DIR": str(directory / "data"),
                "KAFKA_BOOTSTRAP_SERVERS": broker.address,
                "LAKE_FOLLOW_SECONDS": "1",
            },
        )


@pytest.fixture(scope="module")
def loaded(site: tuple[Broker, dict[str, str]]) -> dict[str, str]:
    """The environment of a lake that holds both hours."""
    done = CliRunner().invoke(
        app, ["lake", "backfill", "--from", "2024-03-04T10", "--to", "2024-03-04T12", "--json"], env=site[1]
    )
    assert done.exit_code == 0, done.stderr
    loaded = [(one["window"], one["rows"]) for one in json.loads(done.stdout) if one["dataset"] == "user_attempts"]
    assert loaded == [("2024-03-04T10", 60), ("2024-03-04T11", 40)]
    return site[1]


def _run(env: dict[str, str], *arguments: str, **more: Any) -> Result:
    return CliRunner().invoke(app, ["lake", *arguments], env=env, **more)


def _json(env: dict[str, str], *arguments: str, **more: Any) -> Any:
    done = _run(env, *arguments, "--json", **more)
    assert done.exit_code == 0, done.stderr
    return json.loads(done.stdout)


def test_run_loads_a_window_once(loaded: dict[str, str]) -> None:
    again = _json(loaded, "run", "--window", "2024-03-04T10", "--dataset", "user_attempts")
    assert [one["did"] for one in again] == ["already"]
    anew = _json(loaded, "run", "--window", "2024-03-04T10", "--dataset", "user_attempts", "--again")
    assert [(one["did"], one["rows"]) for one in anew] == [("loaded", 60)]


def test_hours_that_were_never_loaded_are_told_when_a_span_is_worked_on_again(loaded: dict[str, str]) -> None:
    span = ["backfill", "--from", "2024-03-04T09", "--to", "2024-03-04T11", "--dataset", "user_attempts", "--again"]
    done = _json(loaded, *span)
    assert [(one["did"], one["state"]) for one in done] == [("skipped", "never loaded"), ("loaded", "loaded")]
    assert "never loaded" in _run(loaded, *span).output


def test_run_without_a_window_takes_what_is_due(loaded: dict[str, str]) -> None:
    done = _json(loaded, "run", "--catch-up", "1")
    assert sorted(one["dataset"] for one in done) == sorted(topic.dataset for topic in TOPICS.values())


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (["summary"], "raw/user_attempts"),
        (["status"], "user_attempts"),
        (["cleanup", "--dry-run"], "would go"),
        (["validate", "user_attempts", "--days", "7"], "score"),
        (["report", "--days", "30"], "dataset"),
        (["report", "--days", "3000"], "user_attempts"),
        (["follow", "--rounds", "1"], ""),
    ],
)
def test_the_promised_commands_print_tables(loaded: dict[str, str], arguments: list[str], says: str) -> None:
    done = _run({**loaded, "COLUMNS": "200"}, *arguments)
    assert done.exit_code == 0, done.stderr
    assert says in done.stdout


@pytest.mark.parametrize("arguments", [["summary"], ["cleanup", "--dry-run"]])
def test_a_terminal_has_room_for_the_names_of_tables(loaded: dict[str, str], arguments: list[str]) -> None:
    done = _run({**loaded, "COLUMNS": "80"}, *arguments)
    assert done.stdout.count("aggregated/daily_aggregations") == 2
    assert max(len(line) for line in done.stdout.splitlines()) <= 80


def test_summary_counts_what_is_held(loaded: dict[str, str]) -> None:
    held = {(one["zone"], one["table"]): one["rows"] for one in _json(loaded, "summary")}
    assert held["processed", "user_attempts"] == 100
    assert held["quarantine", "messages"] == 1


def test_status_tells_what_waits(loaded: dict[str, str]) -> None:
    assert {one["dataset"] for one in _json(loaded, "status")} == {topic.dataset for topic in TOPICS.values()}


def test_validate_checks_days(loaded: dict[str, str]) -> None:
    days = _json(loaded, "validate", "user_attempts", "--days", "2", "--until", "2024-03-05")
    assert [(one["day"], one["rows"], one["problems"]) for one in days] == [
        ("2024-03-03", 0, []),
        ("2024-03-04", 100, []),
    ]


def test_report_writes_a_page(loaded: dict[str, str], tmp_path: Path) -> None:
    page = tmp_path / "report.html"
    used = _json(loaded, "report", "--days", "2", "--until", "2024-03-05", "--html", str(page))
    figures = {one["dataset"]: one for one in used["datasets"]}["user_attempts"]
    assert (figures["rows"], figures["poison"]) == (100, 1)
    assert "<svg" in page.read_text()


def test_metrics_are_in_prometheus_form(loaded: dict[str, str]) -> None:
    text = _run(loaded, "metrics").stdout
    assert "# TYPE schoolhouse_lake_table_rows gauge" in text


def test_compact_tells_what_it_did(loaded: dict[str, str]) -> None:
    assert {one["table"] for one in _json(loaded, "compact")} >= {"user_attempts", "windows"}


@pytest.mark.parametrize(("provider", "word"), [("s3", "Transitions"), ("gcs", "SetStorageClass")])
def test_rules_for_a_bucket_move_files_and_expire_none(loaded: dict[str, str], provider: str, word: str) -> None:
    rules = _run(loaded | {"DATA_LAKE_PROVIDER": provider, "DATA_LAKE_BUCKET": "campus-lake"}, "lifecycle").stdout
    assert json.loads(rules)
    assert word in rules
    assert not {"Expiration", "Delete"} & set(re.findall(r"\w+", rules))


def test_a_directory_has_no_rules(loaded: dict[str, str]) -> None:
    refused = _run(loaded, "lifecycle").exception
    assert isinstance(refused, UsageError)
    assert "is a directory" in refused.message


def test_erase_reads_the_learner_from_standard_input(loaded: dict[str, str]) -> None:
    counted = _json(loaded, "erase", "--dry-run", input="learner-5\n")
    assert {one["table"]: one["rows"] for one in counted if one["zone"] == "processed"}["user_attempts"] == 6
    nobody = _run(loaded, "erase", input="\n").exception
    assert isinstance(nobody, UsageError)


def test_an_erasure_is_an_act_of_the_audit_log_without_the_learner(loaded: dict[str, str]) -> None:
    _json(loaded, "erase", input="learner-9000\n")  # nobody: the other tests count on everybody's rows
    engine = open_database(load_settings(data_dir=Path(loaded["SCHOOLHOUSE_DATA_DIR"])))
    [act] = AuditLog(engine).entries(action="erase learner from the lake")
    engine.dispose()
    assert (act.who, act.detail) == ("operator", "0 rows")
    assert "learner-9000" not in f"{act}"


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (["run", "--window", "yesterday"], "no time"),
        (["run", "--window", "2024-03-04T10:30"], "full hour"),
        (["run", "--window", "2024-03-04T10", "--dataset", "nope"], "nope"),
        (["validate", "nope"], "nope"),
        (["backfill", "--from", "2990-01-01", "--to", "2990-01-02"], "No window has begun"),
        (["run", "--window", "9999-12-31T23"], "outside the years 1970 to 2999"),
        (["backfill", "--from", "0001-01-01", "--to", "2024-01-01"], "outside the years 1970 to 2999"),
    ],
)
def test_bad_usage_is_explained(loaded: dict[str, str], arguments: list[str], says: str) -> None:
    done = _run(loaded, *arguments)
    assert says in str(done.exception)
    assert getattr(done.exception, "exit_code", 1) == 2


@pytest.mark.parametrize(
    "arguments",
    [
        ["report", "--days"],
        ["validate", "user_attempts", "--days"],
        ["fit", "--days"],
        ["status", "--hours"],
        ["run", "--catch-up"],
    ],
)
def test_a_span_of_more_than_a_hundred_years_is_bad_usage(loaded: dict[str, str], arguments: list[str]) -> None:
    assert _run(loaded, *arguments, "99999999").exit_code == 2


def test_a_report_that_cannot_be_written_is_told(loaded: dict[str, str], tmp_path: Path) -> None:
    page = tmp_path / "no such directory" / "report.html"
    assert (
        f"error: {page}: No such file"
        in Shell(tmp_path, **loaded).run("lake", "report", "--html", str(page), exit_code=1).stderr
    )
