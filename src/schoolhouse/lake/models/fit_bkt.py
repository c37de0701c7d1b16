"""The parameters of Bayesian knowledge tracing, from attempts: expectation maximization, one topic at a time.

The model is a hidden Markov chain with two states, of which knowing is never left; its parameters are found by the
algorithm of Baum and Welch (1970). Swapping the two states gives an equal likelihood, so guessing and slipping are held
under one half, where knowing means what it says.
"""

from __future__ import annotations

from typing import Any, TypeAlias

import numpy as np
import polars as pl
from numpy.typing import NDArray

from schoolhouse.lake.models import bkt
from schoolhouse.lake.models.compiled import compiled
from schoolhouse.lake.models.parameters import BKT_SCHEMA

Array: TypeAlias = NDArray[Any]

LEAST_ANSWERS = 200  # of a topic; with fewer the defaults are the better guess
_BOUNDS = np.array([[0.001, 0.999], [0.001, 0.999], [0.001, 0.499], [0.001, 0.499]])
_ROUNDS, _CLOSE = 300, 1e-6


def fit_bkt(attempts: pl.LazyFrame) -> pl.DataFrame:
    """Prior, learn, guess and slip of each topic, from rows of `user_attempts`.

    Topics with fewer than 200 answers are left out. `answers` and `log_likelihood` say how much is known.
    """
    rows = (
        attempts.filter(pl.col("correct").is_not_null())
        .select("user_id", "topic", "attempted_at", "event_id", "correct")
        .sort("topic", "user_id", "attempted_at", "event_id")
        .collect()
    )
    found = []
    for (topic,), part in rows.group_by("topic", maintain_order=True):
        if part.height < LEAST_ANSWERS:
            continue
        starts = np.flatnonzero((part["user_id"] != part["user_id"].shift()).fill_null(value=True).to_numpy())
        values, likelihood = fit_sequences(
            part["correct"].to_numpy().astype(np.int8), np.append(starts, part.height).astype(np.int64)
        )
        found.append((topic, *values.tolist(), part.height, likelihood))
    schema = BKT_SCHEMA | {"answers": pl.Int64(), "log_likelihood": pl.Float64()}
    return pl.DataFrame(found, schema=schema, orient="row")


def fit_sequences(right: NDArray[np.int8], edges: NDArray[np.int64]) -> tuple[NDArray[np.float64], float]:
    """Prior, learn, guess and slip of sequences of answers, and the logarithm of their likelihood.

    Sequence `n` is `right[edges[n]:edges[n + 1]]`.
    """
    values = np.array([bkt.PRIOR, bkt.LEARN, bkt.GUESS, bkt.SLIP])
    likelihood = -np.inf
    for _ in range(_ROUNDS):
        counts, now = _expected(right, edges, values)
        values = np.clip(counts[:, 0] / np.maximum(counts[:, 1], 1e-12), _BOUNDS[:, 0], _BOUNDS[:, 1])
        if now - likelihood < _CLOSE * len(right):
            return values, float(now)
        likelihood = now
    return values, float(likelihood)


@compiled
def _expected(right: Array, edges: Array, values: Array) -> tuple[Array, float]:
    """How often each parameter was at work, out of how many chances, and the log likelihood."""
    prior, learn, guess, slip = values[0], values[1], values[2], values[3]
    counts = np.zeros((4, 2))
    likelihood = 0.0
    longest = 0
    for number in range(len(edges) - 1):
        longest = max(longest, edges[number + 1] - edges[number])
    forward = np.empty((longest, 2))  # chances of not knowing and of knowing, given the answers so far
    seen = np.empty((longest, 2))  # chances of the answer, not knowing and knowing
    for number in range(len(edges) - 1):
        first, size = edges[number], edges[number + 1] - edges[number]
        before = np.array([1 - prior, prior])
        for at in range(size):
            is_right = right[first + at] == 1
            seen[at, 0] = guess if is_right else 1 - guess
            seen[at, 1] = 1 - slip if is_right else slip
            low, high = before[0] * seen[at, 0], before[1] * seen[at, 1]
            likelihood += np.log(low + high)
            forward[at, 0], forward[at, 1] = low / (low + high), high / (low + high)
            before[0] = forward[at, 0] * (1 - learn)
            before[1] = forward[at, 1] + forward[at, 0] * learn
        after = np.ones(2)
        for at in range(size - 1, -1, -1):
            knows = forward[at, 1] * after[1]
            knows /= knows + forward[at, 0] * after[0]
            is_right = right[first + at] == 1
            counts[2, 0] += (1 - knows) * is_right
            counts[2, 1] += 1 - knows
            counts[3, 0] += knows * (not is_right)
            counts[3, 1] += knows
            if at == 0:
                counts[0, 0] += knows
                counts[0, 1] += 1
                continue
            # Learning between this answer and the one before it.
            stays = forward[at - 1, 0] * (1 - learn) * seen[at, 0] * after[0]
            learns = forward[at - 1, 0] * learn * seen[at, 1] * after[1]
            knew = forward[at - 1, 1] * seen[at, 1] * after[1]
            total = stays + learns + knew
            counts[1, 0] += learns / total
            counts[1, 1] += (stays + learns) / total
            low = (1 - learn) * seen[at, 0] * after[0] + learn * seen[at, 1] * after[1]
            high = seen[at, 1] * after[1]
            after[0], after[1] = low / (low + high), high / (low + high)
    return counts, likelihood
