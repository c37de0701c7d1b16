"""Statements of one kind, as columns: who, when, what fills the holes, and what the truth must know of them."""

from __future__ import annotations

from dataclasses import dataclass, field, replace

import numpy as np
from numpy.typing import NDArray

from schoolhouse.simulate.campus import Ints


@dataclass(frozen=True)
class Batch:
    """Statements of one kind. `visit` is -1 for what happens outside a visit."""

    kind: str
    event_type: str
    enrolment: Ints
    visit: Ints
    at_ms: Ints
    holes: dict[str, Ints] = field(default_factory=dict)  # which entry of the hole's table
    facts: dict[str, Ints] = field(default_factory=dict)  # item, right, out_of, video

    def only(self, kept: NDArray[np.bool_]) -> Batch:
        """The statements where `kept` is true."""
        return replace(
            self,
            enrolment=self.enrolment[kept],
            visit=self.visit[kept],
            at_ms=self.at_ms[kept],
            holes={name: column[kept] for name, column in self.holes.items()},
            facts={name: column[kept] for name, column in self.facts.items()},
        )

    def __len__(self) -> int:
        return len(self.at_ms)
