"""What a check is, and what came of it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Literal

import polars as pl

Level = Literal["critical", "error", "warning", "info"]
Dimension = Literal["completeness", "accuracy", "consistency", "timeliness", "validity"]
Kind = Literal["not_null", "rule", "distinct", "fresh", "fact"]

LEVELS: tuple[Level, ...] = ("critical", "error", "warning", "info")
DIMENSIONS: tuple[Dimension, ...] = ("completeness", "accuracy", "consistency", "timeliness", "validity")
WEIGHTS: dict[Level, int] = {"critical": 8, "error": 4, "warning": 2, "info": 1}


@dataclass(frozen=True)
class Check:
    """One check. It fails at its level when more than `tolerance` of the rows fail.

    `given` is what the kind needs: an expression that is true of good rows, a greatest age and when it is measured, or,
    for a fact about the whole window, whether it holds.
    """

    name: str
    about: str
    dimension: Dimension
    level: Level
    kind: Kind
    columns: tuple[str, ...] = ()
    given: Any = None
    tolerance: float = 0.0


@dataclass(frozen=True)
class Result:
    """What came of a check: units are rows, or 1 for a fact about the whole window."""

    check: Check
    units: int
    failed: int

    @property
    def share(self) -> float:
        """Share of the units that failed."""
        return self.failed / self.units if self.units else 0.0

    @property
    def status(self) -> Level | Literal["ok"]:
        """The check's level where it failed; else ok. Failures within the tolerance are a warning at most."""
        if not self.failed:
            return "ok"
        if self.share > self.check.tolerance:
            return self.check.level
        return "ok" if self.check.level in {"info", "warning"} else "warning"

    def as_json(self) -> dict[str, Any]:
        """Plain values."""
        return {
            "name": self.check.name,
            "about": self.check.about,
            "dimension": self.check.dimension,
            "level": self.check.level,
            "columns": list(self.check.columns),
            "units": self.units,
            "failed": self.failed,
            "share": self.share,
            "tolerance": self.check.tolerance,
            "status": self.status,
        }


def not_null(column: str, level: Level, tolerance: float) -> Check:
    """A column has a value in every row."""
    return Check(
        f"{column} is there", "Has a value.", "completeness", level, "not_null", (column,), tolerance=tolerance
    )


def between(column: str, low: float, high: float, tolerance: float) -> Check:
    """A column lies within its bounds, which belong to the range."""
    about = f"Between {low:g} and {high:g}."
    holds = pl.col(column).is_between(low, high)
    return rule(f"{column} is in range", about, "validity", holds, tolerance=tolerance)


def in_set(column: str, values: tuple[str, ...], tolerance: float) -> Check:
    """A column has one of the known values."""
    about = f"One of {', '.join(values)}."
    return rule(f"{column} is known", about, "validity", pl.col(column).is_in(values), tolerance=tolerance)


def rule(
    name: str,
    about: str,
    dimension: Dimension,
    holds: pl.Expr,
    *,
    level: Level = "error",
    tolerance: float = 0.0,
) -> Check:
    """Something is true of every row; where a value is missing, completeness has said so already."""
    columns = tuple(dict.fromkeys(holds.meta.root_names()))
    return Check(name, about, dimension, level, "rule", columns, holds.fill_null(value=True), tolerance)


def fact(name: str, about: str, dimension: Dimension, level: Level, holds: bool) -> Check:
    """Something is true of the whole window."""
    return Check(name, about, dimension, level, "fact", given=holds)
