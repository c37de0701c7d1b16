"""The slowest questions of late, kept by this process: the embedded engine has no query log of its own."""

from __future__ import annotations

import threading
import time
from collections import deque
from dataclasses import dataclass
from typing import Final

_KEPT: Final = 200
SLOW_SECONDS: Final = 0.5


@dataclass(frozen=True)
class SlowQuestion:
    """One question: `at` is UTC seconds since 1970; `outcome` is ok or the code of its error."""

    at: float
    who: str
    why: str
    seconds: float
    outcome: str


class SlowQuestions:
    """Remembers questions that took long, the newest last; older ones are forgotten."""

    def __init__(self) -> None:
        self._kept: deque[SlowQuestion] = deque(maxlen=_KEPT)
        self._lock = threading.Lock()

    def note(self, who: str, why: str, seconds: float, outcome: str = "ok") -> None:
        """Remember a question if it was slow."""
        if seconds >= SLOW_SECONDS:
            with self._lock:
                self._kept.append(SlowQuestion(time.time(), who, why, seconds, outcome))

    def slowest(self, limit: int = 20) -> list[SlowQuestion]:
        """The slowest of those remembered."""
        with self._lock:
            return sorted(self._kept, key=lambda question: -question.seconds)[:limit]
