"""What the learners of one chunk do: when they enrol, sit down, visit pages, watch, try, and leave.

In: a chunk of the plan. Out: `Story`, arrays of happenings that know no xAPI; the dialects turn them into statements.

A learner's history is a series of visits to pages. Any prefix of it is a sound history, which is how a chunk is brought
to the exact size asked for: the last visits of some learners are taken back (`without`).
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from schoolhouse.simulate.campus import (
    DAY_MS,
    Chunk,
    Course,
    Floats,
    Ints,
    Learners,
    Plan,
    course_of,
    enrolled,
    stream,
    traits_of,
)
from schoolhouse.simulate.practice import Practice, practise
from schoolhouse.simulate.series import never_back, occurrence
from schoolhouse.simulate.watching import Watching, watch

Bools = NDArray[np.bool_]

# Weight of each hour of the day, 0 to 23: two habits, which the learners mix. Chosen after the shape that campuses
# report: a quiet night, a day with a dip at noon, a peak at 20 to 22.
DAYTIME = np.array([0, 0, 0, 0, 0, 1, 3, 6, 9, 11, 11, 10, 7, 8, 10, 11, 10, 8, 5, 3, 2, 1, 0, 0], dtype=float)
EVENING = np.array([3, 1, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1, 1, 1, 2, 4, 7, 9, 13, 17, 18, 14, 9], dtype=float)


@dataclass(frozen=True)
class Enrolments:
    """One entry for each enrolment of the chunk."""

    learner: Ints
    traits: Learners
    start_ms: Ints
    end_ms: Ints  # when the learner stops coming
    drops_out: Bools
    unregisters: Bools
    mode: Ints  # 0 audit, 1 verified, 2 honor
    clock_ms: Ints  # how wrong the device clock is


@dataclass(frozen=True)
class Visits:
    """One entry for each visit to a page, by enrolment and then time."""

    enrolment: Ints
    session: Ints
    page: Ints
    number: Ints  # how many times this learner has now been on this page
    start_ms: Ints
    end_ms: Ints
    left: Ints  # visits that the learner still has after this one


@dataclass(frozen=True)
class Story:
    """Everything that happens in a chunk."""

    chunk: Chunk
    course: Course
    enrolments: Enrolments
    visits: Visits
    practice: Practice
    watching: Watching


def hour_curve(plan: Plan) -> Floats:
    """The share of sittings that start in each hour of the day, before individual shifts."""
    evening = plan.rates.evening_share
    curve = DAYTIME / DAYTIME.sum() * (1 - evening) + EVENING / EVENING.sum() * evening
    return np.asarray(curve)


def story_of(plan: Plan, chunk: Chunk, visits: int, random: np.random.Generator) -> Story:
    """Let the enrolments of a chunk make about `visits` visits between them."""
    course = course_of(plan, chunk.section.course_number)
    enrolments = enrolments_of(plan, chunk)
    plain = _visits(plan, course, chunk, enrolments, visits, random)
    watching = watch(plan.rates, course, plain.page, enrolments.traits.persistence[plain.enrolment], random)
    practice = practise(plan.rates, course, plain, enrolments.traits, watching.seconds_by_visit, random)
    timed = _sit(plan, plain, practice.seconds_by_visit + watching.seconds_by_visit, random)
    return Story(chunk, course, enrolments, timed, practice, watching)


def enrolments_of(plan: Plan, chunk: Chunk) -> Enrolments:
    """When the learners of a chunk enrol, and when and how they leave; the same for whoever asks."""
    rates, section, own = plan.rates, chunk.section, slice(chunk.first, chunk.last)
    random = stream(plan, "enrolments", chunk.index)
    learner = enrolled(plan, section)[own]
    traits = traits_of(plan, section).only(own)
    count = len(learner)
    term_ms = plan.length_days * DAY_MS
    start = np.minimum(random.exponential(rates.enrollment_days, count), plan.length_days * 0.6) * DAY_MS
    start = section.start_ms + start.astype(np.int64) + random.integers(0, 3_600_000, count)
    end = np.full(count, section.start_ms + term_ms)
    start = np.minimum(start, end - DAY_MS // 4)
    # Who stays is a matter of persistence; the threshold makes the asked share leave.
    patience = traits.persistence + random.normal(0, 0.7, count)
    drops_out = patience < _normal_quantile(rates.drop_out) * np.sqrt(1 + 0.7**2)
    # Most leave early: the time of leaving falls off as a square root brings it forward.
    leaves = start + ((end - start) * random.random(count) ** 1.5).astype(np.int64)
    leaves = np.maximum(leaves, start + 3_600_000)
    wrong = random.random(count) < plan.flaws.skewed_clocks
    clock = np.where(wrong, random.integers(-6 * 3_600_000, 6 * 3_600_000, count), 0)
    return Enrolments(
        learner=learner,
        traits=traits,
        start_ms=start,
        end_ms=np.where(drops_out, np.minimum(leaves, end), end),
        drops_out=drops_out,
        unregisters=drops_out & (random.random(count) < rates.unregister_share),
        mode=random.choice(3, count, p=[0.8, 0.15, 0.05]),
        clock_ms=clock,
    )


def _normal_quantile(share: float) -> float:
    from statistics import NormalDist

    return NormalDist().inv_cdf(min(max(share, 1e-9), 1 - 1e-9))


def _visits(
    plan: Plan,
    course: Course,
    chunk: Chunk,
    enrolments: Enrolments,
    wanted: int,
    random: np.random.Generator,
) -> Visits:
    """Share out visits over enrolments, sittings and pages. `start_ms` is still the start of the sitting."""
    rates = plan.rates
    span = (enrolments.end_ms - enrolments.start_ms) / DAY_MS
    weight = enrolments.traits.diligence * span
    counts = random.multinomial(wanted, weight / weight.sum())
    enrolment = np.repeat(np.arange(len(counts)), counts)
    number_of = np.arange(wanted) - np.repeat(np.cumsum(counts) - counts, counts)
    # A new sitting starts at the first visit and then with a fixed chance.
    opens = (random.random(wanted) < 1 / rates.visits_per_session) | (number_of == 0)
    session = np.cumsum(opens) - 1
    owner = enrolment[opens]
    shift = enrolments.traits.hour_shift[owner]
    starts = _sitting_times(plan, chunk.section.start_ms, enrolments, owner, shift, random)
    # The sittings of one enrolment in order of time.
    starts = starts[np.lexsort((starts, owner))]
    begin = starts[session]
    # The page follows the term, later by a lag of the learner's own; some visits go back.
    lag = random.exponential(rates.lag_days, len(counts))[enrolment]
    day = (begin - chunk.section.start_ms) / DAY_MS - lag + random.normal(0, 0.7, wanted)
    page = np.clip(day / plan.length_days * course.pages, 0, course.pages - 1).astype(np.int64)
    page = never_back(page, enrolment, course.pages)
    back = random.random(wanted) < rates.revisit_share
    page = np.where(back, (page * random.random(wanted)).astype(np.int64), page)
    return Visits(
        enrolment=enrolment,
        session=session,
        page=page,
        number=occurrence(enrolment * course.pages + page),
        start_ms=begin,
        end_ms=begin,
        left=np.repeat(counts, counts) - 1 - number_of,
    )


def _sitting_times(
    plan: Plan,
    section_start: int,
    enrolments: Enrolments,
    owner: Ints,
    shift: Floats,
    random: np.random.Generator,
) -> Ints:
    """A moment for each sitting, drawn from the calendar of the term and the hours of the day."""
    rates, count = plan.rates, len(owner)
    day = np.arange(plan.length_days)
    weekday = ((section_start // DAY_MS + day) + 3) % 7  # 1970-01-01 was a Thursday; 0 is Monday
    weight = np.where(weekday >= 5, rates.weekend_weight, 1.0)
    # Deadlines fall on the last day of each week of term.
    weight = weight * np.where(day % 7 >= 5, 1 + rates.deadline_pull, 1.0)
    heap = np.concatenate([[0.0], np.cumsum(weight)])
    low = (enrolments.start_ms - section_start)[owner] / DAY_MS
    high = (enrolments.end_ms - section_start)[owner] / DAY_MS
    low_heap, high_heap = np.interp(low, np.arange(len(heap)), heap), np.interp(high, np.arange(len(heap)), heap)
    at = np.interp(low_heap + (high_heap - low_heap) * random.random(count), heap, np.arange(len(heap)))
    hours = np.concatenate([[0.0], np.cumsum(hour_curve(plan))])
    hour = np.interp(random.random(count) * hours[-1], hours, np.arange(25.0)) + shift
    moment = section_start + np.floor(at).astype(np.int64) * DAY_MS + ((hour % 24) * 3_600_000).astype(np.int64)
    # The hour may fall before the enrolment or after the leaving: then the sitting is right after, or right before.
    first, last = enrolments.start_ms[owner], enrolments.end_ms[owner]
    jitter = (random.random(count) * np.minimum(last - first, 3_600_000) * 0.9).astype(np.int64)
    moment = np.where(moment <= first, first + 60_000 + jitter, moment)
    return np.asarray(np.where(moment >= last, np.maximum(last - 1_000 - jitter, first + 1), moment))


def _sit(plan: Plan, visits: Visits, seconds: Floats, random: np.random.Generator) -> Visits:
    """Give each visit its own start: what came before it in the sitting, and a pause."""
    count = len(seconds)
    pause = random.lognormal(np.log(plan.rates.pause_seconds), 0.8, count)
    took = ((seconds + pause) * 1000).astype(np.int64)
    before = np.cumsum(took) - took
    first = np.concatenate([[True], visits.session[1:] != visits.session[:-1]]) if count else np.zeros(0, bool)
    base = before[np.maximum.accumulate(np.where(first, np.arange(count), 0))] if count else before
    start = visits.start_ms + before - base
    # A sitting that runs into the next one pushes that one back, so a learner does one thing at a time.
    ends = start + took
    floor = np.zeros(count, dtype=np.int64)
    if count:
        floor[1:] = np.where(visits.enrolment[1:] == visits.enrolment[:-1], ends[:-1], 0)
    overlap = np.maximum(floor - start, 0)
    push = _running_push(overlap, visits, start, took)
    start = start + push
    return Visits(visits.enrolment, visits.session, visits.page, visits.number, start, start + took, visits.left)


def _running_push(overlap: Ints, visits: Visits, start: Ints, took: Ints) -> Ints:
    """How far each visit must move so that none starts before the one before it has ended."""
    if not overlap.any():
        return overlap
    # start' = max(start, previous end'): with T the time used before, start' - T is a running maximum.
    used = np.cumsum(took) - took
    origin = start.min()
    slack = start - origin - used
    lift = np.int64(1) << 42  # 139 years in ms: lifts each enrolment above the one before it
    slack = np.maximum.accumulate(slack + visits.enrolment * lift) - visits.enrolment * lift + origin
    return np.asarray(slack + used - start)
