"""The campus as OLI Torus would tell it: statements without ids, with extension keys of its own.

By default the statements are valid xAPI 1.0.3. With `quirks` they depart from it as Torus does: account names are
numbers, `response` is an object, `objectType` is Page or Tutor, a page's sub type, a tutor's message and a video's
registration stand in places that xAPI does not have, object ids end in a stray `}`, and `success` is always true.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final

import numpy as np

from schoolhouse.simulate.behaviour import Story
from schoolhouse.simulate.campus import Plan
from schoolhouse.simulate.pieces import (
    Table,
    bare,
    dumps,
    hundredths,
    scores,
    tenths,
    text,
    uuids,
    whole_numbers,
)
from schoolhouse.simulate.torus_batches import ACTS, MESSAGES, batches
from schoolhouse.simulate.watching import Act

__all__ = ["batches", "tables", "templates"]

E: Final = "http://oli.cmu.edu/extensions/"
V: Final = "https://w3id.org/xapi/video/extensions/"
_COMPLETED: Final = "http://adlnet.gov/expapi/verbs/completed"
_VIDEO_TYPE: Final = "https://w3id.org/xapi/video/activity-type/video"

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
    made: dict[str, dict[str, Any]] = {
        "part_attempt": attempt("part_attempt", "part_guid", question, answer, part),
        "activity_attempt": attempt("activity_attempt", "activity_guid", f"{E}activity_attempt", outcome, activity),
        "page_attempt": attempt("page_attempt", "page_guid", f"{E}page_attempt", outcome, page),
        "page_viewed": {
            "actor": bare("actor"),
            "verb": verb("http://id.tincanapi.com/verb/viewed"),
            "object": {
                "id": f"{host}/page/{text('page')}",
                "definition": {
                    "type": f"{E}types/page",
                    "extensions": {f"{E}page_sub_type": text("sub_type")},
                },
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
                "definition": {"type": f"{E}tutor_message"},
            },
            "result": {"response": text("message")},
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
        **{name: _video(scope, act) for act, name in ACTS.items()},
    }
    return _quirked(made, section.number) if plan.quirks else made


def _quirked(made: dict[str, dict[str, Any]], section: int) -> dict[str, dict[str, Any]]:
    """The same statements with the departures from xAPI that Torus makes."""
    for kind in ("part_attempt", "activity_attempt", "page_attempt"):
        made[kind]["object"]["id"] += "}"
    viewed, tutor = made["page_viewed"], made["tutor_message"]
    viewed["object"] |= {"objectType": "Page", "definition": {"type": f"{E}types/page", "subType": text("sub_type")}}
    tutor["object"]["objectType"] = "Tutor"
    tutor["result"] = {"message": text("message")}
    for kind in ("played", "paused", "seeked"):
        made[kind]["registration"] = f"{section}-{text('page')}-{text('element')}"
    return made


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


def _video(scope: dict[str, Any], act: Act) -> dict[str, Any]:
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
    return {
        "actor": bare("actor"),
        "verb": verb(f"https://w3id.org/xapi/video/verbs/{ACTS[act]}"),
        "object": {
            "id": text("url"),
            "definition": {"name": {"en-US": text("title")}, "type": _VIDEO_TYPE},
        },
        "result": {"extensions": results[act]},
        "context": {
            "contextActivities": {"category": [{"id": "https://w3id.org/xapi/video"}]},
            "extensions": context,
        },
        "timestamp": text("timestamp"),
    }


FEEDBACK: Final = ({"text": "Not quite. Read the explanation and try again."}, {"text": "That is right."})


def tables(plan: Plan, story: Story, random: np.random.Generator) -> dict[str, Table]:
    """What can fill each hole."""
    course, chunk = story.course, story.chunk
    number = course.number
    pages, items = range(course.pages), range(course.items)
    first = FIRST_ENROLLMENT + chunk.section.first_place + chunk.first
    learner: list[int] = story.enrolments.learner.tolist()
    session = int(story.visits.session.max(initial=-1)) + 1
    name: Callable[[int], int | str] = int if plan.quirks else str
    return {
        "actor": [
            dumps({"objectType": "Agent", "account": {"homePage": plan.host, "name": name(FIRST_USER + who)}})
            for who in learner
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
        "success": [b"true", b"true"] if plan.quirks else [b"false", b"true"],
        "response": [dumps({"input": letter} if plan.quirks else letter) for letter in "ABCD"],
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
