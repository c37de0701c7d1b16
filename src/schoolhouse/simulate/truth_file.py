"""`truth.json`: the truth about a run as JSON, told section by section, since all of it may be larger than memory.

`docs/simulate.md` documents the schema.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import asdict
from functools import cached_property
from typing import Any, Final

import msgspec
import numpy as np

from schoolhouse.simulate import openedx, torus
from schoolhouse.simulate.campus import Course, Plan, Section, course_of, enrolled, learners_of, sections_of
from schoolhouse.simulate.truth import EVENT_TYPES, Tally, Truth, first_day

SCHEMA_VERSION: Final = 1
_SLICE_LEARNERS: Final = 10_000


def truth_json(truth: Truth) -> Iterator[bytes]:
    """The content of `truth.json`, some kilobytes at a time."""
    head = {
        "schema_version": SCHEMA_VERSION,
        "plan": _plan_of(truth.plan),
        "platform": truth.plan.host,
        "statements": truth.statements,
        "lines": truth.lines,
        "duplicates": truth.duplicates,
        "rejects": truth.rejects,
        "late": truth.late,
    }
    yield msgspec.json.encode(head)[:-1]
    for name, rows_of in _PARTS.items():
        blocks = (rows_of(_SectionTruth(truth.plan, section, tally)) for section, tally in truth.sections())
        yield from _listed(name, blocks)
    yield b',\n"learner_parameters":{'
    yield from _learner_parameters(truth.plan)
    yield b"}}\n"


def _listed(name: str, blocks: Iterator[list[dict[str, Any]]]) -> Iterator[bytes]:
    """A list of rows, a row a line."""
    lead = f',\n"{name}":[\n'.encode()
    for rows in blocks:
        for row in rows:
            yield lead + msgspec.json.encode(row)
            lead = b",\n"
    yield b"]" if lead == b",\n" else lead + b"]"


def _learner_parameters(plan: Plan) -> Iterator[bytes]:
    """By column, so that a large campus stays a file of fair size."""
    is_enrolled = np.zeros(plan.learners, dtype=bool)
    for section in sections_of(plan):
        is_enrolled[enrolled(plan, section)] = True
    everyone = np.flatnonzero(is_enrolled)

    def names(some: Any) -> list[Any]:
        if plan.dialect == "torus":
            return list((some + torus.FIRST_USER).tolist())
        return list(openedx.learner_ids(plan, some.tolist()))

    columns: dict[str, Callable[[Any], list[Any]]] = {
        "learner": names,
        "ability": lambda some: list(np.round(learners_of(plan, some).ability, 6).tolist()),
        "persistence": lambda some: list(np.round(learners_of(plan, some).persistence, 6).tolist()),
        "diligence": lambda some: list(np.round(learners_of(plan, some).diligence, 6).tolist()),
    }
    for number, (name, values_of) in enumerate(columns.items()):
        yield f'{"," if number else ""}\n"{name}":['.encode()
        for first in range(0, len(everyone), _SLICE_LEARNERS):
            values = msgspec.json.encode(values_of(everyone[first : first + _SLICE_LEARNERS]))
            yield (b"," if first else b"") + values[1:-1]
        yield b"]"


class _SectionTruth:
    """What is true of one section, as rows of each part of the file."""

    def __init__(self, plan: Plan, section: Section, tally: Tally) -> None:
        self._plan, self._section, self._tally = plan, section, tally

    @cached_property
    def _course(self) -> Course:
        return course_of(self._plan, self._section.course_number)

    @cached_property
    def _name(self) -> int | str:
        if self._plan.dialect == "torus":
            return self._section.number
        return openedx.course_key(self._course, self._section)

    def _activity(self, item: int) -> int | str:
        if self._plan.dialect == "torus":
            return torus.activity_id(self._course.number, item)
        return f"{self._plan.host}/xblock/{openedx.block_id(self._course, self._section, 'problem', item)}"

    def _video(self, page: int) -> str:
        if self._plan.dialect == "torus":
            return torus.video_url(self._course.number, page)
        return f"{self._plan.host}/xblock/{openedx.block_id(self._course, self._section, 'video', page)}"

    def counts(self) -> list[dict[str, Any]]:
        start, types = first_day(self._section), EVENT_TYPES[self._plan.dialect]
        return [
            {
                "section": self._name,
                "event_type": types[row],
                "day": str(np.datetime64(start + day, "D")),
                "statements": int(self._tally.counts[row, day]),
            }
            for row, day in np.argwhere(self._tally.counts).tolist()
        ]

    def scores(self) -> list[dict[str, Any]]:
        return [
            {"section": self._name, "event_type": kind, "scored": count, "mean_scaled": total / count}
            for kind, (count, total) in sorted(self._tally.scored.items())
        ]

    def learners(self) -> list[dict[str, Any]]:
        tally = self._tally
        return [
            {
                "section": self._name,
                "title": self._course.title,
                "learners": tally.learners,
                "enrolled": tally.enrolled,
                "dropped_out": tally.dropped_out,
                "skewed_clocks": tally.skewed,
                "statements": tally.statements,
            }
        ]

    def activities(self) -> list[dict[str, Any]]:
        attempts, learners, scaled = self._tally.activity
        return [
            {
                "section": self._name,
                "activity": self._activity(item),
                "attempts": int(attempts[item]),
                "learners": int(learners[item]),
                "mean_scaled": float(scaled[item] / attempts[item]),
                "difficulty": round(float(self._course.item_difficulty[item]), 6),
                "discrimination": round(float(self._course.item_discrimination[item]), 6),
            }
            for item in np.flatnonzero(attempts).tolist()
        ]

    def videos(self) -> list[dict[str, Any]]:
        plays, viewers, completions = self._tally.video
        return [
            {
                "section": self._name,
                "video": self._video(page),
                "plays": int(plays[page]),
                "viewers": int(viewers[page]),
                "completions": int(completions[page]),
            }
            for page in np.flatnonzero(self._tally.video.sum(axis=0)).tolist()
        ]

    def experiments(self) -> list[dict[str, Any]]:
        return [
            {"section": self._name, "condition": code, "learners": learners, "attributions": attributions}
            for code, learners, attributions in zip(torus.CONDITIONS, *self._tally.experiment.tolist(), strict=True)
            if learners
        ]


_PARTS: Final[dict[str, Callable[[_SectionTruth], list[dict[str, Any]]]]] = {
    "counts": _SectionTruth.counts,
    "scores": _SectionTruth.scores,
    "learners": _SectionTruth.learners,
    "activities": _SectionTruth.activities,
    "videos": _SectionTruth.videos,
    "experiments": _SectionTruth.experiments,
}


def _plan_of(plan: Plan) -> dict[str, Any]:
    written = asdict(plan)
    written["start"] = plan.start.isoformat()
    written["sizes"] = [asdict(size) for size in plan.sizes]
    return written
