"""The campus as OLI Torus would tell it: statements without ids, with extension keys of its own.

One deviation, on purpose: `result.success` follows the score, where Torus writes true always. Object ids are plain, where
Torus adds a stray `}`.
"""

from __future__ import annotations

from typing import Any, Final

import numpy as np

from schoolhouse.simulate.batch import Batch
from schoolhouse.simulate.behaviour import Story
from schoolhouse.simulate.campus import Ints, Plan
from schoolhouse.simulate.pieces import (
    Table,
    bare,
    dumps,
    hundredths,
    score_number,
    scores,
    tenths,
    text,
    uuids,
    whole_numbers,
)
from schoolhouse.simulate.watching import Act

E: Final = "http://oli.cmu.edu/extensions/"
V: Final = "https://w3id.org/xapi/video/extensions/"
_COMPLETED: Final = "http://adlnet.gov/expapi/verbs/completed"
_VIDEO_TYPE: Final = "https://w3id.org/xapi/video/activity-type/video"
_ACTS: Final = {Act.PLAYED: "played", Act.PAUSED: "paused", Act.SEEKED: "seeked", Act.COMPLETED: "completed"}

FIRST_USER: Final = 20_000
FIRST_ENROLLMENT: Final = 700_000


def page_id(course: int, page: int) -> int:
    """Resource id of a page."""
    return 100_000 + course * 1_000 + page


def activity_id(course: int, item: int) -> int:
    """Resource id of an activity."""
    return 10_000_000 + course * 10_000 + item


def video_url(course: int, page: int) -> str:
    """Address of the video on a page."""
    return f"https://video.campus.example/{page_id(course, page)}.mp4"


def verb(address: str) -> dict[str, Any]:
    """A verb with its display name."""
    return {"id": address, "display": {"en-US": address.rsplit("/", 1)[1].replace("_", " ")}}


def templates(plan: Plan, story: Story) -> dict[str, dict[str, Any]]:
    """The statement of each kind, with holes, for the section of the chunk."""
    host, section = plan.host, story.chunk.section
    scope = {
        f"{E}section_id": section.number,
        f"{E}enrollment_id": bare("enrollment"),
        f"{E}project_id": 301 + section.course_number,
        f"{E}publication_id": 401 + section.course_number,
        f"{E}page_attempt_guid": text("page_guid"),
        f"{E}page_attempt_number": bare("page_number"),
    }
    page = scope | {f"{E}page_id": bare("page")}
    activity = page | {
        f"{E}activity_attempt_guid": text("activity_guid"),
        f"{E}activity_attempt_number": bare("activity_number"),
        f"{E}activity_id": bare("activity"),
        f"{E}activity_revision_id": bare("revision"),
    }
    part = activity | {
        f"{E}part_attempt_guid": text("part_guid"),
        f"{E}part_attempt_number": bare("activity_number"),
        f"{E}part_id": text("part"),
        f"{E}hints_requested": bare("hints"),
        f"{E}attached_objectives": bare("objectives"),
        f"{E}session_id": text("session"),
    }
    outcome = {"score": bare("score"), "completion": True, "success": bare("success")}
    answer = outcome | {"response": bare("response"), "extensions": {f"{E}feedback": bare("feedback")}}

    def attempt(what: str, guid: str, kind: str, result: dict[str, Any], context: dict[str, Any]) -> dict[str, Any]:
        return {
            "actor": bare("actor"),
            "verb": verb(_COMPLETED),
            "object": {"id": f"{host}/{what}/{text(guid)}", "definition": {"type": kind}},
            "result": result,
            "context": {"extensions": context},
            "timestamp": text("timestamp"),
        }

    question = "http://adlnet.gov/expapi/activities/question"
    return {
        "part_attempt": attempt("part_attempt", "part_guid", question, answer, part),
        "activity_attempt": attempt("activity_attempt", "activity_guid", f"{E}activity_attempt", outcome, activity),
        "page_attempt": attempt("page_attempt", "page_guid", f"{E}page_attempt", outcome, page),
        "page_viewed": {
            "actor": bare("actor"),
            "verb": verb("http://id.tincanapi.com/verb/viewed"),
            "object": {
                "id": f"{host}/page/{text('page')}",
                "objectType": "Page",
                "definition": {"type": f"{E}types/page", "subType": text("sub_type")},
            },
            "result": {"completion": True, "success": True},
            "context": {"extensions": page},
            "timestamp": text("timestamp"),
        },
        "tutor_message": {
            "actor": bare("actor"),
            "verb": verb("http://activitystrea.ms/schema/1.0/create"),
            "object": {
                "id": f"{host}/tutor_message/{text('activity_guid')}",
                "objectType": "Tutor",
                "definition": {"type": f"{E}tutor_message"},
            },
            "result": {"message": text("message")},
            "context": {"extensions": activity},
            "timestamp": text("timestamp"),
        },
        "condition_assigned": {
            "actor": bare("actor"),
            "verb": verb(f"{E}verbs/experiment_condition_assigned"),
            "object": {
                "id": f"{host}/experiments/{experiment_uuid(section.course_number)}/assignments/{text('enrollment')}",
                "definition": {"type": f"{E}types/condition_assignment"},
            },
            "context": {"extensions": _assignment(section.number, section.course_number)},
            "timestamp": text("timestamp"),
        },
        **{name: _video(host, scope, act, section.number) for act, name in _ACTS.items()},
    }


def experiment_uuid(course: int) -> str:
    """Identity of the experiment of a course."""
    return f"5eed0000-0000-4000-8000-{course:012d}"


