"""Loads files of statements into the warehouse: one load for all that a command names.

A large file of lines is read by the embedded engine itself. Everything else (small files, standard input, JSON arrays,
and any file on its way to a server) is read here in blocks and gathered until an insert is worth while.
"""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any, Final

from schoolhouse.collect.files import StatementFile, is_plain, read_blocks
from schoolhouse.errors import InputError
from schoolhouse.warehouse.connection import Warehouse
from schoolhouse.warehouse.loads import Gathered, Load, LoadSummary, Piece, can_read_itself, start_load
from schoolhouse.warehouse.statements import statement

log = logging.getLogger(__name__)

# Below this size, files share an insert.
_LARGE_FILE_BYTES: Final = 8 * 1024 * 1024
_POLL_SECONDS: Final = 0.25

OnProgress = Callable[[str, int], None]


@dataclass
class IngestReport:
    """What an ingest did. `unreadable` holds a message for each file that could not be read to its end."""

    files: int
    summary: LoadSummary
    unreadable: list[str] = field(default_factory=list)

    def as_dict(self) -> dict[str, Any]:
        """The load's accounts with the files beside them."""
        return {"files": self.files, **self.summary.as_dict(), "unreadable": self.unreadable}


def ingest_files(
    warehouse: Warehouse, files: Sequence[StatementFile], *, on_progress: OnProgress | None = None
) -> IngestReport:
    """Load every file; an unreadable one is reported and does not stop the others.

    `on_progress` is called with a file's name and the bytes read since the last call.
    """
    source = files[0].name if len(files) == 1 else f"{len(files)} files from {files[0].name}"
    read_bytes = sum(file.size_bytes for file in files if _is_for_the_engine(warehouse, file))
    with start_load(warehouse, route="file", source=source, read_bytes=read_bytes) as load:
        report = IngestReport(len(files), load.summary)
        gathered = Gathered(load)
        for file in files:
            try:
                if _is_for_the_engine(warehouse, file):
                    _load_by_engine(warehouse, load, file, on_progress)
                else:
                    _load_by_blocks(warehouse, gathered, file, on_progress)
            except InputError as error:
                log.warning("a file could not be read to its end", extra={"file": file.name})
                report.unreadable.append(error.message)
        gathered.flush()
    return report


def _is_for_the_engine(warehouse: Warehouse, file: StatementFile) -> bool:
    return (
        file.path is not None
        and file.layout == "lines"
        and file.size_bytes >= _LARGE_FILE_BYTES
        and can_read_itself(warehouse, file.path)
        and is_plain(file.path)  # a damaged archive, or a file that may not be read, would fail the whole insert
    )


def _load_by_engine(warehouse: Warehouse, load: Load, file: StatementFile, on_progress: OnProgress | None) -> None:
    assert file.path is not None  # noqa: S101 (for the type checker: only files with a path come here)
    if on_progress is None:
        load.add_file(file.path, source_file=file.name)
        return
    is_done = threading.Event()
    watcher = threading.Thread(target=_watch, args=(warehouse, file, is_done, on_progress), daemon=True)
    watcher.start()
    try:
        load.add_file(file.path, source_file=file.name)
    finally:
        is_done.set()
        watcher.join()


def _watch(warehouse: Warehouse, file: StatementFile, is_done: threading.Event, on_progress: OnProgress) -> None:
    """Report how far the engine has read, until it is done."""
    seen = 0
    with warehouse.reader() as reader:
        while not is_done.wait(_POLL_SECONDS):
            read = int(reader.ask(statement("read_insert_progress"), why="progress").value() or 0)
            if seen < read <= file.size_bytes:
                on_progress(file.name, read - seen)
                seen = read
    on_progress(file.name, file.size_bytes - seen)


def _load_by_blocks(
    warehouse: Warehouse, gathered: Gathered, file: StatementFile, on_progress: OnProgress | None
) -> None:
    seen = 0
    for block in read_blocks(file, max_line_bytes=warehouse.settings.max_line_bytes):
        gathered.add(Piece(block.lines, file.name, block.first_line))
        if on_progress:
            on_progress(file.name, block.read_bytes - seen)
            seen = block.read_bytes
