"""How good the rows of a window are: `validate` gives a `QualityReport`.

- `checks`     what a check is; levels, dimensions and weights
- `suites`     the checks of each dataset
- `anomalies`  unusual rows and unusual numbers of rows
- `validate`   runs a suite with pointblank
- `report`, `page`  the level, the score, and the report as JSON and HTML
"""

from __future__ import annotations

from schoolhouse.lake.quality.report import QualityReport
from schoolhouse.lake.quality.validate import validate

__all__ = ["QualityReport", "validate"]
