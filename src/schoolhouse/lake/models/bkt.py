"""Bayesian knowledge tracing (Corbett and Anderson, 1995): the chance that a learner knows a topic.

A learner knows the topic or does not; who knows it slips with chance `slip`, who does not guesses with chance `guess`.
The answer moves the chance of knowing by Bayes' rule, and then the learner learns with chance `learn`.
"""

from __future__ import annotations

from schoolhouse.lake.models.compiled import compiled

PRIOR, LEARN, GUESS, SLIP = 0.3, 0.1, 0.2, 0.1  # of a topic that nobody has fitted


@compiled
def step(known: float, correct: bool, learn: float, guess: float, slip: float) -> float:
    """The chance of knowing after an answer."""
    if correct:
        likely, unlikely = known * (1 - slip), (1 - known) * guess
    else:
        likely, unlikely = known * slip, (1 - known) * (1 - guess)
    given = likely / (likely + unlikely) if likely + unlikely > 0 else known
    return given + (1 - given) * learn
