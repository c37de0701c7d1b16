"""How far a run of `simulate statements` has come, in a file beside what it writes, so that `--resume` can go on.

A chunk is done when its lines are written (or loaded). The file holds how many are done, and how many bytes and lines
they made; it goes away at the end of the run. It is written about once a second, so what was written since is cut off,
or loaded again, which counts nothing twice. The truth about chunks that are done is counted anew, in a third of the
time that it takes to make them.
"""

from __future__ import annotations

import hashlib
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Final

import msgspec

from schoolhouse.errors import UsageError
from schoolhouse.simulate.campus import Plan
from schoolhouse.simulate.on_disk import writing_to
from schoolhouse.simulate.truth import Truth

_SAVE_SECONDS: Final = 1.0


class Journey:
    """A run on its way: chunks, lines and bytes so far, and the truth about them."""

    def __init__(self, plan: Plan, form: str, truth_target: str = "", *, resume: bool = False) -> None:
        self.truth = Truth(plan)
        self.chunks = self.lines = self.size_bytes = 0
        self._identity = hashlib.sha256(repr((plan, form)).encode()).hexdigest()
        is_local = truth_target and "://" not in truth_target
        self._path = Path(truth_target).with_name("resume.json") if is_local else None
        self._saved_at = time.monotonic()
        if resume:
            self._read()

    def _read(self) -> None:
        if not self._path:
            raise UsageError(
                "Only a run onto a disk of this machine can be resumed.",
                hint="Run it again without --resume: equal options make equal bytes.",
            )
        try:
            known: dict[str, Any] = msgspec.json.decode(self._path.read_bytes())
        except (OSError, msgspec.DecodeError):
            raise UsageError(f"There is no run to resume in {self._path.parent}.", hint="Leave out --resume.") from None
        if known["identity"] != self._identity:
            raise UsageError("The run to resume had other options.", hint="Give the same, or leave out --resume.")
        self.chunks, self.lines, self.size_bytes = known["chunks"], known["lines"], known["size_bytes"]

    def advance(self, lines: int, size_bytes: int) -> bool:
        """Another chunk is written; whether it is time to `save`."""
        self.chunks += 1
        self.lines += lines
        self.size_bytes += size_bytes
        return time.monotonic() - self._saved_at > _SAVE_SECONDS

    def save(self) -> None:
        """Remember how far the run has come."""
        if not self._path:
            return
        known = {
            "identity": self._identity,
            "chunks": self.chunks,
            "lines": self.lines,
            "size_bytes": self.size_bytes,
        }
        with writing_to(str(self._path)):
            self._path.parent.mkdir(parents=True, exist_ok=True)
            half = self._path.with_suffix(".part")
            half.write_bytes(msgspec.json.encode(known))
            half.replace(self._path)
        self._saved_at = time.monotonic()

    @contextmanager
    def under_way(self) -> Iterator[None]:
        """Forgets the run when it has come to its end, and before that an earlier one whose files it writes anew."""
        if self._path and not self.chunks:
            self._path.unlink(missing_ok=True)
        yield
        if self._path:
            self._path.unlink(missing_ok=True)
