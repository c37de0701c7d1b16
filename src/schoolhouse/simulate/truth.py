"""What is true of a run: counted from the same arrays that become statements, written as `truth.json`.

`docs/simulate.md` documents the schema. Good statements only are counted; duplicates and rejected lines have numbers of
their own.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass, fields
from typing import Any

import numpy as np

from schoolhouse.simulate import openedx, torus
from schoolhouse.simulate.batch import Batch
from schoolhouse.simulate.behaviour import Story
from schoolhouse.simulate.campus import DAY_MS, Chunk, Ints, Plan, course_of, enrolled, learners_of, sections_of
from schoolhouse.simulate.flaws import Flawed

SCHEMA_VERSION = 1
# The statements that score an activity, in each dialect.
SCORING_KIND = {"torus": "activity_attempt", "openedx": "problem_evaluated"}


@dataclass
class Tally:
    """Sums over part of a section; two of them add up."""

    counts: dict[tuple[str, int], int]  # event type and day (days since 1970)
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
        for key, count in other.counts.items():
            self.counts[key] = self.counts.get(key, 0) + count
        for name, (count, total) in other.scored.items():
            mine = self.scored.get(name, (0, 0.0))
            self.scored[name] = (mine[0] + count, mine[1] + total)
        for reason, count in other.rejects.items():
            self.rejects[reason] = self.rejects.get(reason, 0) + count
        for name in ("learners", "enrolled", "dropped_out", "skewed", "statements", "duplicates", "late"):
            setattr(self, name, getattr(self, name) + getattr(other, name))
        self.activity = self.activity + other.activity
        self.video = self.video + other.video
        self.experiment = self.experiment + other.experiment


def count_chunk(plan: Plan, story: Story, batches: list[Batch], flawed: Flawed) -> Tally:
    """The truth about one chunk."""
    course, enrolments = story.course, story.enrolments
    counts: dict[tuple[str, int], int] = {}
    scored: dict[str, tuple[int, float]] = {}
    activity = np.zeros((3, course.items))
    video = np.zeros((3, course.pages), dtype=np.int64)
    experiment = np.zeros((2, 2), dtype=np.int64)
    for batch in batches:
        if not len(batch):
            continue
        day, number = np.unique((batch.at_ms + enrolments.clock_ms[batch.enrolment]) // DAY_MS, return_counts=True)
        for key, count in zip(day.tolist(), number.tolist(), strict=True):
            counts[batch.event_type, key] = counts.get((batch.event_type, key), 0) + count
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
    """The truth about a run, put together chunk by chunk."""

    def __init__(self, plan: Plan) -> None:
        self._plan = plan
        self._tallies: dict[int, Tally] = {}

    def add(self, chunk: Chunk, tally: Tally) -> None:
        """Take in a chunk."""
        known = self._tallies.get(chunk.section.index)
        if known is None:
            self._tallies[chunk.section.index] = tally
        else:
            known.add(tally)

    def state(self) -> list[dict[str, Any]]:
        """What is known so far, as plain values, for `restore`."""
        return [
            {"section": index} | {field.name: _plain(getattr(tally, field.name)) for field in fields(Tally)}
            for index, tally in self._tallies.items()
        ]

    def restore(self, state: list[dict[str, Any]]) -> None:
        """Begin with what an earlier run knew."""
        for known in state:
            values = {name: value for name, value in known.items() if name != "section"}
            values["counts"] = {(kind, day): count for kind, day, count in known["counts"]}
            values["scored"] = {name: (count, total) for name, (count, total) in known["scored"].items()}
            values["activity"] = np.array(known["activity"])
            for name in ("video", "experiment"):
                values[name] = np.array(known[name], dtype=np.int64)
            self._tallies[known["section"]] = Tally(**values)

    @property
    def statements(self) -> int:
        """Good statements so far."""
        return sum(tally.statements for tally in self._tallies.values())

    @property
    def lines(self) -> int:
        """Lines so far, flawed ones too."""
        extra = sum(tally.duplicates + sum(tally.rejects.values()) for tally in self._tallies.values())
        return self.statements + extra

    def as_dict(self) -> dict[str, Any]:
        """The content of `truth.json`."""
        plan = self._plan
        rejects: dict[str, int] = {}
        for tally in self._tallies.values():
            for reason, count in tally.rejects.items():
                rejects[reason] = rejects.get(reason, 0) + count
        parts: dict[str, list[dict[str, Any]]] = {
            "counts": [],
            "scores": [],
            "learners": [],
            "activities": [],
            "videos": [],
            "experiments": [],
        }
        for index in sorted(self._tallies):
            for name, rows in self._section(index).items():
                parts[name] += rows
        return {
            "schema_version": SCHEMA_VERSION,
            "plan": _plan_of(plan),
            "platform": plan.host,
            "statements": self.statements,
            "lines": self.lines,
            **parts,
            "duplicates": sum(tally.duplicates for tally in self._tallies.values()),
            "rejects": dict(sorted(rejects.items())),
            "late": sum(tally.late for tally in self._tallies.values()),
            "learner_parameters": self._learner_parameters(),
        }

    def _section(self, index: int) -> dict[str, list[dict[str, Any]]]:
        plan, tally, section = self._plan, self._tallies[index], sections_of(self._plan)[index]
        course = course_of(plan, section.course_number)
        name: int | str = section.number if plan.dialect == "torus" else openedx.course_key(course, section)
        items, pages = np.flatnonzero(tally.activity[0]), np.flatnonzero(tally.video.sum(axis=0))

        def activity(item: int) -> int | str:
            if plan.dialect == "torus":
                return torus.activity_id(course.number, item)
            return f"{plan.host}/xblock/{openedx.block_id(course, section, 'problem', item)}"

        def video(page: int) -> str:
            if plan.dialect == "torus":
                return torus.video_url(course.number, page)
            return f"{plan.host}/xblock/{openedx.block_id(course, section, 'video', page)}"

        return {
            "counts": [
                {"section": name, "event_type": kind, "day": str(np.datetime64(day, "D")), "statements": count}
                for (kind, day), count in sorted(tally.counts.items())
            ],
            "scores": [
                {"section": name, "event_type": kind, "scored": count, "mean_scaled": total / count}
                for kind, (count, total) in sorted(tally.scored.items())
            ],
            "learners": [
                {
                    "section": name,
                    "title": course.title,
                    "learners": tally.learners,
                    "enrolled": tally.enrolled,
                    "dropped_out": tally.dropped_out,
                    "skewed_clocks": tally.skewed,
                    "statements": tally.statements,
                }
            ],
            "activities": [
                {
                    "section": name,
                    "activity": activity(item),
                    "attempts": int(tally.activity[0, item]),
                    "learners": int(tally.activity[1, item]),
                    "mean_scaled": float(tally.activity[2, item] / tally.activity[0, item]),
                    "difficulty": round(float(course.item_difficulty[item]), 6),
                    "discrimination": round(float(course.item_discrimination[item]), 6),
                }
                for item in items.tolist()
            ],
            "videos": [
                {
                    "section": name,
                    "video": video(page),
                    "plays": int(tally.video[0, page]),
                    "viewers": int(tally.video[1, page]),
                    "completions": int(tally.video[2, page]),
                }
                for page in pages.tolist()
            ],
            "experiments": [
                {"section": name, "condition": code, "learners": learners, "attributions": attributions}
                for code, learners, attributions in zip(torus.CONDITIONS, *tally.experiment.tolist(), strict=True)
                if learners
            ],
        }

    def _learner_parameters(self) -> dict[str, list[Any]]:
        """By column, so that a large campus stays a file of fair size."""
        plan = self._plan
        everyone = np.unique(np.concatenate([enrolled(plan, section) for section in sections_of(plan)]))
        traits = learners_of(plan)
        names: list[Any] = (
            (everyone + torus.FIRST_USER).tolist()
            if plan.dialect == "torus"
            else openedx.learner_ids(plan, everyone.tolist())
        )
        columns = {"ability": traits.ability, "persistence": traits.persistence, "diligence": traits.diligence}
        return {"learner": names} | {name: np.round(values[everyone], 6).tolist() for name, values in columns.items()}


def _plain(value: Any) -> Any:
    if isinstance(value, np.ndarray):
        return value.tolist()
    if isinstance(value, dict) and any(isinstance(key, tuple) for key in value):
        return [[*key, number] for key, number in value.items()]
    return value


def _plan_of(plan: Plan) -> dict[str, Any]:
    written = asdict(plan)
    written["start"] = plan.start.isoformat()
    written["sizes"] = [asdict(size) for size in plan.sizes]
    return written
