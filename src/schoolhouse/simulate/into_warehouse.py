"""A run straight into our own warehouse, as one load, without a file in between."""

from __future__ import annotations

import time
from collections.abc import Iterator

from schoolhouse.simulate.campus import Plan
from schoolhouse.simulate.resuming import Journey
from schoolhouse.simulate.truth import Truth
from schoolhouse.simulate.writing import Progress, Written, parts_of, targets, write_truth
from schoolhouse.warehouse.connection import Warehouse
from schoolhouse.warehouse.loads import LoadSummary, start_load

SOURCE = "simulated campus"
BLOCK_BYTES = 16_000_000


def load_statements(
    warehouse: Warehouse, plan: Plan, *, workers: int = 0, on_progress: Progress | None = None
) -> tuple[LoadSummary, Truth]:
    """Load a run. A run that was cut off may be loaded again: a statement counts once."""
    journey = Journey(plan, "warehouse")
    return _loaded(warehouse, plan, journey, workers=workers, on_progress=on_progress), journey.truth


def _loaded(
    warehouse: Warehouse, plan: Plan, journey: Journey, *, workers: int, on_progress: Progress | None
) -> LoadSummary:
    with start_load(warehouse, route="direct", source=SOURCE) as load:
        for part in parts_of(plan, "jsonl", workers=workers, skip=journey.chunks):
            lines = 0
            for block in slices(part.data):
                lines += load.add_lines(block, source_file=SOURCE, first_line=journey.lines + lines + 1)
            journey.truth.add(part.chunk, part.tally)
            if journey.advance(lines, len(part.data)):
                journey.save()
            if on_progress:
                on_progress(journey.lines, journey.size_bytes)
    return load.summary


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
