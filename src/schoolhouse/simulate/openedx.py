"""The campus as Open edX would tell it: the statements of event-routing-backends, in the kinds that sites really send.

Course keys, block ids and statement ids are well formed. A problem check is two statements, `attempted` by the browser
and `evaluated` by the server, as on a site.
"""

from __future__ import annotations

import hashlib
from typing import Any, Final

import numpy as np

from schoolhouse.simulate.behaviour import Story
from schoolhouse.simulate.campus import Course, Plan, Section
from schoolhouse.simulate.openedx_batches import ACTS, batches
from schoolhouse.simulate.pieces import (
    Bytes,
    Table,
    bare,
    dumps,
    hexes,
    scores,
    tenths,
    text,
    whole_numbers,
)
from schoolhouse.simulate.watching import Act

ADL: Final = "http://adlnet.gov/expapi/"
TINCAN: Final = "http://id.tincanapi.com/"
W3ID: Final = "https://w3id.org/xapi/"
V: Final = f"{W3ID}video/extensions/"
_VERBS: Final = {
    "registered": f"{ADL}verbs/registered",
    "unregistered": f"{TINCAN}verb/unregistered",
    "passed": f"{ADL}verbs/passed",
    "earned": f"{TINCAN}verb/earned",
    "progressed": f"{ADL}verbs/progressed",
    "attempted": f"{ADL}verbs/attempted",
    "evaluated": f"{W3ID}acrossx/verbs/evaluated",
    "asked": f"{ADL}verbs/asked",
    "navigated": f"{W3ID}dod-isd/verbs/navigated",
    "posted": f"{W3ID}acrossx/verbs/posted",
    "initialized": f"{ADL}verbs/initialized",
    "played": f"{W3ID}video/verbs/played",
    "paused": f"{W3ID}video/verbs/paused",
    "seeked": f"{W3ID}video/verbs/seeked",
    "completed": f"{ADL}verbs/completed",
    "terminated": f"{ADL}verbs/terminated",
    "interacted": f"{ADL}verbs/interacted",
}
_RESOURCE: Final = f"{TINCAN}activitytype/resource"
__all__ = ["batches", "tables", "templates"]
MODES: Final = ("audit", "verified", "honor")
DURATIONS: Final = tuple(f"PT{n // 60:02d}M{n % 60:02d}S".encode() for n in range(1_300))


def course_key(course: Course, section: Section) -> str:
    """The key of a course run."""
    return f"course-v1:Org{course.organization + 1}+{course.code}+{section.run}"


def block_id(course: Course, section: Section, kind: str, number: int) -> str:
    """The usage key of a block."""
    digest = hashlib.md5(f"{course.code}/{kind}/{number}".encode(), usedforsecurity=False).hexdigest()
    return f"{course_key(course, section).replace('course-v1', 'block-v1')}+type@{kind}+block@{digest}"


def learner_ids(plan: Plan, learners: list[int]) -> list[str]:
    """The anonymous ids (UUID version 4) that the platform gives its learners."""
    made = []
    for learner in learners:
        digest = bytearray(hashlib.sha256(f"{plan.seed}/learner/{learner}".encode()).digest()[:16])
        digest[6], digest[8] = digest[6] & 0x0F | 0x40, digest[8] & 0x3F | 0x80
        made.append(
            "{}-{}-{}-{}-{}".format(*(digest.hex()[a:b] for a, b in ((0, 8), (8, 12), (12, 16), (16, 20), (20, 32))))
        )
    return made


def templates(plan: Plan, story: Story) -> dict[str, dict[str, Any]]:
    """The statement of each kind, with holes, for the course run of the chunk."""
    run = _Run(plan.host, story.course, story.chunk.section)
    return {
        **_enrolling(run),
        **_grading(run),
        **_navigating(run),
        **_practising(run),
        **_posting(run),
        **_watching(run),
    }


