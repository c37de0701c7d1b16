"""Arithmetic on series of happenings that are kept in groups: numbering, running values, fading counts."""

from __future__ import annotations

import numpy as np

from schoolhouse.simulate.campus import Floats, Ints


def occurrence(keys: Ints) -> Ints:
    """For each entry, how many times its key has come up so far, itself included."""
    order = np.argsort(keys, kind="stable")
    ordered = keys[order]
    fresh = np.concatenate([[True], ordered[1:] != ordered[:-1]]) if len(keys) else np.zeros(0, bool)
    position = np.arange(len(keys))
    number = position - np.maximum.accumulate(np.where(fresh, position, 0)) + 1
    result = np.empty(len(keys), dtype=np.int64)
    result[order] = number
    return result


def never_back(value: Ints, group: Ints, most: int) -> Ints:
    """The greatest value so far within each group; groups rise, values are below `most`."""
    return np.asarray(np.maximum.accumulate(value + group * most) - group * most)


def faded_count(group: Ints, day: Floats, memory_days: float) -> Floats:
    """For each meeting, the faded number of earlier meetings of its group; meetings are in order of time."""
    count = len(group)
    strength = np.zeros(count)
    order = np.argsort(group, kind="stable")
    ordered, when = group[order], day[order]
    if not count:
        return strength
    start = np.flatnonzero(np.concatenate([[True], ordered[1:] != ordered[:-1]]))
    size = np.diff(np.append(start, count))
    running = np.zeros(count)
    alive = start[size > 1]
    left = size[size > 1]
    step = 1
    while len(alive):
        here = alive + step
        running[here] = (running[here - 1] + 1.0) * np.exp((when[here - 1] - when[here]) / memory_days)
        step += 1
        alive, left = alive[left > step], left[left > step]
    strength[order] = running
    return strength


def tilted(share: float, by: Floats) -> Floats:
    """A share moved up or down by `by` logits."""
    share = min(max(share, 1e-9), 1 - 1e-9)
    return np.asarray(1 / (1 + np.exp(-(np.log(share / (1 - share)) + by))))
