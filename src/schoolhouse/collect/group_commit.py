"""One commit for all who wait: the first caller to get through commits for everybody behind it.

In: items from many threads. Out: each caller's own result. No thread of its own and no timer: under low load an item is
committed alone and at once, under high load groups form while the commit before them runs.
"""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Generic, TypeVar

Item = TypeVar("Item")
Result = TypeVar("Result")


@dataclass
class _Waiting(Generic[Item, Result]):
    item: Item
    outcome: Result | Exception | None = None
    is_done: bool = False


class GroupCommit(Generic[Item, Result]):
    """Calls `commit` with as many items as wait, at most `limit`, one call at a time.

    `commit` returns one outcome an item, in order: a result, or an error that is raised to that item's caller. What
    `commit` raises itself is raised to all of them.
    """

    def __init__(self, commit: Callable[[Sequence[Item]], Sequence[Result | Exception]], *, limit: int) -> None:
        self._commit = commit
        self._limit = limit
        self._queue: deque[_Waiting[Item, Result]] = deque()
        self._lock = threading.Lock()

    def submit(self, item: Item) -> Result:
        """Commit the item, together with others; returns when that is done."""
        mine: _Waiting[Item, Result] = _Waiting(item)
        self._queue.append(mine)
        with self._lock:
            while not mine.is_done:
                self._commit_next()
        if isinstance(mine.outcome, Exception):
            raise mine.outcome
        return mine.outcome  # type: ignore[return-value] # is_done: the outcome is a Result

    def _commit_next(self) -> None:
        group = [self._queue.popleft() for _ in range(min(self._limit, len(self._queue)))]
        try:
            outcomes = self._commit([waiting.item for waiting in group])
        except Exception as error:
            outcomes = [error] * len(group)
        for waiting, outcome in zip(group, outcomes, strict=True):
            waiting.outcome = outcome
            waiting.is_done = True