def _assignment(section: int, course: int) -> dict[str, Any]:
    entry = {
        "role": "assignment",
        "attribution_type": "assignment",
        "experiment_id": 501 + course,
        "experiment_uuid": experiment_uuid(course),
        "condition_id": bare("condition"),
        "condition_code": text("condition_code"),
        "assignment_id": bare("enrollment"),
        "assignment_scope": "intervention",
        "algorithm": "weighted_random",
        "enrollment_id": bare("enrollment"),
        "section_id": section,
        "key": text("enrollment"),
    }
    return {
        f"{E}section_id": section,
        f"{E}enrollment_id": bare("enrollment"),
        f"{E}project_id": 301 + course,
        f"{E}publication_id": 401 + course,
        f"{E}experiment_attributions": [entry],
    }


def _video(host: str, scope: dict[str, Any], act: Act, section: int) -> dict[str, Any]:
    results: dict[Act, dict[str, Any]] = {
        Act.PLAYED: {f"{V}time": bare("at")},
        Act.PAUSED: {
            f"{V}time": bare("at"),
            f"{V}progress": bare("progress"),
            f"{V}played-segments": f"{text('before')}[.]{text('at')}",
        },
        Act.SEEKED: {f"{V}time-from": bare("before"), f"{V}time-to": bare("at")},
    }
    results[Act.COMPLETED] = results[Act.PAUSED]
    context = scope | {f"{E}page_id" if act is Act.COMPLETED else f"{E}resource_id": bare("page")}
    context |= {f"{E}content_element_id": text("element"), f"{V}length": bare("length")}
    if act is Act.COMPLETED:
        context |= {f"{V}completion-threshold": "1.0"}
    statement: dict[str, Any] = {
        "actor": bare("actor"),
        "verb": verb(f"https://w3id.org/xapi/video/verbs/{_ACTS[act]}"),
        "object": {
            "id": text("url"),
            "definition": {"name": {"en-US": text("title")}, "type": _VIDEO_TYPE},
        },
        "result": {"extensions": results[act]},
        "context": {
            "contextActivities": {"category": [{"id": "https://w3id.org/xapi/video"}]},
            "extensions": context,
        },
    }
    if act is not Act.COMPLETED:
        statement["registration"] = f"{section}-{text('page')}-{text('element')}"
    return statement | {"timestamp": text("timestamp")}


MESSAGES: Final = (
    "Look at the unit of your answer once more.",
    "Which of the two quantities does the question ask for?",
    "Try the first step by itself.",
)
FEEDBACK: Final = ({"text": "Not quite. Read the explanation and try again."}, {"text": "That is right."})


def tables(plan: Plan, story: Story, random: np.random.Generator) -> dict[str, Table]:
    """What can fill each hole."""
    course, chunk = story.course, story.chunk
    number = course.number
    pages, items = range(course.pages), range(course.items)
    first = FIRST_ENROLLMENT + chunk.section.first_place + chunk.first
    learner = story.enrolments.learner.tolist()
    session = int(story.visits.session.max(initial=-1)) + 1
    return {
        "actor": [
            dumps({"objectType": "Agent", "account": {"homePage": plan.host, "name": FIRST_USER + who}}) for who in learner
        ],
        "enrollment": [str(first + place).encode() for place in range(len(learner))],
        "page": [str(page_id(number, page)).encode() for page in pages],
        "page_guid": uuids(random, len(story.visits.page)),
        "page_number": whole_numbers(),
        "activity_guid": uuids(random, len(story.practice.visit)),
        "activity_number": whole_numbers(),
        "activity": [str(activity_id(number, item)).encode() for item in items],
        "revision": [str(activity_id(number, item) * 10 + 1).encode() for item in items],
        "part_guid": uuids(random, int(story.practice.parts.sum())),
        "part": [b"1", b"2", b"3"],
        "hints": [dumps([f"hint-{n + 1}" for n in range(count)]) for count in range(5)],
        "objectives": [dumps([number * 1_000 + int(course.item_skill[item])]) for item in items],
        "session": uuids(random, session),
        "score": scores(course.most_points),
        "success": [b"false", b"true"],
        "response": [dumps({"input": letter}) for letter in "ABCD"],
        "feedback": [dumps(one) for one in FEEDBACK],
        "sub_type": [b"practice", b"graded"],
        "message": [message.encode() for message in MESSAGES],
        "condition": [str(601 + 2 * number + n).encode() for n in range(2)],
        "condition_code": [b"control", b"treatment"],
        "at": tenths(),
        "before": tenths(),
        "length": tenths(),
        "progress": hundredths(),
        "element": [f"ce{page_id(number, page)}".encode() for page in pages],
        "url": [video_url(number, page).encode() for page in pages],
        "title": [f"{course.title}, part {page + 1}".encode() for page in pages],
    }


def batches(plan: Plan, story: Story, random: np.random.Generator) -> list[Batch]:
    """Every statement of the story, by kind."""
    visits = story.visits
    made = [*_attempts(story, random), *_pages(story), *_watching(story)]
    if story.course.has_experiment:
        first = np.flatnonzero(np.diff(visits.enrolment, prepend=-1))
        condition = random.integers(0, 2, len(story.enrolments.learner))[visits.enrolment[first]]
        made.append(
            Batch(
                kind="condition_assigned",
                event_type="experiment",
                enrolment=visits.enrolment[first],
                visit=first,
                at_ms=visits.start_ms[first] + 350,
                holes={"condition": condition, "condition_code": condition},
            )
        )
    return made


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
        holes={name: column[told] for name, column in activity.items()} | {"message": practice.item[told] % len(MESSAGES)},
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
    for act, name in _ACTS.items():
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
