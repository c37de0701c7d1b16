"""The campus as OLI Torus would tell it: statements without ids, with extension keys of its own.

By default the statements are valid xAPI 1.0.3. With `quirks` they depart from it as Torus does: account names are
numbers, `response` is an object, `objectType` is Page or Tutor, a page's sub type, a tutor's message and a video's
registration stand in places that xAPI does not have, object ids end in a stray `}`, and `success` is always true.
"""

from __future__ import annotations

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
FIRST_PROJECT: Final = 301
FIRST_ENROLLMENT: Final = 700_000


def numbered(course: int, thing: int, *, first: int, most: int) -> int:
    """A number of its own for each thing of each course; a course with more than `most` goes on in another range."""
    return first + course * most + thing % most + thing // most * 1_000_000_000


def page_id(course: int, page: int) -> int:
    """Resource id of a page."""
    return numbered(course, page, first=100_000, most=1_000)


def activity_id(course: int, item: int) -> int:
    """Resource id of an activity."""
    return numbered(course, item, first=10_000_000, most=10_000)


def video_url(course: int, page: int) -> str:
    """Address of the video on a page."""
    return f"https://video.campus.example/{page_id(course, page)}.mp4"


def verb(address: str) -> dict[str, Any]:
    """A verb with its display name."""
    return {"id": address, "display": {"en-US": address.rsplit("/", 1)[1].replace("_", " ")}}


def templates(plan: Plan, story: Story) -> dict[str, dict[str, Any]]:
    """The statement of each kind, with holes, for the section of the chunk."""
    section = story.chunk.section
    scope = {
        f"{E}section_id": section.number,
        f"{E}enrollment_id": bare("enrollment"),
        f"{E}project_id": FIRST_PROJECT + section.course_number,
        f"{E}publication_id": 401 + section.course_number,
        f"{E}page_attempt_guid": text("page_guid"),
        f"{E}page_attempt_number": bare("page_number"),
    }
    made = {
        **_attempts(plan.host, scope, has_experiment=story.course.has_experiment),
        "page_viewed": _page_viewed(plan.host, scope),
        "condition_assigned": _condition_assigned(plan.host, section.number, section.course_number),
        "experienced": _experienced(scope),
        **{name: _video(scope, act) for act, name in ACTS.items()},
    }
    return _quirked(made, section.number) if plan.quirks else made


def _attempts(host: str, scope: dict[str, Any], *, has_experiment: bool) -> dict[str, dict[str, Any]]:
    """Attempts on parts, activities and pages, and what the tutor says to them."""
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
    question = "http://adlnet.gov/expapi/activities/question"
    attributions = {f"{E}experiment_attributions": bare("attributions")} if has_experiment else {}

    def attempt(what: str, guid: str, kind: str, result: dict[str, Any], context: dict[str, Any]) -> dict[str, Any]:
        target = {"id": f"{host}/{what}/{text(guid)}", "definition": {"type": kind}}
        return _statement(verb(_COMPLETED), target, result, {"extensions": context | attributions})

    return {
        "part_attempt": attempt("part_attempt", "part_guid", question, answer, part),
        "activity_attempt": attempt("activity_attempt", "activity_guid", f"{E}activity_attempt", outcome, activity),
        "page_attempt": attempt("page_attempt", "page_guid", f"{E}page_attempt", outcome, page),
        "tutor_message": _statement(
            verb("http://activitystrea.ms/schema/1.0/create"),
            {"id": f"{host}/tutor_message/{text('activity_guid')}", "definition": {"type": f"{E}tutor_message"}},
            {"response": text("message")},
            {"extensions": activity},
        ),
    }


def _statement(
    verb: dict[str, Any], target: dict[str, Any], result: dict[str, Any], context: dict[str, Any]
) -> dict[str, Any]:
    """A statement of the learner and the moment that the holes name."""
    made = {"actor": bare("actor"), "verb": verb, "object": target, "result": result, "context": context}
    return {name: part for name, part in made.items() if part} | {"timestamp": text("timestamp")}


def _page_viewed(host: str, scope: dict[str, Any]) -> dict[str, Any]:
    definition = {"type": f"{E}types/page", "extensions": {f"{E}page_sub_type": text("sub_type")}}
    return _statement(
        verb("http://id.tincanapi.com/verb/viewed"),
        {"id": f"{host}/page/{text('page')}", "definition": definition},
        {"completion": True, "success": True},
        {"extensions": scope | {f"{E}page_id": bare("page")}},
    )


def _condition_assigned(host: str, section: int, course: int) -> dict[str, Any]:
    experiment = f"{host}/experiments/{experiment_uuid(course)}/assignments/{text('enrollment')}"
    return _statement(
        verb(f"{E}verbs/experiment_condition_assigned"),
        {"id": experiment, "definition": {"type": f"{E}types/condition_assignment"}},
        {},
        {"extensions": _assignment(section, course)},
    )