class _Run:
    """What the statements of a course run have in common."""

    def __init__(self, host: str, course: Course, section: Section) -> None:
        self.host = host
        definition = {"name": {"en": course.title}, "type": f"{ADL}activities/course"}
        self.course: dict[str, Any] = {
            "definition": definition,
            "id": f"{host}/course/{course_key(course, section)}",
        }
        self._parent = {
            "id": self.course["id"],
            "objectType": "Activity",
            "definition": {"name": {"en-US": course.title}, "type": f"{ADL}activities/course"},
        }
        self.version = {f"{W3ID}openedx/extension/transformer-version": "event-routing-backends@9.3.5"}
        self.session = {f"{W3ID}openedx/extensions/session-id": text("session")}

    def within(
        self, extensions: dict[str, Any] | None = None, *, grouping: dict[str, Any] | None = None
    ) -> dict[str, Any]:
        """The context of what a learner does in the course."""
        activities = {"parent": [self._parent]} | ({"grouping": [grouping]} if grouping else {})
        return {"contextActivities": activities, "extensions": self.version | self.session | (extensions or {})}

    def unseen(self) -> dict[str, Any]:
        """The context of what the platform works out by itself, outside any session."""
        return {"contextActivities": {"parent": [self._parent]}, "extensions": self.version}

    def block(self, hole: str, kind: str, tail: str = "", **definition: Any) -> dict[str, Any]:
        """A block of the course as an object."""
        return {"definition": {**definition, "type": kind}, "id": f"{self.host}/xblock/{text(hole)}{tail}"}


def _statement(verb: str, what: dict[str, Any], context: dict[str, Any], **more: Any) -> dict[str, Any]:
    return {
        "id": text("id"),
        "actor": bare("actor"),
        "context": context,
        "object": {"objectType": "Activity"} | what,
        **more,
        "timestamp": text("timestamp"),
        "verb": {"display": {"en": verb}, "id": _VERBS[verb]},
        "version": "1.0.3",
    }


def _enrolling(run: _Run) -> dict[str, dict[str, Any]]:
    mode = {"extensions": {f"{W3ID}acrossx/extensions/type": text("mode")}}
    track = run.course | {"definition": run.course["definition"] | mode}
    context = {"extensions": run.version | run.session}
    return {verb: _statement(verb, track, context) for verb in ("registered", "unregistered")}


def _grading(run: _Run) -> dict[str, dict[str, Any]]:
    grade = {
        "score": bare("score"),
        "extensions": {"http://www.tincanapi.co.uk/activitytypes/grade_classification": text("classification")},
    }
    outcome = {"score": bare("score"), "success": bare("success")}
    return {
        "course_passed": _statement("passed", run.course, {"extensions": run.version}),
        "course_grade": _statement("earned", run.course, run.unseen(), result=grade),
        "subsection_grade": _statement("earned", run.block("sequential", _RESOURCE), run.unseen(), result=outcome),
    }


def _navigating(run: _Run) -> dict[str, dict[str, Any]]:
    items = {f"{W3ID}acrossx/extensions/total-items": bare("siblings")}
    start = f"{TINCAN}extension/starting-position"

    def navigated(ending: str) -> dict[str, Any]:
        moves = {f"{TINCAN}extension/ending-point": ending, start: bare("position")}
        return _statement("navigated", run.block("sequential", _RESOURCE, extensions=items), run.within(moves))

    link = {"definition": {"type": f"{ADL}activities/link"}, "id": f"https://reading.example/{text('vertical_hash')}"}
    progress = {"completion": True, "extensions": {f"{W3ID}cmi5/result/extensions/progress": 100.0}}
    return {
        "navigated_next": navigated("next unit"),
        "navigated_previous": navigated("previous unit"),
        "tab_selected": navigated(text("position")),
        "link_clicked": _statement("navigated", link, run.within()),
        "block_completed": _statement("progressed", run.block("vertical", _RESOURCE), run.within(), result=progress),
    }


def _practising(run: _Run) -> dict[str, dict[str, Any]]:
    interaction, within = f"{ADL}activities/cmi.interaction", run.within()
    question: dict[str, Any] = {
        "extensions": {f"{TINCAN}extension/attempt-id": bare("attempt")},
        "description": {"en-US": text("question")},
        "interactionType": "choice",
    }
    answer = {"response": text("response"), "score": bare("score"), "success": bare("success")}
    hint = run.block("problem", f"{W3ID}acrossx/extensions/supplemental-info", f"/hint/{text('hint')}")
    solution = run.block("problem", f"{TINCAN}activitytype/solution", "/answer")
    return {
        "problem_attempted": _statement("attempted", run.block("problem", interaction), within),
        "problem_evaluated": _statement(
            "evaluated", run.block("problem", interaction, **question), within, result=answer
        ),
        "hint_asked": _statement("asked", hint, within),
        "answer_asked": _statement("asked", solution, within),
    }


