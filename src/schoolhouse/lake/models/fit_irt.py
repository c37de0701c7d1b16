"""The parameters of the two-parameter logistic model, from attempts: marginal maximum likelihood (Bock, Aitkin, 1981).

Each learner has one ability in each topic, drawn from a standard normal distribution; it is summed over 31 points
(expectation), and each question's discrimination and difficulty are found by Newton's method (maximization). Weak
priors (log discrimination around 0 with deviation 0.5, difficulty around 0 with deviation 2) keep questions that
everybody, or nobody, answers right at finite places. Of each learner and question the first attempt counts: later ones
are easier for having been tried.

The scale is that of the learners: ability 0 is what they can do on average while they answer, and 1 is the deviation
between them.
"""

from __future__ import annotations

from typing import Any, TypeAlias

import numpy as np
import polars as pl
from numpy.typing import NDArray

from schoolhouse.lake.models.compiled import compiled
from schoolhouse.lake.models.parameters import IRT_SCHEMA

Floats: TypeAlias = NDArray[np.float64]
Array: TypeAlias = NDArray[Any]

LEAST_ANSWERS = 30  # of a question; with fewer the defaults are the better guess
POINTS = np.linspace(-5, 5, 31)
_ROUNDS, _CLOSE = 200, 1e-3
_LOG_SPREAD, _DIFFICULTY_SPREAD = 0.5, 2.0


def fit_irt(attempts: pl.LazyFrame) -> pl.DataFrame:
    """Discrimination and difficulty of each question, from rows of `user_attempts`.

    Questions with fewer than 30 answers are left out. `answers` says how many there were.
    """
    rows = (
        attempts.filter(pl.col("correct").is_not_null() & pl.col("item_id").is_not_null())
        .select("user_id", "topic", "item_id", "attempted_at", "event_id", "correct")
        .sort("attempted_at", "event_id")
        .unique(["user_id", "item_id"], keep="first", maintain_order=True)
        .with_columns(answers=pl.len().over("item_id"))
        .filter(pl.col("answers") >= LEAST_ANSWERS)
        .select(
            pl.struct("user_id", "topic").rank("dense").alias("person") - 1,
            pl.col("item_id").rank("dense").alias("item") - 1,
            "item_id",
            "correct",
            "answers",
        )
        .sort("person")
        .collect()
    )
    schema = IRT_SCHEMA | {"answers": pl.Int64()}
    if not rows.height:
        return pl.DataFrame(schema=schema)
    names = rows.unique("item").sort("item")
    found = fit_responses(
        rows["person"].cast(pl.Int64).to_numpy(),
        rows["item"].cast(pl.Int64).to_numpy(),
        rows["correct"].cast(pl.Int8).to_numpy(),
    )
    return names.select(
        "item_id", discrimination=pl.Series(found[:, 0]), difficulty=pl.Series(found[:, 1]), answers="answers"
    ).cast(dict(schema))  # type: ignore[arg-type]


def fit_responses(person: NDArray[np.int64], item: NDArray[np.int64], right: NDArray[np.int8]) -> Floats:
    """Discrimination and difficulty of each question; responses are in order of the person."""
    items = int(item.max()) + 1
    share = np.clip(np.bincount(item, weights=right, minlength=items) / np.bincount(item, minlength=items), 0.02, 0.98)
    found = np.column_stack([np.ones(items), -np.log(share / (1 - share))])
    edges = np.append(np.flatnonzero(np.diff(person, prepend=-1)), len(person))
    for _ in range(_ROUNDS):
        chances = 1 / (1 + np.exp(-found[:, :1] * (POINTS[None, :] - found[:, 1:])))
        tried, solved = _expected(edges, item, right, np.log(chances), np.log1p(-chances))
        moved = _maximized(found, tried, solved)
        if np.abs(moved - found).max() < _CLOSE:
            return moved
        found = moved
    return found


@compiled
def _expected(edges: Array, item: Array, right: Array, yes: Array, no: Array) -> tuple[Array, Array]:
    """For each question and point of ability, how many such learners tried it, and how many of them solved it."""
    points = yes.shape[1]
    tried, solved = np.zeros(yes.shape), np.zeros(yes.shape)
    for number in range(len(edges) - 1):
        belief = -(POINTS**2) / 2
        for row in range(edges[number], edges[number + 1]):
            belief = belief + (yes[item[row]] if right[row] == 1 else no[item[row]])
        weight = np.exp(belief - belief.max())
        weight /= weight.sum()
        for row in range(edges[number], edges[number + 1]):
            for point in range(points):
                tried[item[row], point] += weight[point]
                if right[row] == 1:
                    solved[item[row], point] += weight[point]
    return tried, solved


def _maximized(found: Floats, tried: Floats, solved: Floats) -> Floats:
    """Some steps of Newton's method for all questions at once, in log discrimination and difficulty."""
    log_a, b = np.log(found[:, 0]), found[:, 1].copy()
    for _ in range(5):
        a = np.exp(log_a)[:, None]
        apart = POINTS[None, :] - b[:, None]
        chance = 1 / (1 + np.exp(-a * apart))
        error, information = solved - tried * chance, tried * chance * (1 - chance)
        slope_a = (error * a * apart).sum(1) - log_a / _LOG_SPREAD**2
        slope_b = (-a * error).sum(1) - b / _DIFFICULTY_SPREAD**2
        # The expected curvature (Fisher scoring) is never negative, so every step goes uphill.
        curve_aa = (information * (a * apart) ** 2).sum(1) + 1 / _LOG_SPREAD**2
        curve_bb = (information * a**2).sum(1) + 1 / _DIFFICULTY_SPREAD**2
        curve_ab = -(information * a**2 * apart).sum(1)
        determinant = curve_aa * curve_bb - curve_ab**2
        log_a += np.clip((curve_bb * slope_a - curve_ab * slope_b) / determinant, -0.5, 0.5)
        b += np.clip((curve_aa * slope_b - curve_ab * slope_a) / determinant, -1, 1)
    return np.column_stack([np.exp(np.clip(log_a, -3, 3)), np.clip(b, -8, 8)])