def _experienced(scope: dict[str, Any]) -> dict[str, Any]:
    """What Torus said of a video before there were plays and pauses; its object has no type."""
    return _statement(
        verb("http://adlnet.gov/expapi/verbs/experienced"),
        {"id": text("url"), "definition": {"name": {"en-US": text("title")}}},
        {},
        {"extensions": scope | {f"{E}resource_id": bare("page")}},
    )


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
    entry = attribution(section, course, bare("condition"), text("condition_code"), bare("enrollment"))
    return {
        f"{E}section_id": section,
        f"{E}enrollment_id": bare("enrollment"),
        f"{E}project_id": FIRST_PROJECT + course,
        f"{E}publication_id": 401 + course,
        f"{E}experiment_attributions": [entry],
    }


def attribution(section: int, course: int, condition: Any, code: str, enrollment: Any) -> dict[str, Any]:
    """The entry that says which condition a learner is in. Condition and enrolment are numbers, or holes for them."""
    return {
        "role": "assignment",
        "attribution_type": "assignment",
        "experiment_id": 501 + course,
        "experiment_uuid": experiment_uuid(course),
        "condition_id": condition,
        "condition_code": code,
        "assignment_id": enrollment,
        "assignment_scope": "intervention",
        "algorithm": "weighted_random",
        "enrollment_id": enrollment,
        "section_id": section,
        "key": text("enrollment") if isinstance(enrollment, str) else str(enrollment),
    }


def _attributions(story: Story, first_enrollment: int) -> list[bytes]:
    """No entry, then for each learner the entry of either condition."""
    section, course = story.chunk.section.number, story.course.number
    if not story.course.has_experiment:
        return [b"[]"]
    either = [
        dumps([attribution(section, course, 601 + 2 * course + number, code, _ANY_ENROLLMENT)])
        for number, code in enumerate(CONDITIONS)
    ]
    return [b"[]"] + [
        entry.replace(b"%d" % _ANY_ENROLLMENT, b"%d" % (first_enrollment + place))
        for place in range(len(story.enrolments.learner))
        for entry in either
    ]


CONDITIONS: Final = ("control", "treatment")
_ANY_ENROLLMENT: Final = 987_654_321_987  # stands for one until its number is put in
_ANYBODY: Final = 987_654_321_986


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
    return _statement(
        verb(f"https://w3id.org/xapi/video/verbs/{ACTS[act]}"),
        {"id": text("url"), "definition": {"name": {"en-US": text("title")}, "type": _VIDEO_TYPE}},
        {"extensions": results[act]},
        {"contextActivities": {"category": [{"id": "https://w3id.org/xapi/video"}]}, "extensions": context},
    )


FEEDBACK: Final = ({"text": "Not quite. Read the explanation and try again."}, {"text": "That is right."})


def tables(plan: Plan, story: Story, random: np.random.Generator) -> dict[str, Table]:
    """What can fill each hole."""
    course, chunk = story.course, story.chunk
    number = course.number
    pages, items = range(course.pages), range(course.items)
    first = FIRST_ENROLLMENT + chunk.section.first_place + chunk.first
    learner: list[int] = story.enrolments.learner.tolist()
    session = int(story.visits.session.max(initial=-1)) + 1
    anybody = _ANYBODY if plan.quirks else str(_ANYBODY)
    actor = dumps({"objectType": "Agent", "account": {"homePage": plan.host, "name": anybody}})
    return {
        "actor": [actor.replace(b"%d" % _ANYBODY, b"%d" % (FIRST_USER + who)) for who in learner],
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
        "objectives": [dumps([numbered(number, skill, first=0, most=1_000)]) for skill in course.item_skill.tolist()],
        "session": uuids(random, session),
        "score": scores(course.most_points),
        "success": [b"true", b"true"] if plan.quirks else [b"false", b"true"],
        "response": [dumps({"input": letter} if plan.quirks else letter) for letter in "ABCD"],
        "feedback": [dumps(one) for one in FEEDBACK],
        "sub_type": [b"practice", b"graded"],
        "message": [message.encode() for message in MESSAGES],
        "condition": [str(601 + 2 * number + n).encode() for n in range(2)],
        "condition_code": [code.encode() for code in CONDITIONS],
        "attributions": _attributions(story, first),
        "at": tenths(),
        "before": tenths(),
        "length": tenths(),
        "progress": hundredths(),
        "element": [f"ce{page_id(number, page)}".encode() for page in pages],
        "url": [video_url(number, page).encode() for page in pages],
        "title": [f"{course.title}, part {page + 1}".encode() for page in pages],
    }
