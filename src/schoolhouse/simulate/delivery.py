"""How a run of `load-db` reaches its targets: what a target can do, trying again, and remembering what is done."""

from __future__ import annotations

import hashlib
import json
import logging
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Final, Protocol, TypeVar

import numpy as np
import pyarrow as pa

from schoolhouse.errors import DeliveryError, SchoolhouseError
from schoolhouse.simulate.campus import Chunk, Ints, Plan, chunks_of
from schoolhouse.simulate.chunks import make_chunk
from schoolhouse.simulate.course_tables import Table
from schoolhouse.simulate.pieces import Bytes
from schoolhouse.simulate.truth import Tally
from schoolhouse.simulate.writing import in_order

Answer = TypeVar("Answer")
OnRows = Callable[[int], None]
ATTEMPTS: Final = 4
log = logging.getLogger("schoolhouse.simulate.load")


@dataclass(frozen=True)
class Delivered:
    """What was written of one dataset, and where."""

    dataset: str
    where: str
    rows: int
    size_bytes: int
    seconds: float
    note: str = ""


@dataclass(frozen=True)
class StatementBatch:
    """Some statements, in order."""

    index: int
    lines: pa.BinaryArray
    row_ids: Bytes
    at_micros: Ints


class Target(Protocol):
    """Where a run goes. A target takes tables whole, and statements whole or by batch."""

    def write_table(self, table: Table, on_rows: OnRows) -> Delivered:
        """Write one table."""
        ...

    def write_statements(self, plan: Plan, state: RunState, on_rows: OnRows) -> Delivered:
        """Write all statements."""
        ...

    def close(self) -> None:
        """Let go of connections."""
        ...


def with_retries(what: str, act: Callable[[], Answer], *, pause_seconds: float = 0.5) -> Answer:
    """Do it, and again after a pause if it fails in a way that may pass; the last failure is the caller's."""
    for attempt in range(1, ATTEMPTS):
        try:
            return act()
        except SchoolhouseError as error:
            if not error.is_retryable:
                raise
            log.warning("%s: %s Attempt %d of %d.", what, error.message, attempt, ATTEMPTS)
        time.sleep(pause_seconds * 2**attempt)
    return act()


class RunState:
    """What of a run is done, in a file beside its logs, so that `--resume` can go on."""

    def __init__(self, directory: Path, identity: str, *, resume: bool) -> None:
        self._path = directory / "load_db_state.json"
        self._identity = hashlib.sha256(identity.encode()).hexdigest()
        self._tables: set[str] = set()
        self._before = 0  # all batches below are done,
        self._besides: set[int] = set()  # and so are these
        if resume:
            self._read()

    def _read(self) -> None:
        try:
            known = json.loads(self._path.read_text())
        except (OSError, ValueError):
            raise DeliveryError(
                f"There is no run to resume in {self._path.parent}.", hint="Leave out --resume."
            ) from None
        if known["identity"] != self._identity:
            raise DeliveryError("The run to resume had another configuration.", hint="Leave out --resume.")
        self._tables = set(known["datasets"])
        self._before, self._besides = int(known["batches_before"]), set(known["batches_besides"])

    def is_done(self, dataset: str) -> bool:
        """Whether a dataset was written before."""
        return dataset in self._tables

    def has_batch(self, index: int) -> bool:
        """Whether a batch of statements was written before."""
        return index < self._before or index in self._besides

    def finish(self, dataset: str) -> None:
        """Remember a dataset."""
        self._tables.add(dataset)
        self._save()

    def finish_batch(self, index: int) -> None:
        """Remember a batch of statements."""
        self._besides.add(index)
        while self._before in self._besides:
            self._besides.remove(self._before)
            self._before += 1
        self._save()

    @property
    def batches(self) -> int:
        """How many batches are done."""
        return self._before + len(self._besides)

    def _save(self) -> None:
        self._path.parent.mkdir(parents=True, exist_ok=True)
        known = {
            "identity": self._identity,
            "datasets": sorted(self._tables),
            "batches_before": self._before,
            "batches_besides": sorted(self._besides),
        }
        half = self._path.with_suffix(".part")
        half.write_text(json.dumps(known))
        half.replace(self._path)


@dataclass(frozen=True)
class PlainChunk:
    """A chunk's statements with their ids and times."""

    chunk: Chunk
    lines: pa.BinaryArray
    row_ids: Bytes
    at_micros: Ints
    tally: Tally


def plain_chunk(plan: Plan) -> Callable[[Chunk], PlainChunk]:
    """What makes a chunk of the plan, as worker processes take it."""
    return partial(_plain, plan)


def _plain(plan: Plan, chunk: Chunk) -> PlainChunk:
    made = make_chunk(plan, chunk, "plain")
    return PlainChunk(chunk, made.lines, made.row_ids, made.at_micros, made.tally)


def batches_of(plan: Plan, size: int, is_done: Callable[[int], bool]) -> Iterator[StatementBatch]:
    """The statements of a run in batches of `size`, without those that are done.

    Batches run on over the borders of chunks; a chunk whose batches are all done is not made again.
    """
    starts = np.cumsum([0] + [chunk.statements for chunk in chunks_of(plan)])
    wanted = [
        chunk
        for chunk, start, end in zip(chunks_of(plan), starts, starts[1:], strict=False)
        if any(not is_done(index) for index in range(int(start) // size, -(-int(end) // size)))
    ]
    rest: PlainChunk | None = None
    at = 0  # number of the first statement in `rest`
    for part in in_order(plain_chunk(plan), wanted):
        start = int(starts[part.chunk.index])
        if rest is not None and at + len(rest.lines) == start:
            part = _joined(rest, part)
            start = at
        rest, at = part, start
        whole = -(-at // size) * size  # the first whole batch from here
        while whole + size <= at + len(part.lines):
            if not is_done(whole // size):
                yield _batch(part, whole // size, whole - at, size)
            whole += size
        rest, at = _tail(part, whole - at), whole
    if rest is not None and len(rest.lines) and not is_done(at // size):
        yield _batch(rest, at // size, 0, len(rest.lines))


def _joined(first: PlainChunk, second: PlainChunk) -> PlainChunk:
    return PlainChunk(
        second.chunk,
        pa.concat_arrays([first.lines, second.lines]),
        np.concatenate([first.row_ids, second.row_ids]),
        np.concatenate([first.at_micros, second.at_micros]),
        second.tally,
    )


def _tail(part: PlainChunk, first: int) -> PlainChunk:
    return PlainChunk(part.chunk, part.lines[first:], part.row_ids[first:], part.at_micros[first:], part.tally)


def _batch(part: PlainChunk, index: int, first: int, size: int) -> StatementBatch:
    rows = slice(first, first + size)
    return StatementBatch(index, part.lines[rows], part.row_ids[rows], part.at_micros[rows])
