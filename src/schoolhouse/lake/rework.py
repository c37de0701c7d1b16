"""Whether a window can be worked on again: only while all of its raw rows are there, for what it had is replaced.

Raw rows go sooner than what was made of them (DATA_LAKE_RAW_RETENTION_DAYS), and may be lost with a file. The ledger
knows how many a window had. Those of an erased learner are no loss: each erasure raises a number of the window in the
raw table.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import polars as pl

from schoolhouse.errors import LakeError
from schoolhouse.lake.clock import Window
from schoolhouse.lake.ledger import Ledger
from schoolhouse.lake.tables import Table, number_in
from schoolhouse.lake.zones import mapped_reads

if TYPE_CHECKING:
    from deltalake import DeltaTable

    from schoolhouse.lake.zones import Lake


def refuse_if_raw_rows_are_gone(lake: Lake, dataset: str, window: Window) -> None:
    """Nothing, where the window's raw rows are all there (or it never had any).

    Raises:
        LakeError: some are gone.
    """
    had = Ledger(lake).raw_rows(dataset, window)
    left = erased = 0
    if had and (opened := (raw := Table(lake, "raw", dataset)).open()) is not None:
        rows = raw.scan(opened)
        with mapped_reads(f"raw/{dataset}"):
            left = 0 if rows is None else rows.filter(window_start=window.start).select(pl.len()).collect().item()
        erased = number_in(opened, _erased(window))
    if left + erased < had:
        raise LakeError(
            f"The window {window} of {dataset} had {had} raw rows, of which {had - erased - left} are gone: "
            "working on it again would delete what was made of them.",
            hint=f"Raw rows are kept for DATA_LAKE_RAW_RETENTION_DAYS ({lake.settings.lake_raw_retention_days}).",
        )


def erasures(opened: DeltaTable, counts: pl.DataFrame) -> dict[str, int]:
    """The transactions by which a raw table remembers how many rows of each window were erased.

    Args:
        opened: the raw table.
        counts: `window_start` and `len`, the rows that are about to be erased.
    """
    names = {_erased(Window(start)): count for start, count in counts.select("window_start", "len").iter_rows()}
    return {name: number_in(opened, name) + count for name, count in names.items()}


def _erased(window: Window) -> str:
    return f"erased {window}"
