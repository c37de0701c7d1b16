"""Questions tried: an item response model whose ability grows with practice and fades with time.

The chance that a part of a question is right is `logistic(a * (ability + gain * strength + retry - b))`, where `a` and
`b` are the question's discrimination and difficulty, and `strength` is the number of earlier meetings with its skill,
each faded by `exp(-days / memory_days)`, at most 12. A failed try on a practice page may be tried again, after a hint
or without.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from schoolhouse.simulate.campus import DAY_MS, Course, Floats, Ints, Learners
from schoolhouse.simulate.rates import Rates
from schoolhouse.simulate.series import faded_count, occurrence, tilted

if TYPE_CHECKING:
    from schoolhouse.simulate.behaviour import Visits

MAX_TRIES = 4
PARTS_RIGHT = np.array([0, 1, 1, 2, 1, 2, 2, 3])  # bits set in a mask of three parts
MOST_STRENGTH = 12.0  # nobody gets better for ever
READING_SECONDS = 50.0
HINT_SECONDS = 15.0


@dataclass(frozen=True)
class Practice:
    """One entry a try, by visit and then time; and one a graded page that was handed in."""

    visit: Ints
    item: Ints
    number: Ints  # the learner's how-manyth try at this question
    mask: Ints  # bit p: part p was right
    right: Ints
    parts: Ints
    hints: Ints  # hints seen before this try, in this visit
    offset_ms: Ints  # from the start of the visit to the answer
    asks_hint: NDArray[np.bool_]
    shows_answer: NDArray[np.bool_]
    gets_tutor: NDArray[np.bool_]
    finish_visit: Ints
    finish_right: Ints
    finish_out_of: Ints
    finish_offset_ms: Ints
    seconds_by_visit: Floats


def practise(
    rates: Rates,
    course: Course,
    visits: Visits,
    learners: Learners,
    video_seconds: Floats,
    random: np.random.Generator,
) -> Practice:
    """Let every visit try the questions of its page. `learners` has an entry for each enrolment."""
    visit, item = _tried(rates, course, visits, random)
    strength = faded_count(
        visits.enrolment[visit] * (course.item_skill.max(initial=0) + 1) + course.item_skill[item],
        visits.start_ms[visit] / DAY_MS,
        rates.memory_days,
    )
    ability = learners.ability[visits.enrolment[visit]] + rates.learning_gain * np.minimum(strength, MOST_STRENGTH)
    tries = _tries(rates, course, item, ability, learners.persistence[visits.enrolment[visit]], random)
    pair, mask, hints, flags = tries
    who, what = visit[pair], item[pair]
    seconds = (
        random.lognormal(np.log(rates.answer_seconds), 0.5, len(pair)) / learners.speed[visits.enrolment[who]] + 1.0
    )
    seconds += HINT_SECONDS * (flags[0] > 0)
    reading = random.lognormal(np.log(READING_SECONDS), 0.5, len(visits.page))
    used = np.cumsum(seconds)
    before = np.concatenate([[0.0], used])[np.searchsorted(who, np.arange(len(visits.page)))]
    offset = used - before[who] + (reading + video_seconds)[who]
    by_visit = np.bincount(who, weights=seconds, minlength=len(visits.page))
    right = PARTS_RIGHT[mask]
    totals = np.bincount(who, weights=right, minlength=len(visits.page)).astype(np.int64)
    tried = np.bincount(who, minlength=len(visits.page)) > 0
    done = np.flatnonzero(tried & course.page_is_graded[visits.page])
    return Practice(
        visit=who,
        item=what,
        number=occurrence(visits.enrolment[who] * course.items + what),
        mask=mask,
        right=right,
        parts=course.item_parts[what],
        hints=hints,
        offset_ms=(offset * 1000).astype(np.int64),
        asks_hint=flags[0],
        shows_answer=flags[1],
        gets_tutor=flags[2],
        finish_visit=done,
        finish_right=totals[done],
        finish_out_of=course.page_points[visits.page[done]],
        finish_offset_ms=((reading + video_seconds + by_visit + 2.0)[done] * 1000).astype(np.int64),
        seconds_by_visit=reading + by_visit + 4.0,
    )


def _tried(rates: Rates, course: Course, visits: Visits, random: np.random.Generator) -> tuple[Ints, Ints]:
    """Pairs of visit and question that is tried. A graded page is tried once, and then nearly whole."""
    first, last = course.page_first_item[visits.page], course.page_first_item[visits.page + 1]
    counts = last - first
    visit = np.repeat(np.arange(len(counts)), counts)
    item = np.arange(len(visit)) - np.repeat(np.cumsum(counts) - counts, counts) + first[visit]
    is_graded = course.page_is_graded[visits.page]
    again = visits.number > 1
    share = np.where(is_graded, np.where(again, 0.0, 0.97), np.where(again, 0.5, 1.0) * rates.attempt_share)
    kept = random.random(len(visit)) < share[visit]
    return visit[kept], item[kept]


def _tries(
    rates: Rates, course: Course, item: Ints, ability: Floats, persistence: Floats, random: np.random.Generator
) -> tuple[Ints, Ints, Ints, tuple[NDArray[np.bool_], NDArray[np.bool_], NDArray[np.bool_]]]:
    """Every try of every pair: which pair, which parts were right, hints so far, and what follows a failure."""
    graded = course.page_is_graded[course.item_page[item]]
    parts = course.item_parts[item]
    retry = tilted(rates.retry_share, 0.5 * persistence)
    hint = tilted(rates.hint_share, -0.6 * ability)
    alive = np.arange(len(item))
    hints = np.zeros(len(item), dtype=np.int64)
    rounds: list[tuple[NDArray[np.generic], ...]] = []
    for turn in range(MAX_TRIES):
        logit = course.item_discrimination[item[alive]] * (
            ability[alive] + rates.retry_gain * turn - course.item_difficulty[item[alive]]
        )
        chance = 1 / (1 + np.exp(-logit))
        bits = (random.random((len(alive), 3)) < chance[:, None]) & (np.arange(3) < parts[alive, None])
        mask = bits @ np.array([1, 2, 4])
        failed = PARTS_RIGHT[mask] < parts[alive]
        draws = random.random((len(alive), 4))
        practice_failed = failed & ~graded[alive]
        again = practice_failed & (draws[:, 0] < retry[alive]) & (turn < MAX_TRIES - 1)
        asks = again & (draws[:, 1] < hint[alive])
        shows = practice_failed & ~again & (draws[:, 2] < rates.show_answer_share)
        tutor = practice_failed & (draws[:, 3] < rates.tutor_share)
        rounds.append((alive, mask, hints[alive], asks, shows, tutor))
        hints[alive] += asks
        alive = alive[again]
        if not len(alive):
            break
    pair, mask, seen, asks, shows, tutor = (np.concatenate(column) for column in zip(*rounds, strict=True))
    order = np.argsort(pair, kind="stable")  # rounds come in order, so a pair's tries stay in order
    return pair[order], mask[order], seen[order], (asks[order], shows[order], tutor[order])
