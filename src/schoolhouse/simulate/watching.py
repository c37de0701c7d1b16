"""Videos watched: plays paired with pauses, jumps in between, and an end that is a completion or a stop.

Positions are tenths of a second from the start of the video, so that every number prints with one decimal.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import IntEnum

import numpy as np

from schoolhouse.simulate.campus import Course, Floats, Ints
from schoolhouse.simulate.rates import Rates
from schoolhouse.simulate.series import tilted

MAX_PAUSES = 3


class Act(IntEnum):
    """What a learner does with a player."""

    LOADED = 0
    PLAYED = 1
    PAUSED = 2
    SEEKED = 3
    COMPLETED = 4
    STOPPED = 5
    TRANSCRIPT_ON = 6
    TRANSCRIPT_OFF = 7


@dataclass(frozen=True)
class Watching:
    """One entry an act, by visit and then time."""

    visit: Ints
    act: Ints
    at: Ints  # position, in tenths
    before: Ints  # where the played stretch or the jump began, in tenths
    furthest: Ints  # how far this play has come, in tenths
    offset_ms: Ints
    seconds_by_visit: Floats


def watch(rates: Rates, course: Course, page: Ints, persistence: Floats, random: np.random.Generator) -> Watching:
    """Let the visits to pages with a video watch it. `page` and `persistence` have one entry a visit."""
    length = course.page_video_seconds[page] * 10
    visit = np.flatnonzero((length > 0) & (random.random(len(page)) < rates.play_share))
    count = len(visit)
    total = length[visit]
    whole = random.random(count) < tilted(rates.full_watch_share, 0.4 * persistence[visit])
    goal = np.where(whole, total, (total * random.beta(1.3, 1.6, count)).astype(np.int64) + 10)
    goal = np.minimum(goal, total)
    pauses = np.minimum(random.poisson(rates.pauses_per_play, count), MAX_PAUSES)
    acts: list[tuple[Ints, ...]] = []
    clock = random.integers(2_000, 8_000, count)
    position = np.zeros(count, dtype=np.int64)
    furthest = np.zeros(count, dtype=np.int64)
    everyone = np.arange(count)

    def note(who: Ints, act: Act, at: Ints, before: Ints) -> None:
        acts.append((who, np.full(len(who), act), at[who], before[who], furthest[who].copy(), clock[who].copy()))

    note(everyone, Act.LOADED, position, position)
    clock += random.integers(500, 4_000, count)
    reads = np.flatnonzero(random.random(count) < rates.transcript_share)
    note(reads, Act.TRANSCRIPT_ON, position, position)
    clock[reads] += 900
    note(everyone, Act.PLAYED, position, position)
    for turn in range(MAX_PAUSES):
        who = np.flatnonzero((pauses > turn) & (goal - position > 50))
        stretch = np.maximum(((goal - position)[who] * random.uniform(0.15, 0.7, len(who))).astype(np.int64), 10)
        origin = position.copy()
        position[who] += stretch
        clock[who] += stretch * 100
        furthest[who] = np.maximum(furthest[who], position[who])
        note(who, Act.PAUSED, position, origin)
        clock[who] += random.integers(1_500, 60_000, len(who))
        jumper = who[random.random(len(who)) < rates.seek_share]
        back = random.random(len(jumper)) < rates.seek_back_share
        reach = random.integers(50, 600, len(jumper))
        origin = position.copy()
        target = np.where(back, position[jumper] - reach, position[jumper] + reach)
        position[jumper] = np.clip(target, 0, np.maximum(goal[jumper] - 20, 0))
        jumper = jumper[position[jumper] != origin[jumper]]
        note(jumper, Act.SEEKED, position, origin)
        clock[who] += random.integers(300, 1_500, len(who))
        note(who, Act.PLAYED, position, position)
    origin, position = position, goal
    clock += (position - origin) * 100
    furthest = np.maximum(furthest, position)
    done, left = np.flatnonzero(goal == total), np.flatnonzero(goal < total)
    note(done, Act.COMPLETED, position, origin)
    note(left, Act.PAUSED, position, origin)
    clock += random.integers(300, 3_000, count)
    note(np.intersect1d(reads, left), Act.TRANSCRIPT_OFF, position, position)
    clock += 200
    note(left, Act.STOPPED, position, origin)
    who, act, at, before, far, when = (np.concatenate(column) for column in zip(*acts, strict=True))
    order = np.argsort(who, kind="stable")  # acts were noted in order of time
    seconds = np.zeros(len(page))
    seconds[visit] = clock / 1000
    return Watching(visit[who[order]], act[order], at[order], before[order], far[order], when[order], seconds)
