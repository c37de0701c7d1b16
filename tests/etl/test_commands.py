"""`schoolhouse etl`: the documents' payloads by argument, file and standard input, and the exit codes."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from schoolhouse.cli import app
from schoolhouse.errors import PayloadError, SettingsError
from schoolhouse.settings import Settings, environment_name
from tests.etl.conftest import KEY, video
from tests.ministack import Aws

Put = Callable[..., str]
pytestmark = [
    pytest.mark.parametrize("reader", ["native"], indirect=True),
    pytest.mark.parametrize("handle", ["server"], indirect=True),
]
_NAMES = (
    "clickhouse_host",
    "clickhouse_port",
    "clickhouse_database",
    "aws_endpoint_url",
    "s3_bucket",
    "queue_url",
    "failure_queue_url",
)


@pytest.fixture(autouse=True)
def environment(etl_settings: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    """The environment as an operator would set it."""
    for name in _NAMES:
        monkeypatch.setenv(environment_name(name), str(getattr(etl_settings, name)))


def run(*words: str, stdin: str = "", code: int = 0) -> Any:
    """The JSON that a command prints."""
    result = CliRunner().invoke(app, ["etl", *words, "--json"], input=stdin)
    assert result.exit_code == code, (result.output, result.exception)
    return json.loads(result.stdout)


def test_an_event_comes_by_argument_file_or_standard_input(put: Put, bucket: str, tmp_path: Path) -> None:
    put(KEY, [video(1), video(2)])
    payload = json.dumps({"bucket": bucket, "key": KEY})
    (tmp_path / "event.json").write_text(payload)
    assert run("event", payload)["events_new"] == 2
    assert run("event", str(tmp_path / "event.json"))["events_new"] == 0
    assert run("event", "-", stdin=payload)["video_events_processed"] == 2


def test_an_event_that_fails_exits_1(bucket: str) -> None:
    answer = run("event", json.dumps({"bucket": bucket, "key": KEY}), code=1)
    assert answer["errors"][0]["code"] == "object_missing"


@pytest.mark.parametrize("payload", ["no-such-file.json", "{", '{"mode": "other"}'])
def test_a_payload_that_cannot_be_read_is_bad_usage(payload: str) -> None:
    result = CliRunner().invoke(app, ["etl", "event", payload])
    assert isinstance(result.exception, PayloadError)
    assert result.exception.exit_code == 2


def test_bulk_runs_as_the_documents_say(put: Put) -> None:
    put(KEY, [video(1), video(2)])
    words = ["bulk", "--section", "123", "--start", "2024-01-01", "--end", "2024-12-31"]
    assert run(*words, "--dry-run")["estimated_statements"] == 2
    assert run(*words)["events_new"] == 2
    assert run(*words)["files_skipped"] == 1
    assert run(*words, "--force")["events_processed"] == 2


def test_health_and_diagnostics_answer(bucket: str) -> None:
    assert run("health")["status"] == "healthy"
    assert run("health", "--diagnostics")["body"]["s3"]["bucket"] == bucket


def test_the_worker_empties_the_queue_and_redrive_shows_the_dead(aws: Aws, queues: tuple[str, str]) -> None:
    aws.sqs.send_message(QueueUrl=queues[0], MessageBody="no json")
    assert run("worker", "--until-empty")["messages_done"] == 1
    assert [message["body"] for message in run("redrive")] == ["no json"]


def test_redrive_without_queues_says_what_to_set(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("FAILURE_DLQ_URL", "")
    result = CliRunner().invoke(app, ["etl", "redrive"])
    assert isinstance(result.exception, SettingsError)


def test_people_read_tables() -> None:
    result = CliRunner().invoke(app, ["etl", "health"])
    assert "healthy" in result.output
