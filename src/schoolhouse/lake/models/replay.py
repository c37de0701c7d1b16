"""All three models over many attempts: one pass in order of time, with the state of each pair in an array.

A pair is a learner and a question (SM-2), or a learner and a topic (BKT, IRT). Where an attempt carries a state, that
state is believed and the chain goes on from it; where it carries none, ours holds. States are kept in single precision,
so a chain that is broken off and taken up again from a table goes on with the very same numbers.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, TypeAlias

import numpy as np
from numpy.typing import NDArray

from schoolhouse.lake.models import bkt, irt, sm2
from schoolhouse.lake.models.compiled import compiled

Singles: TypeAlias = NDArray[np.float32]
Array: TypeAlias = NDArray[Any]

# Columns of a block of states; the first three are SM-2's, of a learner and a question.
EASINESS, INTERVAL, REPETITIONS, KNOWN, ABILITY, DEVIATION = range(6)
STATES = 6
UNSURE = 1e-6  # nobody is certain: from 1, which single precision soon rounds to, no answer would lead back


@dataclass(frozen=True)
class Attempts:
    """What the models see, a row an attempt, in order of time. A pair of -1 is none: nothing is computed there."""

    item_pair: NDArray[np.int64]
    topic_pair: NDArray[np.int64]
    answer: NDArray[np.int8]  # 1 right, 0 wrong, -1 not said
    quality: NDArray[np.int8]  # 0 to 5, -1 not said
    topic: NDArray[np.int64]  # row in the table of topics
    item: NDArray[np.int64]  # row in the table of questions
    carried_before: Singles  # rows by STATES; NaN where the message has none
    carried_after: Singles


@dataclass(frozen=True)
class Tables:
    """States at the start, by pair, and the parameters of topics and questions. States are changed in place."""

    by_item_pair: Singles  # pairs by 3
    by_topic_pair: Singles  # pairs by 3; a NaN for knowing means the topic's prior
    topics: NDArray[np.float64]  # prior, learn, guess, slip
    items: NDArray[np.float64]  # discrimination, difficulty


def first_item_states(pairs: int) -> Singles:
    """SM-2 for learners who never saw the question."""
    states = np.zeros((pairs, 3), dtype=np.float32)
    states[:, EASINESS] = sm2.FIRST_EASINESS
    return states


def first_topic_states(pairs: int) -> Singles:
    """BKT and IRT for learners who never met the topic."""
    states = np.empty((pairs, 3), dtype=np.float32)
    states[:] = (np.nan, irt.FIRST_ABILITY, irt.FIRST_DEVIATION)
    return states


def replay(attempts: Attempts, tables: Tables) -> tuple[Singles, Singles]:
    """The states before and after each attempt, rows by STATES; NaN where there is no pair."""
    count = len(attempts.answer)
    before = np.full((count, STATES), np.nan, dtype=np.float32)
    after = np.full((count, STATES), np.nan, dtype=np.float32)
    _replay_sm2(
        attempts.item_pair,
        attempts.quality,
        attempts.carried_before,
        attempts.carried_after,
        tables.by_item_pair,
        before,
        after,
    )
    _replay_topics(
        (attempts.topic_pair, attempts.topic, attempts.item, attempts.answer),
        (attempts.carried_before, attempts.carried_after),
        tables.by_topic_pair,
        (tables.topics, tables.items),
        (before, after),
    )
    return before, after


@compiled
def _adopt(state: Singles, carried: Singles, first: int) -> None:
    """Take over what the message says."""
    for at in range(3):
        if not np.isnan(carried[first + at]):
            state[at] = carried[first + at]


@compiled
def _replay_sm2(
    pairs: Array,
    quality: Array,
    carried_before: Singles,
    carried_after: Singles,
    states: Singles,
    before: Singles,
    after: Singles,
) -> None:
    for row in range(len(pairs)):
        if pairs[row] < 0:
            continue
        state = states[pairs[row]]
        _adopt(state, carried_before[row], 0)
        before[row, :3] = state
        if quality[row] >= 0:
            easiness, interval, repetitions = sm2.step(float(state[0]), int(state[1]), int(state[2]), int(quality[row]))
            state[0], state[1], state[2] = easiness, interval, repetitions
        _adopt(state, carried_after[row], 0)
        after[row, :3] = state


@compiled
def _replay_topics(
    columns: tuple[Array, Array, Array, Array],
    carried: tuple[Singles, Singles],
    states: Singles,
    parameters: tuple[Array, Array],
    results: tuple[Singles, Singles],
) -> None:
    pairs, topic, item, answer = columns
    topics, items = parameters
    for row in range(len(pairs)):
        if pairs[row] < 0:
            continue
        state = states[pairs[row]]
        if np.isnan(state[0]):
            state[0] = topics[topic[row], 0]
        _adopt(state, carried[0][row], 3)
        results[0][row, 3:] = state
        if answer[row] >= 0:
            right = answer[row] == 1
            known = bkt.step(
                float(state[0]), right, topics[topic[row], 1], topics[topic[row], 2], topics[topic[row], 3]
            )
            state[0] = min(max(known, UNSURE), 1 - UNSURE)
            ability, deviation = irt.step(
                float(state[1]), float(state[2]), right, items[item[row], 0], items[item[row], 1]
            )
            state[1], state[2] = ability, deviation
        _adopt(state, carried[1][row], 3)
        results[1][row, 3:] = state
