"""Logs are one line an event, for people or for machines, without secrets."""

from __future__ import annotations

import json
import logging
from collections.abc import Iterator

import pytest

from schoolhouse.observe import configure_logging, query_tag, redact


@pytest.fixture(autouse=True)
def own_root_logger() -> Iterator[None]:
    """Put back what `configure_logging` changes."""
    root, ours = logging.getLogger(), logging.getLogger("schoolhouse")
    handlers, levels = root.handlers[:], (root.level, ours.level)
    yield
    root.handlers[:] = handlers
    root.setLevel(levels[0])
    ours.setLevel(levels[1])


@pytest.mark.parametrize(
    ("text", "secret"),
    [
        ("password=hunter2 and more", "hunter2"),
        ("CLICKHOUSE_PASSWORD: hunter2", "hunter2"),
        ('{"password": "hunter2", "a": 1}', "hunter2"),
        ("{'secret_access_key': 'wJalr/K7+x'}", "wJalr/K7+x"),
        ("aws_secret_access_key=wJalr/K7+x", "wJalr/K7+x"),
        ("api-key=abc123", "abc123"),
        ("?token=abc123&x=1", "abc123"),
        ("Authorization: Basic dXNlcjpwYXNz", "dXNlcjpwYXNz"),
        ("authorization=Bearer abc.def-ghi", "abc.def-ghi"),
        ("sent Bearer abcdefghijkl", "abcdefghijkl"),
        ("http://user:hunter2@db.example:8123/x", "hunter2"),
        ("actor mailto:ann.lee+x@campus.example did it", "ann.lee+x@campus.example"),
        ("learner ann@campus.example", "ann@campus.example"),
    ],
)
def test_what_looks_like_a_secret_is_replaced(text: str, secret: str) -> None:
    assert secret not in redact(text)
    assert "[redacted" in redact(text)


@pytest.mark.parametrize(
    "text",
    [
        "loaded 10 lines of s3://bucket/key.jsonl in 0.2 s",
        "SELECT count() FROM raw_events WHERE section_id = 7",
        "http://localhost:8123/ping",
        "12:30:45 tokens counted, passwords unchanged",
    ],
)
def test_other_text_is_left_alone(text: str) -> None:
    assert redact(text) == text


def test_json_logs_are_one_object_a_line(capsys: pytest.CaptureFixture[str]) -> None:
    configure_logging("INFO", "json")
    facts = {"lines": 10, "seconds": 0.2, "is_new": True, "source": "a@b.example"}
    logging.getLogger("schoolhouse.etl").info("loaded\n%s with token=abc", "ü", extra=facts)
    lines = capsys.readouterr().err.splitlines()
    assert len(lines) == 1
    entry = json.loads(lines[0])
    assert entry.pop("time").endswith("+00:00")
    assert entry == {
        "level": "INFO",
        "logger": "schoolhouse.etl",
        "message": "loaded\nü with token=[redacted]",
        "lines": 10,
        "seconds": 0.2,
        "is_new": True,
        "source": "[redacted e-mail]",
    }


def test_text_logs_are_for_people(capsys: pytest.CaptureFixture[str]) -> None:
    configure_logging("DEBUG", "text")
    logging.getLogger("schoolhouse.etl").debug("loaded a file", extra={"lines": 10, "password": "hunter2"})
    line = capsys.readouterr().err
    assert line.endswith("DEBUG   loaded a file lines=10 password=[redacted]\n")


@pytest.mark.parametrize("log_format", ["text", "json"])
def test_tracebacks_are_redacted(capsys: pytest.CaptureFixture[str], log_format: str) -> None:
    configure_logging("INFO", log_format)
    try:
        raise ValueError("password=hunter2")  # noqa: TRY301
    except ValueError:
        logging.getLogger("schoolhouse").exception("failed")
    text = capsys.readouterr().err
    assert "Traceback" in text
    assert "hunter2" not in text


def test_levels_hold_for_us_and_warnings_for_others(capsys: pytest.CaptureFixture[str]) -> None:
    configure_logging("WARNING")
    logging.getLogger("schoolhouse").info("too quiet")
    logging.getLogger("urllib3").info("not ours")
    logging.getLogger("urllib3").warning("heard")
    text = capsys.readouterr().err
    assert "heard" in text
    assert "quiet" not in text
    assert "not ours" not in text


def test_a_query_tag_says_who_and_why() -> None:
    assert json.loads(query_tag("serve", 'a "chart"')) == {"app": "schoolhouse", "who": "serve", "why": 'a "chart"'}
