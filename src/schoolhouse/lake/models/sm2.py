"""SM-2 (Wozniak, 1990): when a learner should repeat a question.

The easiness starts at 2.5. An answer graded 3 or better changes it by `0.1 - (5 - q)(0.08 + (5 - q) 0.02)`, never below
1.3; the interval is then 1 day, 6 days, and from the third time on the last interval times the new easiness, rounded
up. A worse answer starts the repetitions again from one day and leaves the easiness as it is.
"""

from __future__ import annotations

import math

from schoolhouse.lake.models.compiled import compiled

FIRST_EASINESS = 2.5
LEAST_EASINESS = 1.3
MOST_DAYS = 36_500  # a hundred years: no schedule needs more, and the type holds it


@compiled
def step(easiness: float, interval: int, repetitions: int, quality: int) -> tuple[float, int, int]:
    """Easiness, interval in days and repetitions after an answer of this quality (0 to 5)."""
    if quality < 3:
        return easiness, 1, 0
    short = 5 - quality
    easiness = max(LEAST_EASINESS, easiness + 0.1 - short * (0.08 + short * 0.02))
    if repetitions == 0:
        interval = 1
    elif repetitions == 1:
        interval = 6
    else:
        # The state is kept in single precision; its dust must not round a whole number of days up.
        interval = min(MOST_DAYS, math.ceil(interval * easiness - 1e-4))
    return easiness, interval, repetitions + 1
