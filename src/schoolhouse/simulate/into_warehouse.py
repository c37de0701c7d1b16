"""A run straight into our own warehouse, as one load."""

from __future__ import annotations

import time
from collections.abc import Iterator
from pathlib import Path
from tempfile import NamedTemporaryFile
from typing import IO, Final

from schoolhouse.simulate.campus import Plan
from schoolhouse.simulate.resuming import Journey
from schoolhouse.simulate.truth import Truth
from schoolhouse.simulate.writing import Part, Progress, Written, parts_of, targets, write_truth
from schoolhouse.warehouse.connection import Warehouse
from schoolhouse.warehouse.loads import Load, LoadSummary, can_read_itself, start_load

SOURCE: Final = "simulated campus"
STATEMENT_BYTES: Final = 1_100  # about
BLOCK_BYTES: Final = 16_000_000  # of what is sent from memory
FILE_BYTES: Final = 256_000_000  # of what the engine reads at once: planning an insert takes a tenth of a second


def load_statements(
    warehouse: Warehouse, plan: Plan, *, workers: int = 0, on_progress: Progress | None = None
) -> tuple[LoadSummary, Truth]:
    """Load a run. A run that was cut off may be loaded again: a statement counts once."""
    journey = Journey(plan, "warehouse")
    return _loaded(warehouse, plan, journey, workers=workers, on_progress=on_progress), journey.truth


def _loaded(
    warehouse: Warehouse, plan: Plan, journey: Journey, *, workers: int, on_progress: Progress | None
) -> LoadSummary:
    read_bytes = plan.statements * STATEMENT_BYTES
    with start_load(warehouse, route="direct", source=SOURCE, read_bytes=read_bytes) as load:
        parts = _counted(parts_of(plan, "jsonl", workers=workers, skip=journey.chunks), journey)
        with NamedTemporaryFile(prefix="schoolhouse-campus-", suffix=".jsonl") as file:
            is_read = can_read_itself(warehouse, Path(file.name))
            stored = _read(load, parts, file, journey.lines) if is_read else _sent(load, parts, journey.lines)
            for lines, size_bytes in stored:
                if journey.advance(lines, size_bytes):
                    journey.save()
                if on_progress:
                    on_progress(journey.lines, journey.size_bytes)
    return load.summary


def _counted(parts: Iterator[Part], journey: Journey) -> Iterator[Part]:
    """The parts that are not stored yet; the truth takes in all."""
    done = journey.chunks
    for part in parts:
        journey.truth.add(part.chunk, part.tally)
        if part.chunk.index >= done:
            yield part


def _read(load: Load, parts: Iterator[Part], file: IO[bytes], lines: int) -> Iterator[tuple[int, int]]:
    """Bring parts in by a file that the embedded engine reads itself, at half the cost of sending them.

    `lines` stand before them. Gives the lines and bytes of each part when it is stored.
    """
    waiting: list[tuple[int, int]] = []

    def take_in() -> None:
        file.flush()
        load.add_file(Path(file.name), source_file=SOURCE, first_line=lines + 1)
        file.seek(0)
        file.truncate()

    for part in parts:
        file.write(part.data)
        waiting.append((part.lines, len(part.data)))
        if file.tell() >= FILE_BYTES:
            take_in()
            lines += sum(count for count, _ in waiting)
            yield from waiting
            waiting.clear()
    if waiting:
        take_in()
        yield from waiting


def _sent(load: Load, parts: Iterator[Part], lines: int) -> Iterator[tuple[int, int]]:
    """The same from memory, for a server and where actors are replaced on the way in."""
    for part in parts:
        for block in slices(part.data):
            lines += load.add_lines(block, source_file=SOURCE, first_line=lines + 1)
        yield part.lines, len(part.data)


def slices(lines: bytes) -> Iterator[bytes]:
    """Whole lines, some megabytes at a time: the engine needs a multiple of a block's size to map it."""
    at = 0
    while at < len(lines):
        end = lines.rfind(b"\n", at, at + BLOCK_BYTES) + 1
        end = end or lines.find(b"\n", at) + 1 or len(lines)  # a line longer than a block goes alone
        yield lines[at:end]
        at = end


def load_with_truth(
    warehouse: Warehouse,
    plan: Plan,
    out: str,
    *,
    workers: int = 0,
    resume: bool = False,
    on_progress: Progress | None = None,
) -> Written:
    """Load a run, or the rest of one, and write `truth.json` into the directory `out`."""
    started = time.monotonic()
    target = targets(f"{out.rstrip('/')}/", "jsonl")[1]
    journey = Journey(plan, "warehouse", target, resume=resume)
    with journey.under_way():
        summary = _loaded(warehouse, plan, journey, workers=workers, on_progress=on_progress)
        write_truth(journey.truth, target)
    return Written(
        out=f"warehouse (load {summary.load_id})",
        truth=target,
        statements=journey.truth.statements,
        lines=summary.lines,
        size_bytes=summary.bytes,
        seconds=time.monotonic() - started,
    )
