"""Inventory runs from the manifest to the events."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from schoolhouse.warehouse.connection import Warehouse
from tests.backfill.conftest import Lab
from tests.etl.conftest import count_events, video

Put = Callable[..., str]
server_only = pytest.mark.parametrize("handle", ["server"], indirect=True)


def keys_of(put: Put, *, count: int, section: int = 1, lines: int = 3, start: int = 0) -> list[str]:
    """Put bundles, a few statements each."""
    keys = []
    for number in range(start, start + count):
        key = f"section/{section}/video/2024-01-{1 + number % 28:02}T12-00-00.000Z_b ü+{number}.jsonl"
        put(key, [video(number * lines + each, section=section) for each in range(lines)])
        keys.append(key)
    return keys


@pytest.mark.parametrize("form", ["CSV", "Parquet", "ORC"])
def test_what_an_inventory_lists_is_loaded(
    lab: Lab, put: Put, put_inventory: Put, tables: Warehouse, form: str
) -> None:
    keys = keys_of(put, count=7)
    put_inventory([keys[:4], keys[4:]], form=form)
    run = lab.run("inventory", batch_chunk_size=3)
    assert (run["status"], run["error"]) == ("completed", "")
    assert count_events(tables) == 21
    assert (run["total_objects"], run["loaded_objects"], run["rows_written"]) == (7, 7, 21)
    assert [batch["chunk_sequence"] for batch in run["batches"]] == [2, 1]
