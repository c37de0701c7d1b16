"""One commit for all who wait: of those who come during a commit, the first commits for all of them.

In: items from many threads. Out: each caller's own result. No thread of its own and no timer: under low load an item is
committed alone and at once, under high load groups form while the commit before them runs.
"""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Generic, TypeVar

Item = TypeVar("Item")
Result = TypeVar("Result")


@dataclass
class _Waiting(Generic[Item, Result]):
    item: Item
    outcome: Result | Exception | None = None
    is_done: bool = False
    called: threading.Event = field(default_factory=threading.Event)  # it is done, or its turn to commit


class GroupCommit(Generic[Item, Result]):
    """Calls `commit` with as many items as wait and together weigh no more than `limit`, one call at a time.

    `commit` returns one outcome an item, in order: a result, or an error that is raised to that item's caller. What
    `commit` raises itself is raised to all of them. An item that weighs more than `limit` is committed alone.
    """

    def __init__(
        self,
        commit: Callable[[Sequence[Item]], Sequence[Result | Exception]],
        *,
        limit: int,
        weigh: Callable[[Item], int] = lambda _: 1,
    ) -> None:
        self._commit = commit
        self._limit = limit
        self._weigh = weigh
        self._queue: deque[_Waiting[Item, Result]] = deque()
        self._is_committing = False
        self._lock = threading.Lock()

    def submit(self, item: Item) -> Result:
        """Commit the item, together with others; returns when that is done."""
        mine: _Waiting[Item, Result] = _Waiting(item)
        with self._lock:
            self._queue.append(mine)
            if not self._is_committing:
                self._is_committing = True
                mine.called.set()
        mine.called.wait()
        if not mine.is_done:
            self._commit_next()
        if isinstance(mine.outcome, Exception):
            raise mine.outcome
        return mine.outcome  # type: ignore[return-value] # is_done: the outcome is a Result

    def _commit_next(self) -> None:
        """Commit the first of the queue, which is the caller's own, and what goes with it; then call the next."""
        group = self._take_group()
        try:
            outcomes = self._commit([waiting.item for waiting in group])
        except Exception as error:
            outcomes = [error] * len(group)
        with self._lock:
            self._is_committing = bool(self._queue)
            if self._queue:
                self._queue[0].called.set()
        for waiting, outcome in zip(group, outcomes, strict=True):
            waiting.outcome = outcome
            waiting.is_done = True
            waiting.called.set()

    def _take_group(self) -> list[_Waiting[Item, Result]]:
        with self._lock:
            group = [self._queue.popleft()]
            weight = self._weigh(group[0].item)
            while self._queue and (weight := weight + self._weigh(self._queue[0].item)) <= self._limit:
                group.append(self._queue.popleft())
        return group
