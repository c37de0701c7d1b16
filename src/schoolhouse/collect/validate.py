"""Judges files of statements by the warehouse's own mapping, without loading them.

The mapping is SQL, so judging needs an engine: a throw-away embedded one, whose views keep the counts and the rejects
and nothing else. The verdicts are those of a load, since it is the same code that speaks.
"""

from __future__ import annotations

import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any, Final

from schoolhouse.collect.files import StatementFile, read_blocks
from schoolhouse.collect.ingest import OnProgress
from schoolhouse.errors import InputError
from schoolhouse.settings import Settings
from schoolhouse.warehouse import migrations
from schoolhouse.warehouse.connection import Warehouse, open_warehouse
from schoolhouse.warehouse.loads import Piece, start_load
from schoolhouse.warehouse.statements import statement

EXAMPLES_PER_FILE: Final = 20
PREVIEW_CHARACTERS: Final = 300

_KEPT_VIEWS: Final = frozenset({"extract_fields", "parse_ingest", "reject_lines", "count_lines"})


@dataclass(frozen=True)
class Example:
    """A rejected line: where it stands, why it is rejected, and how it begins."""

    line: int
    code: str
    preview: str


@dataclass
class FileVerdict:
    """What a load would make of one file. `lines` = `blank` + `accepted` + all of `rejected`."""

    file: str
    lines: int = 0
    blank: int = 0
    accepted: int = 0
    rejected: dict[str, int] = field(default_factory=dict)
    examples: list[Example] = field(default_factory=list)
    unreadable: str = ""

    @property
    def is_valid(self) -> bool:
        """Whether every line but the blank ones is a statement."""
        return not self.rejected and not self.unreadable

    def as_dict(self) -> dict[str, Any]:
        """The verdict as plain values."""
        return asdict(self)


def validate_files(
    settings: Settings, files: Sequence[StatementFile], *, on_progress: OnProgress | None = None
) -> Iterator[FileVerdict]:
    """The verdict on each file, one after the other: exact counts, and at most EXAMPLES_PER_FILE rejected lines."""
    with _throw_away_warehouse(settings) as warehouse:
        for file in files:
            yield _verdict(warehouse, file, on_progress)


@contextmanager
def _throw_away_warehouse(settings: Settings) -> Iterator[Warehouse]:
    with tempfile.TemporaryDirectory(prefix="schoolhouse-validate-") as folder:
        throw_away = settings.model_copy(
            update={
                "data_dir": Path(folder),
                "clickhouse_host": "",
                "clickhouse_cluster": "",
                "clickhouse_database": "default",
            }
        )
        with open_warehouse(throw_away, who="validate", must_exist=False) as warehouse:
            migrations.up(warehouse)
            views = warehouse.ask(statement("list_materialized_views"), why="validate")
            for (view,) in views.rows:
                if view not in _KEPT_VIEWS:
                    warehouse.run(f"DROP VIEW {view} SYNC", why="validate")
            yield warehouse


def _verdict(warehouse: Warehouse, file: StatementFile, on_progress: OnProgress | None) -> FileVerdict:
    verdict = FileVerdict(file.name)
    with start_load(warehouse, route="file", source=file.name) as load:
        seen = 0
        try:
            for block in read_blocks(file, max_line_bytes=warehouse.settings.max_line_bytes):
                load.add_pieces([Piece(block.lines, file.name, block.first_line)])
                if on_progress:
                    on_progress(file.name, block.read_bytes - seen)
                    seen = block.read_bytes
        except InputError as error:
            verdict.unreadable = error.message
    summary = load.summary
    verdict.lines, verdict.blank, verdict.accepted = summary.lines, summary.blank, summary.accepted
    verdict.rejected = dict(sorted(summary.rejected.items()))
    rows = warehouse.ask(
        statement("list_load_rejects"),
        {"load_id": load.load_id, "limit": EXAMPLES_PER_FILE, "characters": PREVIEW_CHARACTERS},
        why="validate",
    ).rows
    verdict.examples = [Example(int(line), str(code), str(preview)) for line, code, preview in rows]
    return verdict
