"""A run straight into our own warehouse, as one load, without a file in between."""

from __future__ import annotations

import time
from collections.abc import Iterator

from schoolhouse.simulate.campus import Plan
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
    truth, lines, size = Truth(plan), 0, 0
    with start_load(warehouse, route="direct", source=SOURCE) as load:
        for part in parts_of(plan, "jsonl", workers=workers):
            for block in slices(part.data):
                lines += load.add_lines(block, source_file=SOURCE, first_line=lines + 1)
                size += len(block)
            truth.add(part.chunk, part.tally)
            if on_progress:
                on_progress(lines, size)
    return load.summary, truth


def slices(lines: bytes) -> Iterator[bytes]:
    """Whole lines, some megabytes at a time: the engine needs a multiple of a block's size to map it."""
    at = 0
    while at < len(lines):
        end = lines.rfind(b"\n", at, at + BLOCK_BYTES) + 1
        end = end or lines.find(b"\n", at) + 1 or len(lines)  # a line longer than a block goes alone
        yield lines[at:end]
        at = end


def load_with_truth(
    warehouse: Warehouse, plan: Plan, out: str, *, workers: int = 0, on_progress: Progress | None = None
) -> Written:
    """Load a run and write `truth.json` into the directory `out`."""
    started = time.monotonic()
    summary, truth = load_statements(warehouse, plan, workers=workers, on_progress=on_progress)
    target = targets(f"{out.rstrip('/')}/", "jsonl")[1]
    write_truth(truth, target)
    return Written(
        out=f"warehouse (load {summary.load_id})",
        truth=target,
        statements=truth.statements,
        lines=summary.lines,
        size_bytes=summary.bytes,
        seconds=time.monotonic() - started,
    )
