"""Item response theory: a learner's ability in a topic, kept up to date answer by answer.

The two-parameter logistic model (Birnbaum, 1968) gives a right answer the chance `1 / (1 + exp(-a (ability - b)))`,
with the question's discrimination `a` and difficulty `b`. The ability is a normal belief, mean and standard deviation,
that starts at 0 and 1. An answer moves it by one step of Newton's method on the logarithm of the posterior, the filter
of Fahrmeir (1992): the precision grows by the information `a² p (1 - p)`, the mean by `variance · a · (answer - p)`.
Before each answer the variance grows by `DRIFT²`, because learners change.
"""

from __future__ import annotations

import math

from schoolhouse.lake.models.compiled import compiled

FIRST_ABILITY, FIRST_DEVIATION = 0.0, 1.0
DRIFT = 0.05  # logits an answer
DISCRIMINATION, DIFFICULTY = 1.0, 0.0  # of a question that nobody has fitted


@compiled
def chance(ability: float, discrimination: float, difficulty: float) -> float:
    """The chance of a right answer."""
    return 1.0 / (1.0 + math.exp(-discrimination * (ability - difficulty)))


@compiled
def step(
    ability: float, deviation: float, correct: bool, discrimination: float, difficulty: float
) -> tuple[float, float]:
    """Ability and its standard deviation after an answer."""
    variance = min(deviation * deviation + DRIFT * DRIFT, FIRST_DEVIATION * FIRST_DEVIATION)
    right = chance(ability, discrimination, difficulty)
    variance = 1.0 / (1.0 / variance + discrimination * discrimination * right * (1.0 - right))
    answer = 1.0 if correct else 0.0
    return ability + variance * discrimination * (answer - right), math.sqrt(variance)
