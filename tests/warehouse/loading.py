"""Loads lines as the program does, and reads back what became of each."""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from schoolhouse.warehouse.connection import Warehouse
from schoolhouse.warehouse.loads import LoadSummary, can_read_itself, start_load

Line = bytes | str | dict[str, Any]

# What a row says about its own keeping, and not about what was learnt.
BOOKKEEPING = {
    "event_id", "event_digest", "event_version", "source_file", "source_etag", "source_line", "load_id", "statement",
    "inserted_at", "is_conflict",
}  # fmt: skip


def as_bytes(line: Line) -> bytes:
    if isinstance(line, dict):
        return json.dumps(line, separators=(",", ":")).encode()
    return line.encode() if isinstance(line, str) else line


def statement(**parts: Any) -> dict[str, Any]:
    """A small valid statement; `parts` replace its parts, and a part that is `...` is left out."""
    whole = {
        "actor": {"account": {"homePage": "https://lms.example", "name": "learner-1"}},
        "verb": {"id": "https://verbs.example/tried"},
        "object": {"id": "https://lms.example/thing"},
        "timestamp": "2026-08-01T12:00:00Z",
    }
    return {name: part for name, part in (whole | parts).items() if part is not ...}


@dataclass(frozen=True)
class Loaded:
    """One load: its summary, and where to find its rows."""

    warehouse: Warehouse
    summary: LoadSummary
    source: str

    @property
    def counts(self) -> tuple[int, int, int]:
        """New, duplicate, conflict."""
        return self.summary.new, self.summary.duplicate, self.summary.conflict

    def events(self, columns: str = "*") -> dict[int, dict[str, Any]]:
        """Rows of raw_events by line."""
        sql = f"SELECT source_line AS line_number, {columns} FROM raw_events WHERE load_id = {{load:UInt64}}"
        answer = self.warehouse.ask(sql, {"load": int(self.summary.load_id)}, why="look")
        return {row.pop("line_number"): row for row in answer.dicts()}

    def rejects(self) -> dict[int, str]:
        """Codes by line."""
        sql = "SELECT source_line, code FROM rejected_statements FINAL WHERE load_id = {load:UInt64}"
        return dict(self.warehouse.ask(sql, {"load": int(self.summary.load_id)}, why="look").rows)  # type: ignore[arg-type]

    def verdicts(self, lines: int) -> list[str]:
        """'' for an event, a reject's code, or `blank`, for each line in order."""
        events, rejects = self.events("event_id"), self.rejects()
        assert not events.keys() & rejects.keys()
        return ["" if line in events else rejects.get(line, "blank") for line in range(1, lines + 1)]


def load_block(warehouse: Warehouse, block: bytes, *, source: str) -> Loaded:
    """Load bytes as they are, through memory."""
    with start_load(warehouse, route="file", source=source) as load:
        load.add_lines(block, source_file=source, first_line=1)
    return Loaded(warehouse, load.summary, source)


def load_lines(warehouse: Warehouse, lines: Iterable[Line], *, source: str) -> Loaded:
    """Load lines through memory."""
    return load_block(warehouse, b"\n".join(as_bytes(line) for line in lines), source=source)


def load_file(warehouse: Warehouse, path: Path, *, source: str = "") -> Loaded:
    """Load a plain file: the embedded engine reads it by itself, and a server gets its bytes."""
    source = source or str(path)
    if not can_read_itself(warehouse, path):
        return load_block(warehouse, path.read_bytes(), source=source)
    with start_load(warehouse, route="file", source=source) as load:
        load.add_file(path, source_file=source)
    return Loaded(warehouse, load.summary, source)


def told(row: dict[str, Any]) -> dict[str, Any]:
    """What a row says about the event: its columns less the bookkeeping and what is empty."""
    return {name: value for name, value in row.items() if name not in BOOKKEEPING and value not in (None, "")}


def value(warehouse: Warehouse, sql: str, /, **values: Any) -> Any:
    return warehouse.ask(sql, values, why="look").value()


def rows(warehouse: Warehouse, sql: str, /, **values: Any) -> Sequence[tuple[Any, ...]]:
    return warehouse.ask(sql, values, why="look").rows