def _posting(run: _Run) -> dict[str, dict[str, Any]]:
    discussions = f"{run.host}/api/discussion/v1"
    definition = {"type": f"{TINCAN}activitytype/discussion"}
    thread = {"id": f"{discussions}/threads/{text('thread')}", "definition": definition}
    comment = {"id": f"{discussions}/comments/{text('comment')}", "definition": definition}
    starter = {"id": thread["id"], "objectType": "Activity", "definition": definition}
    return {
        "thread_posted": _statement("posted", thread, run.within()),
        "reply_posted": _statement("posted", comment, run.within(grouping=starter)),
    }


def _watching(run: _Run) -> dict[str, dict[str, Any]]:
    video = run.block("video", f"{W3ID}video/activity-type/video")
    context = run.within({f"{V}length": bare("length")})
    return {kind: _statement(verb, video, context, **_video_result(act)) for act, (kind, verb) in ACTS.items()}


def _video_result(act: Act) -> dict[str, Any]:
    time = {f"{V}time": bare("at")}
    if act is Act.LOADED:
        return {}
    if act is Act.SEEKED:
        return {"result": {"extensions": {f"{V}time-from": bare("before"), f"{V}time-to": bare("at")}}}
    if act is Act.COMPLETED:
        return {"result": {"extensions": time, "completion": True, "duration": text("duration")}}
    if act in {Act.TRANSCRIPT_ON, Act.TRANSCRIPT_OFF}:
        return {"result": {"extensions": time | {f"{V}cc-enabled": act is Act.TRANSCRIPT_ON}}}
    return {"result": {"extensions": time}}


def tables(plan: Plan, story: Story, random: np.random.Generator) -> dict[str, Table]:
    """What can fill each hole."""
    course, section = story.course, story.chunk.section
    pages = range(course.pages)

    def blocks(kind: str, count: int) -> list[bytes]:
        return [block_id(course, section, kind, number).encode() for number in range(count)]

    # A problem with several inputs answers with a list; the choices of up to three inputs, four to each.
    answers = [
        dumps([f"choice_{code >> 2 * n & 3}" for n in range(parts)]) for parts in (1, 2, 3) for code in range(4**parts)
    ]
    counted = [b"%d" % number for number in range(course.pages + 1)]  # units of a sequence
    return {
        "actor": [
            dumps({"objectType": "Agent", "account": {"homePage": plan.host, "name": name}})
            for name in learner_ids(plan, story.enrolments.learner.tolist())
        ],
        "session": hexes(random, int(story.visits.session.max(initial=-1)) + 1 + len(story.enrolments.learner)),
        "mode": [mode.encode() for mode in MODES],
        "score": scores(course.most_points),
        "success": [b"false", b"true"],
        "classification": [b"Fail", b"Pass"],
        "sequential": blocks("sequential", int(course.page_sequence.max()) + 1),
        "vertical": blocks("vertical", course.pages),
        "vertical_hash": [b"r%d" % page for page in pages],
        "problem": blocks("problem", course.items),
        "video": blocks("video", course.pages),
        "question": [f"Question {n + 1} of {course.title}".encode() for n in range(course.items)],
        "attempt": whole_numbers(),
        "hint": whole_numbers(),
        "position": counted,
        "siblings": counted,
        "response": [dumps(answer.decode())[1:-1] for answer in answers],
        "thread": _object_ids(random, len(story.visits.page)),
        "comment": _object_ids(random, len(story.visits.page)),
        "at": tenths(),
        "before": tenths(),
        "length": tenths(),
        "duration": DURATIONS,
    }


def _object_ids(random: np.random.Generator, count: int) -> Bytes:
    return hexes(random, count, 24)
