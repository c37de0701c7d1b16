"""A run straight into our own warehouse, as one load, without a file in between."""

from __future__ import annotations

import time

from schoolhouse.simulate.campus import Plan
from schoolhouse.simulate.truth import Truth
from schoolhouse.simulate.writing import Progress, Written, parts_of, targets, write_truth
from schoolhouse.warehouse.connection import Warehouse
from schoolhouse.warehouse.loads import LoadSummary, start_load

SOURCE = "simulated campus"


def load_statements(
    warehouse: Warehouse, plan: Plan, *, workers: int = 0, on_progress: Progress | None = None
) -> tuple[LoadSummary, Truth]:
    """Load a run. A run that was cut off may be loaded again: a statement counts once."""
    truth, lines, size = Truth(plan), 0, 0
    with start_load(warehouse, route="direct", source=SOURCE) as load:
        for part in parts_of(plan, "jsonl", workers=workers):
            load.add_lines(part.data, source_file=SOURCE, first_line=lines + 1)
            lines, size = lines + part.lines, size + len(part.data)
            truth.add(part.chunk, part.tally)
            if on_progress:
                on_progress(lines, size)
    return load.summary, truth


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
