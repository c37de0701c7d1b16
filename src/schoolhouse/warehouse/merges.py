"""Puts the merging of parts off while a large load comes into the embedded engine, and lets it happen in pauses.

To merge what comes in takes as long as to bring it in, and needs memory of its own. So nothing is merged while files
are read; after some gigabytes the load waits until parts are merged, since inserts into a month with a thousand parts
are slowed down. Memory that the engine has freed goes back before each file, so that a long load needs no more of it
than a short one. A server's merges are not ours to put off.
"""

from __future__ import annotations

import time
from typing import Final

from schoolhouse.warehouse.connection import Warehouse
from schoolhouse.warehouse.statements import statement

_LEAST_BYTES: Final = 256 << 20  # smaller loads leave few parts
_PAUSE_BYTES: Final = 8 << 30  # after so many nothing comes in until parts are merged
_MOST_BYTES: Final = 32 << 30  # of one file, within which there is no pause
_QUIET_SECONDS: Final = 3  # so long without a merge means that there is nothing to merge
_WAIT_SECONDS: Final = 1800  # as long as is waited for that, where others bring in more meanwhile
_WHY: Final = "load"


class HeldMerges:
    """The merges of one load of `read_bytes` in files that the engine reads by itself."""

    def __init__(self, warehouse: Warehouse, read_bytes: int) -> None:
        self._warehouse = warehouse
        self._is_large = warehouse.is_embedded and read_bytes >= _LEAST_BYTES
        self._held_bytes = 0  # read since parts were merged

    def before_file(self, size_bytes: int) -> None:
        """Make ready for a file of so many bytes: merge what has come, if it is time, and put further merges off."""
        if not self._is_large:
            return
        self._give_memory_back()
        if self._held_bytes and self._held_bytes + size_bytes > _PAUSE_BYTES:
            self.release()
            self._wait()
            self._give_memory_back()
        if size_bytes <= _MOST_BYTES:
            if not self._held_bytes:
                self._warehouse.run(statement("stop_merges"), why=_WHY)
            self._held_bytes += size_bytes

    def release(self) -> None:
        """Let parts be merged again."""
        if self._held_bytes:
            self._warehouse.run(statement("start_merges"), why=_WHY)
            self._held_bytes = 0

    def _wait(self) -> None:
        seconds, until = 0, time.monotonic() + _WAIT_SECONDS
        while seconds < _QUIET_SECONDS and time.monotonic() < until:
            time.sleep(1)
            merges = self._warehouse.ask(statement("count_merges"), why=_WHY).value()
            seconds = 0 if merges else seconds + 1

    def _give_memory_back(self) -> None:
        if self._warehouse.ask(statement("has_jemalloc"), why=_WHY).value():
            self._warehouse.run(statement("purge_memory"), why=_WHY)
