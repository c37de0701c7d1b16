"""Logs without secrets, and the tags that queries carry.

Logs are one line an event: text for people, or one JSON object a line (`LOG_FORMAT=json`). Facts ride in `extra`:
`log.info("loaded a file", extra={"lines": 10, "seconds": 0.2})`. A filter on the root handler replaces whatever looks
like a credential or an e-mail address before anything is written.
"""

from __future__ import annotations

import json
import logging
import re
import sys
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any, Final

_STANDARD = frozenset(vars(logging.makeLogRecord({}))) | {"message", "asctime", "taskName"}

_REDACTIONS: Final = (
    # key=value, key: value and "key": "value" for keys that name a credential
    (
        re.compile(
            r"(?i)((?:[\w-]*(?:password|passwd|secret|token|api[_-]?key|access[_-]?key|authorization))"
            r"[\"']?\s*[=:]\s*[\"']?)(?:(?:basic|bearer)\s+)?[^\s\"',;&)]+"
        ),
        r"\1[redacted]",
    ),
    (re.compile(r"(?i)\b(basic|bearer)\s+[A-Za-z0-9._~+/=-]{8,}"), r"\1 [redacted]"),
    (re.compile(r"://[^/\s:@]+:[^/\s@]+@"), "://[redacted]@"),
    (re.compile(r"(?:mailto:)?[\w.+-]+@[\w-]+(?:\.[\w-]+)+"), "[redacted e-mail]"),
)


def redact(text: str) -> str:
    """The text with credentials and e-mail addresses replaced."""
    for pattern, replacement in _REDACTIONS:
        text = pattern.sub(replacement, text)
    return text


def query_tag(who: str, why: str, scope: Mapping[str, Any] | None = None) -> str:
    """The `log_comment` of a query: JSON, so that `system.query_log` can be asked by person and purpose.

    `who` is an account or a command, never a learner. `scope` is the platform and the section or project to which a
    question is held.
    """
    tag: dict[str, Any] = {"app": "schoolhouse", "who": who, "why": why}
    if scope:
        tag["scope"] = dict(scope)
    return json.dumps(tag, separators=(",", ":"))


def _facts(record: logging.LogRecord) -> dict[str, object]:
    return {key: value for key, value in vars(record).items() if key not in _STANDARD}


class TextFormatter(logging.Formatter):
    """`12:00:01 INFO loaded a file lines=10 seconds=0.2`."""

    def format(self, record: logging.LogRecord) -> str:
        """One line (more with a traceback), redacted."""
        time = datetime.fromtimestamp(record.created, UTC).strftime("%H:%M:%S")
        facts = " ".join(f"{key}={value}" for key, value in _facts(record).items())
        line = f"{time} {record.levelname:7} {record.getMessage()} {facts}".rstrip()
        if record.exc_info:
            line += "\n" + self.formatException(record.exc_info)
        return redact(line)


class JsonFormatter(logging.Formatter):
    """One JSON object a line: time, level, logger, message, then the facts."""

    def format(self, record: logging.LogRecord) -> str:
        """One JSON object, its strings redacted."""
        facts = {
            key: value if isinstance(value, int | float | bool) else str(value) for key, value in _facts(record).items()
        }
        entry: dict[str, object] = {
            "time": datetime.fromtimestamp(record.created, UTC).isoformat(timespec="milliseconds"),
            "level": record.levelname,
            "logger": record.name,
            "message": record.getMessage(),
            **facts,
        }
        if record.exc_info:
            entry["exception"] = self.formatException(record.exc_info)
        return json.dumps(
            {key: redact(value) if isinstance(value, str) else value for key, value in entry.items()},
            ensure_ascii=False,
        )


def configure_logging(level: str = "INFO", log_format: str = "text") -> None:
    """Send Schoolhouse's logs to standard error at `level`; other libraries from WARNING on."""
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(JsonFormatter() if log_format == "json" else TextFormatter())
    root = logging.getLogger()
    root.handlers[:] = [handler]
    root.setLevel(logging.WARNING)
    logging.getLogger("schoolhouse").setLevel(level)
