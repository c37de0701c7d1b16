"""Events in a few words, as the cases of charts give them, and the statements that they stand for.

    {who: ann, at: 03-02 10:00, did: play, video: v1, time: 0}

Days are in 2026. OLI Torus: view, play, pause, seek, end, try, part, hand_in, assign. Open edX: register, unregister,
pass, go, check, hint, grade, subsection_grade.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from tests.given import HOST, E

V = "https://w3id.org/xapi/video/extensions/"
ADL = "http://adlnet.gov/expapi/"
Event = dict[str, Any]
Statement = dict[str, Any]


def statement_of(event: Event, section: int) -> Statement:
    """The statement of one event in a section of Torus, or in the course run that `course_key(section)` names."""
    made = _MAKERS[event["did"]](event, section)
    return {
        "actor": {"objectType": "Agent", "account": {"homePage": HOST, "name": event["who"]}},
        "timestamp": f"2026-{event['at'].replace(' ', 'T')}{':00' if event['at'].count(':') == 1 else ''}Z",
        **made,
    }


def course_key(section: int) -> str:
    """The key of the course run that stands for a section's number."""
    return f"course-v1:Test+C{section}+1"


def block(section: int, kind: str, name: str) -> str:
    """The address of a block."""
    return f"{HOST}/xblock/{course_key(section).replace('course', 'block')}+type@{kind}+block@{name}"


def _torus(section: int, verb: str, kind: str, **more: Any) -> Statement:
    context = {f"{E}{name}": value for name, value in more.pop("context", {}).items() if value is not None}
    extensions = {f"{E}section_id": section, f"{E}project_id": 7} | context
    what = {"id": more.pop("id", f"{HOST}/{kind.rsplit('/', 1)[-1]}/x"), "definition": {"type": kind}}
    return {"verb": {"id": verb}, "object": what, "context": {"extensions": extensions}, **more}


def _score(event: Event) -> dict[str, Any]:
    most = event.get("out_of", 1)
    return {"score": {"scaled": event["score"], "raw": event["score"] * most, "min": 0, "max": most}, "success": True}


def _viewed(event: Event, section: int) -> Statement:
    kind = f"{E}types/page"
    made = _torus(section, "http://id.tincanapi.com/verb/viewed", kind, context={"page_id": event["page"]})
    made["object"]["definition"]["subType"] = event.get("sub_type", "practice")
    return made | {"result": {"completion": True, "success": True}}


def _attempt(kind: str, **names: str) -> Callable[[Event, int], Statement]:
    def make(event: Event, section: int) -> Statement:
        context = {extension: event.get(key) for extension, key in names.items()}
        return _torus(section, f"{ADL}verbs/completed", kind, context=context, result=_score(event))

    return make


def _video(verb: str) -> Callable[[Event, int], Statement]:
    def make(event: Event, section: int) -> Statement:
        result = {f"{V}time": event["time"]}
        if verb == "seeked":
            result = {f"{V}time-from": event["time"], f"{V}time-to": event["to"]}
        made = _torus(
            section,
            f"https://w3id.org/xapi/video/verbs/{verb}",
            "https://w3id.org/xapi/video/activity-type/video",
            id=f"https://video.example/{event['video']}",
            context={"page_id": event.get("page")},
            result={"extensions": result},
        )
        made["context"]["extensions"][f"{V}length"] = event.get("length", 60)
        return made

    return make


def _assigned(event: Event, section: int) -> Statement:
    entry = {
        "role": "assignment",
        "attribution_type": "assignment",
        "experiment_uuid": event["experiment"],
        "condition_code": event["condition"],
        "key": event["who"],
    }
    verb, kind = f"{E}verbs/experiment_condition_assigned", f"{E}types/condition_assignment"
    return _torus(section, verb, kind, context={"experiment_attributions": [entry]})


def _openedx(section: int, verb: str, what: Statement, **more: Any) -> Statement:
    parent = {"id": f"{HOST}/course/{course_key(section)}", "definition": {"type": f"{ADL}activities/course"}}
    return {"verb": {"id": verb}, "object": what, "context": {"contextActivities": {"parent": [parent]}}, **more}


def _about_course(verb: str) -> Callable[[Event, int], Statement]:
    def make(event: Event, section: int) -> Statement:
        what = {"id": f"{HOST}/course/{course_key(section)}", "definition": {"type": f"{ADL}activities/course"}}
        result = {"result": {"score": {"scaled": event["score"]}}} if "score" in event else {}
        return _openedx(section, verb, what, **result)

    return make


def _on_block(verb: str, kind: str, key: str, **definition: Any) -> Callable[[Event, int], Statement]:
    def make(event: Event, section: int) -> Statement:
        what = {"id": block(section, kind, event[key]) + definition.get("tail", ""), "definition": {}}
        what["definition"] = {"type": definition["type"]}
        if "number" in event:
            what["definition"]["extensions"] = {"http://id.tincanapi.com/extension/attempt-id": event["number"]}
        return _openedx(section, verb, what, **({"result": _score(event)} if "score" in event else {}))

    return make


_RESOURCE = "http://id.tincanapi.com/activitytype/resource"
_MAKERS: dict[str, Callable[[Event, int], Statement]] = {
    "view": _viewed,
    "try": _attempt(f"{E}activity_attempt", page_id="page", activity_id="activity", activity_attempt_number="number"),
    "part": _attempt(
        f"{ADL}activities/question",
        page_id="page",
        activity_id="activity",
        activity_attempt_number="number",
        hints_requested="hints",
        attached_objectives="objectives",
    ),
    "hand_in": _attempt(f"{E}page_attempt", page_id="page", page_attempt_number="number"),
    "play": _video("played"),
    "pause": _video("paused"),
    "seek": _video("seeked"),
    "end": _video("completed"),
    "assign": _assigned,
    "register": _about_course(f"{ADL}verbs/registered"),
    "unregister": _about_course("http://id.tincanapi.com/verb/unregistered"),
    "pass": _about_course(f"{ADL}verbs/passed"),
    "grade": _about_course("http://id.tincanapi.com/verb/earned"),
    "subsection_grade": _on_block("http://id.tincanapi.com/verb/earned", "sequential", "subsection", type=_RESOURCE),
    "go": _on_block("https://w3id.org/xapi/dod-isd/verbs/navigated", "sequential", "subsection", type=_RESOURCE),
    "check": _on_block(
        "https://w3id.org/xapi/acrossx/verbs/evaluated", "problem", "problem", type=f"{ADL}activities/cmi.interaction"
    ),
    "hint": _on_block(
        f"{ADL}verbs/asked",
        "problem",
        "problem",
        type="https://w3id.org/xapi/acrossx/extensions/supplemental-info",
        tail="/hint/1",
    ),
}
