"""What happens on the campus, as Torus's kinds of statements: which columns fill the holes of each."""

from __future__ import annotations

from dataclasses import replace
from typing import Final

import numpy as np

from schoolhouse.simulate.batch import Batch
from schoolhouse.simulate.behaviour import Story
from schoolhouse.simulate.campus import Ints, Plan, evenly
from schoolhouse.simulate.pieces import score_number
from schoolhouse.simulate.watching import Act

ACTS: Final = {Act.PLAYED: "played", Act.PAUSED: "paused", Act.SEEKED: "seeked", Act.COMPLETED: "completed"}
ATTEMPTS: Final = frozenset({"part_attempt", "activity_attempt", "page_attempt"})
MESSAGES: Final = (
    "Look at the unit of your answer once more.",
    "Which of the two quantities does the question ask for?",
    "Try the first step by itself.",
)


def batches(plan: Plan, story: Story, random: np.random.Generator) -> list[Batch]:
    """Every statement of the story, by kind."""
    visits = story.visits
    made = [*_attempts(story, random), *_pages(story), *_watching(story), _legacy(plan, story, random)]
    if story.course.has_experiment:
        conditions = random.integers(0, 2, len(story.enrolments.learner))
        made = [_attributed(plan, story, batch, conditions) if batch.kind in ATTEMPTS else batch for batch in made]
        first = np.flatnonzero(np.diff(visits.enrolment, prepend=-1))
        condition = conditions[visits.enrolment[first]]
        made.append(
            Batch(
                kind="condition_assigned",
                event_type="experiment",
                enrolment=visits.enrolment[first],
                visit=first,
                at_ms=visits.start_ms[first] + 350,
                holes={"condition": condition, "condition_code": condition},
                facts={"assigned": condition},
            )
        )
    return made


def _attributed(plan: Plan, story: Story, batch: Batch, conditions: Ints) -> Batch:
    """Attempts on the pages of the intervention carry the condition of their learner, the others an empty list."""
    is_in = evenly(plan.rates.intervention_share, story.visits.page[batch.visit])
    condition = conditions[batch.enrolment]
    number = np.where(is_in, 1 + batch.enrolment * 2 + condition, 0)
    facts = batch.facts | {"attributed": np.where(is_in, condition, -1)}
    return replace(batch, holes=batch.holes | {"attributions": number}, facts=facts)


def _legacy(plan: Plan, story: Story, random: np.random.Generator) -> Batch:
    """Plays that an old page tells once more."""
    watching, visits = story.watching, story.visits
    played = np.flatnonzero(watching.act == Act.PLAYED)
    row = played[random.random(len(played)) < plan.rates.legacy_share]
    visit = watching.visit[row]
    page = visits.page[visit]
    return Batch(
        kind="experienced",
        event_type="video",
        enrolment=visits.enrolment[visit],
        visit=visit,
        at_ms=visits.start_ms[visit] + watching.offset_ms[row] + 5,
        holes=_scope(story, visit) | {"url": page, "title": page},
    )


def _scope(story: Story, visit: Ints) -> dict[str, Ints]:
    return {
        "page_guid": visit,
        "page_number": np.minimum(story.visits.number[visit], 9_999),
        "page": story.visits.page[visit],
    }


def _attempts(story: Story, random: np.random.Generator) -> list[Batch]:
    practice, visits = story.practice, story.visits
    every = np.arange(len(practice.visit))
    at = visits.start_ms[practice.visit] + practice.offset_ms
    activity = _scope(story, practice.visit) | {
        "activity_guid": every,
        "activity_number": np.minimum(practice.number, 9_999),
        "activity": practice.item,
        "revision": practice.item,
    }
    attempts = Batch(
        kind="activity_attempt",
        event_type="activity_attempt",
        enrolment=visits.enrolment[practice.visit],
        visit=practice.visit,
        at_ms=at + 40,
        holes=activity
        | {
            "score": score_number(practice.right, practice.parts),
            "success": (practice.right == practice.parts).astype(np.int64),
        },
        facts={"item": practice.item, "right": practice.right, "out_of": practice.parts},
    )
    of_try = np.repeat(every, practice.parts)
    part = np.arange(len(of_try)) - np.repeat(np.cumsum(practice.parts) - practice.parts, practice.parts)
    right = (practice.mask[of_try] >> part) & 1
    key = (practice.item[of_try] * 7 + part) % 4
    chosen = np.where(right == 1, key, (key + random.integers(1, 4, len(of_try))) % 4)
    parts = Batch(
        kind="part_attempt",
        event_type="part_attempt",
        enrolment=attempts.enrolment[of_try],
        visit=practice.visit[of_try],
        at_ms=at[of_try] + part,
        holes={name: column[of_try] for name, column in activity.items()}
        | {
            "part_guid": np.arange(len(of_try)),
            "part": part,
            "hints": practice.hints[of_try],
            "objectives": practice.item[of_try],
            "session": visits.session[practice.visit[of_try]],
            "score": score_number(right, np.ones_like(right)),
            "success": right,
            "response": chosen,
            "feedback": right,
        },
    )
    told = np.flatnonzero(practice.gets_tutor)
    tutor = Batch(
        kind="tutor_message",
        event_type="tutor_message",
        enrolment=attempts.enrolment[told],
        visit=practice.visit[told],
        at_ms=at[told] + 700,
        holes={name: column[told] for name, column in activity.items()}
        | {"message": practice.item[told] % len(MESSAGES)},
    )
    return [parts, attempts, tutor]


def _pages(story: Story) -> list[Batch]:
    visits, practice = story.visits, story.practice
    every = np.arange(len(visits.page))
    viewed = Batch(
        kind="page_viewed",
        event_type="page_viewed",
        enrolment=visits.enrolment,
        visit=every,
        at_ms=visits.start_ms,
        holes=_scope(story, every) | {"sub_type": story.course.page_is_graded[visits.page].astype(np.int64)},
    )
    done = practice.finish_visit
    handed_in = Batch(
        kind="page_attempt",
        event_type="page_attempt",
        enrolment=visits.enrolment[done],
        visit=done,
        at_ms=visits.start_ms[done] + practice.finish_offset_ms,
        holes=_scope(story, done)
        | {
            "score": score_number(practice.finish_right, practice.finish_out_of),
            "success": (practice.finish_right == practice.finish_out_of).astype(np.int64),
        },
        facts={"right": practice.finish_right, "out_of": practice.finish_out_of},
    )
    return [viewed, handed_in]


def _watching(story: Story) -> list[Batch]:
    watching, visits = story.watching, story.visits
    seconds = story.course.page_video_seconds
    made = []
    for act, name in ACTS.items():
        row = np.flatnonzero(watching.act == act)
        visit = watching.visit[row]
        page = visits.page[visit]
        holes = _scope(story, visit) | {"at": watching.at[row], "before": watching.before[row]}
        progress = watching.furthest[row] * 10 // np.maximum(seconds[page], 1)
        made.append(
            Batch(
                kind=name,
                event_type="video",
                enrolment=visits.enrolment[visit],
                visit=visit,
                at_ms=visits.start_ms[visit] + watching.offset_ms[row],
                holes=holes
                | {"progress": progress, "element": page, "length": seconds[page] * 10, "url": page, "title": page},
                facts={"video": page},
            )
        )
    return made
