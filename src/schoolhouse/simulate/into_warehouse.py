"""A run straight into our own warehouse, as one load."""

from __future__ import annotations

import shutil
import time
from collections.abc import Generator, Iterator
from contextlib import closing
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Final

from schoolhouse.simulate.campus import Chunk, Plan, chunks_of
from schoolhouse.simulate.chunks import make_chunk, tally_chunk
from schoolhouse.simulate.resuming import Journey
from schoolhouse.simulate.truth import Tally, Truth
from schoolhouse.simulate.writing import Progress, Written, in_order, targets, write_truth
from schoolhouse.warehouse.connection import Warehouse
from schoolhouse.warehouse.loads import Load, LoadSummary, can_read_itself, start_load

SOURCE: Final = "simulated campus"
STATEMENT_BYTES: Final = 1_100  # about
BLOCK_BYTES: Final = 16_000_000  # of what is sent from memory
COPIED_BYTES: Final = 1_000_000
FILE_BYTES: Final = 256_000_000  # of what the engine reads at once: planning an insert takes a tenth of a second


@dataclass(frozen=True)
class StoredChunk:
    """A chunk as a file of lines, which the next process deletes."""

    chunk: Chunk
    path: Path
    lines: int
    size_bytes: int
    tally: Tally


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
    with (
        start_load(warehouse, route="direct", source=SOURCE, read_bytes=read_bytes) as load,
        TemporaryDirectory(prefix="schoolhouse-campus-") as directory,
        closing(_stored(plan, Path(directory), journey, workers=workers)) as chunks,
    ):
        gathered = Path(directory, "gathered.jsonl")
        gathered.touch()
        is_read = can_read_itself(warehouse, gathered)
        loaded = _read(load, chunks, gathered, journey.lines) if is_read else _sent(load, chunks, journey.lines)
        for lines, size_bytes in loaded:
            if journey.advance(lines, size_bytes):
                journey.save()
            if on_progress:
                on_progress(journey.lines, journey.size_bytes)
    return load.summary


def _stored(plan: Plan, directory: Path, journey: Journey, *, workers: int) -> Generator[StoredChunk]:
    """The chunks that are not loaded yet, as files of the directory; the truth takes in all."""
    done = journey.chunks
    with closing(in_order(partial(_made, plan, directory, done), chunks_of(plan), workers=workers)) as made:
        for stored in made:
            journey.truth.add(stored.chunk, stored.tally)
            if stored.chunk.index >= done:
                yield stored


def _made(plan: Plan, directory: Path, skip: int, chunk: Chunk) -> StoredChunk:
    path = directory / f"{chunk.index}.jsonl"
    if chunk.index < skip:
        return StoredChunk(chunk, path, 0, 0, tally_chunk(plan, chunk))
    lines = make_chunk(plan, chunk)
    # A file and not bytes: a process that is handed megabytes a hundred times a minute holds ever more of them.
    with path.open("wb") as file:
        for block in lines.blocks():
            file.write(block)
        return StoredChunk(chunk, path, len(lines), file.tell(), lines.tally)


def _read(load: Load, chunks: Iterator[StoredChunk], gathered: Path, lines: int) -> Iterator[tuple[int, int]]:
    """Bring chunks in by a file that the embedded engine reads itself, at half the cost of sending them.

    `lines` stand before them. Gives the lines and bytes of each chunk when it is loaded.
    """
    waiting: list[tuple[int, int]] = []

    def take_in() -> None:
        file.flush()
        load.add_file(gathered, source_file=SOURCE, first_line=lines + 1)
        file.seek(0)
        file.truncate()

    with gathered.open("wb") as file:
        for stored in chunks:
            with stored.path.open("rb") as part:
                shutil.copyfileobj(part, file, COPIED_BYTES)
            stored.path.unlink()
            waiting.append((stored.lines, stored.size_bytes))
            if file.tell() >= FILE_BYTES:
                take_in()
                lines += sum(count for count, _ in waiting)
                yield from waiting
                waiting.clear()
        if waiting:
            take_in()
            yield from waiting


def _sent(load: Load, chunks: Iterator[StoredChunk], lines: int) -> Iterator[tuple[int, int]]:
    """The same from memory, for a server and where actors are replaced on the way in."""
    for stored in chunks:
        for block in slices(stored.path.read_bytes()):
            lines += load.add_lines(block, source_file=SOURCE, first_line=lines + 1)
        stored.path.unlink()
        yield stored.lines, stored.size_bytes


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
