"""What is true of a run, counted from the same arrays that become statements; `truth_file` tells it.

Good statements only are counted; duplicates and rejected lines have numbers of their own. A section is a few kilobytes
of numbers, which go to a file when the section is complete, since a large run has thousands.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, Final

import numpy as np

from schoolhouse.simulate.batch import Batch
from schoolhouse.simulate.behaviour import Story
from schoolhouse.simulate.campus import DAY_MS, Chunk, Ints, Plan, Section
from schoolhouse.simulate.flaws import Flawed
from schoolhouse.simulate.on_disk import ListOnDisk

# In each dialect, in the order of the alphabet.
EVENT_TYPES: Final = {
    "torus": (
        "activity_attempt",
        "experiment",
        "page_attempt",
        "page_viewed",
        "part_attempt",
        "tutor_message",
        "video",
    ),
    "openedx": ("completion", "enrollment", "forum", "grade", "hint", "navigation", "problem", "video"),
}
# The statements that score an activity, in each dialect.
SCORING_KIND: Final = {"torus": "activity_attempt", "openedx": "problem_evaluated"}


@dataclass
class Tally:
    """Sums over part of a section; two of them add up."""

    counts: np.ndarray[Any, np.dtype[np.uint32]]  # rows: event types; a column a day, from `first_day`
    scored: dict[str, tuple[int, float]]  # event type: scored statements, sum of scaled scores
    learners: int
    enrolled: int
    dropped_out: int
    skewed: int
    activity: np.ndarray[Any, np.dtype[np.float64]]  # rows: attempts, learners, sum of scaled; a column an item
    video: Ints  # rows: plays, viewers, completions; a column a page
    experiment: Ints  # rows: learners assigned, attempts that say so; a column a condition
    statements: int
    duplicates: int
    late: int
    rejects: dict[str, int]

    def add(self, other: Tally) -> None:
        """Take in another part of the same section."""
        for name, (count, total) in other.scored.items():
            mine = self.scored.get(name, (0, 0.0))
            self.scored[name] = (mine[0] + count, mine[1] + total)
        for reason, count in other.rejects.items():
            self.rejects[reason] = self.rejects.get(reason, 0) + count
        for name in ("learners", "enrolled", "dropped_out", "skewed", "statements", "duplicates", "late"):
            setattr(self, name, getattr(self, name) + getattr(other, name))
        self.counts = self.counts + other.counts
        self.activity = self.activity + other.activity
        self.video = self.video + other.video
        self.experiment = self.experiment + other.experiment


def first_day(section: Section) -> int:
    """The day (since 1970) before a section begins: a slow clock may put its first statements there."""
    return section.start_ms // DAY_MS - 1


def count_chunk(plan: Plan, story: Story, batches: list[Batch], flawed: Flawed) -> Tally:
    """The truth about one chunk."""
    course, enrolments = story.course, story.enrolments
    names, start, days = EVENT_TYPES[plan.dialect], first_day(story.chunk.section), plan.length_days + 2
    counts = np.zeros((len(names), days), dtype=np.uint32)
    scored: dict[str, tuple[int, float]] = {}
    activity = np.zeros((3, course.items))
    video = np.zeros((3, course.pages), dtype=np.int64)
    experiment = np.zeros((2, 2), dtype=np.int64)
    for batch in batches:
        if not len(batch):
            continue
        day = (batch.at_ms + enrolments.clock_ms[batch.enrolment]) // DAY_MS - start
        counts[names.index(batch.event_type)] += np.bincount(day, minlength=days).astype(np.uint32)
        if "right" in batch.facts:
            scaled = batch.facts["right"] / np.maximum(batch.facts["out_of"], 1)
            before = scored.get(batch.event_type, (0, 0.0))
            scored[batch.event_type] = (before[0] + len(batch), before[1] + float(scaled.sum()))
            if batch.kind == SCORING_KIND[plan.dialect]:
                item = batch.facts["item"]
                activity[0] += np.bincount(item, minlength=course.items)
                activity[1] += _people(item, batch.enrolment, course.items)
                activity[2] += np.bincount(item, weights=scaled, minlength=course.items)
        for row, fact in enumerate(("assigned", "attributed")):
            if fact in batch.facts:
                condition = batch.facts[fact]
                experiment[row] += np.bincount(condition[condition >= 0], minlength=2)
        if batch.kind in {"played", "video_played"}:
            video[0] += np.bincount(batch.facts["video"], minlength=course.pages)
            video[1] += _people(batch.facts["video"], batch.enrolment, course.pages)
        if batch.kind in {"completed", "video_completed"}:
            video[2] += np.bincount(batch.facts["video"], minlength=course.pages)
    seen = np.unique(np.concatenate([batch.enrolment for batch in batches]))
    return Tally(
        counts=counts,
        scored=scored,
        learners=len(seen),
        enrolled=len(enrolments.learner),
        dropped_out=int(enrolments.drops_out.sum()),
        skewed=int((enrolments.clock_ms[seen] != 0).sum()),
        activity=activity,
        video=video,
        experiment=experiment,
        statements=sum(len(batch) for batch in batches),
        duplicates=flawed.duplicates,
        late=flawed.late,
        rejects=flawed.rejects,
    )


def _people(what: Ints, who: Ints, size: int) -> Ints:
    """Distinct people for each thing."""
    pairs = np.unique(who * size + what)
    return np.bincount(pairs % size, minlength=size)


class Truth:
    """The truth about a run, put together chunk by chunk, in order. Only the section that is under way is in memory."""

    def __init__(self, plan: Plan) -> None:
        self.plan = plan
        self.statements = self.duplicates = self.late = 0  # so far
        self._rejects: dict[str, int] = {}
        self._complete: ListOnDisk[tuple[Section, Tally]] = ListOnDisk()
        self._under_way: tuple[Section, Tally] | None = None

    def add(self, chunk: Chunk, tally: Tally) -> None:
        """Take in a chunk."""
        self.statements += tally.statements
        self.duplicates += tally.duplicates
        self.late += tally.late
        for reason, count in tally.rejects.items():
            self._rejects[reason] = self._rejects.get(reason, 0) + count
        if self._under_way and self._under_way[0] == chunk.section:
            self._under_way[1].add(tally)
            return
        if self._under_way:
            self._complete.append(self._under_way)
        self._under_way = chunk.section, tally

    def sections(self) -> Iterator[tuple[Section, Tally]]:
        """What is known of each section."""
        yield from self._complete
        if self._under_way:
            yield self._under_way

    @property
    def rejects(self) -> dict[str, int]:
        """Broken lines so far, by reason."""
        return dict(sorted(self._rejects.items()))

    @property
    def lines(self) -> int:
        """Lines so far, flawed ones too."""
        return self.statements + self.duplicates + sum(self._rejects.values())
