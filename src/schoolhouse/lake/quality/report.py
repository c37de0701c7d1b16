"""The report on a window's rows: a level, a score from 0 to 100, and every check.

The score of a dimension is 100 times the weighted mean, over its checks, of the share of units that passed; a critical
check weighs 8, an error 4, a warning 2, an info 1. The score of the window is the mean of the dimensions' scores.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Any, Literal

from schoolhouse.lake.quality.anomalies import RowAnomalies, Volume
from schoolhouse.lake.quality.checks import DIMENSIONS, LEVELS, WEIGHTS, Level, Result
from schoolhouse.lake.transform.datasets import dataset_of


@dataclass(frozen=True)
class QualityReport:
    """What `validate` found. It holds counts only: no value of any row, and so nobody's identity."""

    dataset: str
    window_start: datetime
    window_end: datetime
    rows: int
    results: tuple[Result, ...]
    row_anomalies: tuple[RowAnomalies, ...]
    volume: Volume

    @property
    def level(self) -> Level | Literal["ok"]:
        """The worst level at which a check failed."""
        found = {result.status for result in self.results}
        return next((level for level in LEVELS if level in found), "ok")

    @property
    def is_critical(self) -> bool:
        """Whether the window belongs into quarantine."""
        return self.level == "critical"

    @property
    def counts(self) -> dict[str, int]:
        """How many checks ended at each level, ok among them."""
        return {level: sum(result.status == level for result in self.results) for level in (*LEVELS, "ok")}

    @property
    def dimension_scores(self) -> dict[str, float]:
        """The score of each dimension that has checks."""
        scores: dict[str, float] = {}
        for dimension in DIMENSIONS:
            mine = [result for result in self.results if result.check.dimension == dimension]
            weight = sum(WEIGHTS[result.check.level] for result in mine)
            if mine:
                passed = sum(WEIGHTS[result.check.level] * (1 - result.share) for result in mine)
                scores[dimension] = 100 * passed / weight
        return scores

    @property
    def score(self) -> float:
        """The mean of the dimensions' scores."""
        scores = self.dimension_scores
        return sum(scores.values()) / len(scores) if scores else 100.0

    @property
    def schema_compliance(self) -> float:
        """The share of the dataset's columns that are there with their types, 0 to 1."""
        absent = sum(
            result.check.kind == "fact" and result.check.level == "critical" and bool(result.failed)
            for result in self.results
        )
        return 1 - absent / len(dataset_of(self.dataset).columns)

    @property
    def anomalies(self) -> int:
        """Unusual rows, and one more where the number of rows is unusual."""
        return sum(one.anomalies for one in self.row_anomalies) + self.volume.is_anomaly

    def as_json(self) -> dict[str, Any]:
        """Plain values, for a file or an answer."""
        return {
            "dataset": self.dataset,
            "window_start": self.window_start.isoformat(),
            "window_end": self.window_end.isoformat(),
            "rows": self.rows,
            "level": self.level,
            "score": round(self.score, 4),
            "dimension_scores": {name: round(score, 4) for name, score in self.dimension_scores.items()},
            "counts": self.counts,
            "schema_compliance": self.schema_compliance,
            "anomalies": self.anomalies,
            "checks": [result.as_json() for result in self.results],
            "row_anomalies": [one.as_json() for one in self.row_anomalies],
            "volume": self.volume.as_json(),
        }

    def as_html(self) -> str:
        """A page that needs nothing else."""
        from schoolhouse.lake.quality.page import page_of

        return page_of(self)
