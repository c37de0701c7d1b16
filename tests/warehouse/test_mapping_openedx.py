"""What Open edX (event-routing-backends) and xapi-db-load write, and the columns that it becomes.

Each case is a statement and all that its row says: columns that are not named are NULL or empty. Course runs become
sections with a derived number, which is written out below, so that a change of the derivation does not pass unseen.
"""

from __future__ import annotations

import hashlib
from datetime import UTC, datetime
from typing import Any

import pytest

from schoolhouse.warehouse.connection import Warehouse
from tests.warehouse.loading import load_lines, rows, statement, told

LMS = "http://localhost:18000"
RUN = "course-v1:edX+DemoX+Demo_Course"
CCX = "ccx-v1:edX+DemoX+Demo_Course+ccx@1"
BLOCK = "block-v1:edX+DemoX+Demo_Course"

LESSON = f"{BLOCK}+type@sequential+block@5b4b"
JUMP = f"{LMS}/courses/{RUN}/jump_to/{LESSON}"

ADL = "http://adlnet.gov/expapi/"
TINCAN = "http://id.tincanapi.com/"
ACROSSX = "https://w3id.org/xapi/acrossx/"
OPENEDX = "https://w3id.org/xapi/openedx/"
NAVIGATED = "https://w3id.org/xapi/dod-isd/verbs/navigated"
VIDEO = "https://w3id.org/xapi/video/"

COURSE = ADL + "activities/course"
INTERACTION = ADL + "activities/cmi.interaction"
RESOURCE = TINCAN + "activitytype/resource"
DISCUSSION = TINCAN + "activitytype/discussion"
VIDEO_TYPE = VIDEO + "activity-type/video"

ALWAYS = {
    "user_id": "32e08e30",
    "platform": LMS,
    "section_id": 4468422525692117,
    "timestamp": datetime(2020, 7, 15, 6, 46, 41, 543000, tzinfo=UTC),
    "session_id": "993110e9",
}


def course(key: str = RUN, title: Any = None) -> dict[str, Any]:
    """A course run as an activity among the parents."""
    name = {"en-US": "Demonstration Course"} if title is None else title
    return {"id": f"{LMS}/course/{key}", "objectType": "Activity", "definition": {"name": name, "type": COURSE}}


def openedx(verb: str, object_id: str, object_type: str, **parts: Any) -> dict[str, Any]:
    """A statement as Open edX writes it: `definition` is of its object, the others of its context."""
    activities = {name: parts.pop(name) for name in ("parent", "grouping") if name in parts} or {"parent": [course()]}
    extensions = {OPENEDX + "extensions/session-id": "993110e9", **parts.pop("extensions", {})}
    definition = {"type": object_type, **parts.pop("definition", {})}
    whole = {
        "id": "",
        "actor": {"objectType": "Agent", "account": {"homePage": LMS, "name": "32e08e30"}},
        "verb": {"id": verb, "display": {"en": verb.rsplit("/", 1)[1]}},
        "object": {"id": object_id, "objectType": "Activity", "definition": definition},
        "context": {"contextActivities": activities, "extensions": extensions},
        "timestamp": "2020-07-15T06:46:41.543562+00:00",
        "version": "1.0.3",
    }
    return {name: part for name, part in (whole | parts).items() if part is not None}


def row(event_type: str, verb: str, object_id: str, object_type: str, **columns: Any) -> dict[str, Any]:
    names = {"event_type": event_type, "verb_id": verb, "object_id": object_id, "object_type": object_type}
    return ALWAYS | names | columns


def seen(**values: Any) -> dict[str, Any]:
    """A result with video extensions."""
    return {"extensions": {VIDEO + "extensions/" + name.replace("_", "-"): value for name, value in values.items()}}


LONG = {VIDEO + "extensions/length": 195.0}
CLIP = f"{LMS}/xblock/{BLOCK}+type@video+block@0b9e"
PROBLEM = f"{LMS}/xblock/{BLOCK}+type@problem+block@3fc5"
PAGES = f"{LMS}/xblock/{BLOCK}+type@sequential+block@19a3"
COMMENT = f"{LMS}/api/discussion/v1/comments/64d2"
WATCHED = {"video_url": CLIP, "video_length": 195.0}
TENTH = {"scaled": 0.1, "raw": 1, "min": 0, "max": 10}


def on_course(verb: str, event_type: str, **parts: Any) -> tuple[dict[str, Any], dict[str, Any]]:
    """A case whose object is the course itself."""
    columns = parts.pop("columns", {})
    here = f"{LMS}/course/{RUN}"
    told_of = openedx(verb, here, COURSE, definition={"name": {"en": "Demonstration Course"}}, **parts)
    return told_of, row(event_type, verb, here, COURSE, **columns)


def on_forum(verb: str) -> tuple[dict[str, Any], dict[str, Any]]:
    return openedx(verb, COMMENT, DISCUSSION), row("forum", verb, COMMENT, DISCUSSION)


CASES: dict[str, tuple[dict[str, Any], dict[str, Any]]] = {
    # the kinds of xapi-db-load, in the order of their share
    "a course grade": on_course(
        TINCAN + "verb/earned",
        "grade",
        result={"score": {"scaled": 0.92, "raw": 92.0, "min": 0.0, "max": 100.0}},
        columns={"score": 92.0, "out_of": 100.0, "scaled_score": 0.92},
    ),
    "a video played": (
        openedx(VIDEO + "verbs/played", CLIP, VIDEO_TYPE, result=seen(time=194.407), extensions=LONG),
        row("video", VIDEO + "verbs/played", CLIP, VIDEO_TYPE, **WATCHED, video_time=194.407),
    ),
    "the next page": (
        openedx(NAVIGATED, PAGES, RESOURCE, extensions={TINCAN + "extension/ending-point": "next unit"}),
        row("navigation", NAVIGATED, PAGES, RESOURCE),
    ),
    "a problem checked in the browser": (
        openedx(ADL + "verbs/attempted", PROBLEM, INTERACTION, definition={"interactionType": "other"}),
        row("problem", ADL + "verbs/attempted", PROBLEM, INTERACTION),
    ),
    "a problem checked by the server": (
        openedx(
            ACROSSX + "verbs/evaluated",
            PROBLEM,
            INTERACTION,
            definition={"interactionType": "choice", "extensions": {TINCAN + "extension/attempt-id": 3}},
            result={"score": TENTH, "success": False, "response": "A correct answer"},
        ),
        row(
            "problem",
            ACROSSX + "verbs/evaluated",
            PROBLEM,
            INTERACTION,
            score=1.0,
            out_of=10.0,
            scaled_score=0.1,
            success=False,
            response="A correct answer",
            activity_attempt_number=3,
        ),
    ),
    "a video paused": (
        openedx(VIDEO + "verbs/paused", CLIP, VIDEO_TYPE, result=seen(time=0.033), extensions=LONG),
        row("video", VIDEO + "verbs/paused", CLIP, VIDEO_TYPE, **WATCHED, video_time=0.033),
    ),
    "a video loaded": (
        openedx(ADL + "verbs/initialized", CLIP, VIDEO_TYPE, extensions={VIDEO + "extensions/length": 0.0}),
        row("video", ADL + "verbs/initialized", CLIP, VIDEO_TYPE, video_url=CLIP, video_length=0.0),
    ),
    "a video completed": (
        openedx(
            ADL + "verbs/completed",
            CLIP,
            VIDEO_TYPE,
            result=seen(time=195.0) | {"completion": True, "duration": "PT03M15S"},
            extensions=LONG,
        ),
        row("video", ADL + "verbs/completed", CLIP, VIDEO_TYPE, **WATCHED, video_time=195.0, completion=True),
    ),
    "a position changed in a video": (
        openedx(VIDEO + "verbs/seeked", CLIP, VIDEO_TYPE, result=seen(time_from=194.381, time_to=10), extensions=LONG),
        row("video", VIDEO + "verbs/seeked", CLIP, VIDEO_TYPE, **WATCHED, video_seek_from=194.381, video_seek_to=10.0),
    ),
    "a video stopped": (
        openedx(ADL + "verbs/terminated", CLIP, VIDEO_TYPE, result=seen(time=194), extensions=LONG),
        row("video", ADL + "verbs/terminated", CLIP, VIDEO_TYPE, **WATCHED, video_time=194.0),
    ),
    "an answer shown": (
        openedx(ADL + "verbs/asked", PROBLEM + "/answer", TINCAN + "activitytype/solution"),
        row("hint", ADL + "verbs/asked", PROBLEM + "/answer", TINCAN + "activitytype/solution"),
    ),
    "an enrolment": on_course(ADL + "verbs/registered", "enrollment"),
    "the previous page": (
        openedx(NAVIGATED, PAGES, RESOURCE, extensions={TINCAN + "extension/ending-point": "previous unit"}),
        row("navigation", NAVIGATED, PAGES, RESOURCE),
    ),
    "a post": on_forum(ACROSSX + "verbs/posted"),
    "an enrolment taken back": on_course(TINCAN + "verb/unregistered", "enrollment"),
    "a hint shown": (
        openedx(ADL + "verbs/asked", PROBLEM + "/hint/1", ACROSSX + "extensions/supplemental-info"),
        row("hint", ADL + "verbs/asked", PROBLEM + "/hint/1", ACROSSX + "extensions/supplemental-info"),
    ),
    "a transcript enabled": (
        openedx(
            ADL + "verbs/interacted", CLIP, VIDEO_TYPE, result=seen(time=21.134, cc_enabled=True), extensions=LONG
        ),
        row("video", ADL + "verbs/interacted", CLIP, VIDEO_TYPE, **WATCHED, video_time=21.134),
    ),
    "a transcript disabled": (
        openedx(
            ADL + "verbs/interacted", CLIP, VIDEO_TYPE, result=seen(time=21.134, cc_enabled=False), extensions=LONG
        ),
        row("video", ADL + "verbs/interacted", CLIP, VIDEO_TYPE, **WATCHED, video_time=21.134),
    ),
    "a course passed": on_course(
        ADL + "verbs/passed",
        "grade",
        result={"success": True, "completion": True},
        columns={"success": True, "completion": True},
    ),
    "a tab selected": (
        openedx(NAVIGATED, JUMP, ADL + "activities/module"),
        row(
            "navigation",
            NAVIGATED,
            JUMP,
            ADL + "activities/module",
        ),
    ),
    "a link clicked": (
        openedx(NAVIGATED, "https://elsewhere.example/", ADL + "activities/link"),
        row("navigation", NAVIGATED, "https://elsewhere.example/", ADL + "activities/link"),
    ),
    # what event-routing-backends writes beside them
    "a subsection's grade": (
        openedx(
            TINCAN + "verb/earned",
            PAGES,
            RESOURCE,
            result={"score": {"scaled": 1.0, "raw": 3.0, "min": 0.0, "max": 3.0}, "success": True},
        ),
        row("grade", TINCAN + "verb/earned", PAGES, RESOURCE, score=3.0, out_of=3.0, scaled_score=1.0, success=True),
    ),
    "a course failed": on_course(ADL + "verbs/failed", "grade"),
    "progress in a block": (
        openedx(
            ADL + "verbs/progressed",
            PROBLEM,
            RESOURCE,
            result={"completion": True, "extensions": {"https://w3id.org/xapi/cmi5/result/extensions/progress": 100.0}},
        ),
        row("completion", ADL + "verbs/progressed", PROBLEM, RESOURCE, completion=True),
    ),
    "a problem completed": (
        openedx(ADL + "verbs/completed", f"{BLOCK}+type@problem+block@3fc5", INTERACTION),
        row("problem", ADL + "verbs/completed", f"{BLOCK}+type@problem+block@3fc5", INTERACTION),
    ),
    "a question attempted": (
        openedx(ADL + "verbs/attempted", PROBLEM, ADL + "activities/question", result={"success": False}),
        row("problem", ADL + "verbs/attempted", PROBLEM, ADL + "activities/question", success=False),
    ),
    "a post edited": on_forum(ACROSSX + "verbs/edited"),
    "a post deleted": on_forum("https://w3id.org/xapi/dod-isd/verbs/deleted"),
    "a post reported": on_forum(ACROSSX + "verbs/reported"),
    "a report taken back": on_forum(OPENEDX + "verb/unreported"),
    "a vote": on_forum(OPENEDX + "verb/voted"),
    "a thread viewed": on_forum(TINCAN + "verb/viewed"),
    "an exam begun": (
        openedx(ADL + "verbs/initialized", LESSON, OPENEDX + "activity/timed-assessment"),
        row(
            "other",
            ADL + "verbs/initialized",
            LESSON,
            OPENEDX + "activity/timed-assessment",
        ),
    ),
    "a part of a problem with many": (
        openedx(
            ACROSSX + "verbs/evaluated",
            PROBLEM + "_2_1",
            INTERACTION,
            parent=[
                {
                    "objectType": "GroupActivity",
                    "id": PROBLEM,
                    "definition": {"type": INTERACTION, "name": {"en-US": "Multiple Choice Questions"}},
                }
            ],
            grouping=[course()],
            result={"response": '["a piano", "a guitar"]', "success": True},
        ),
        row(
            "problem",
            ACROSSX + "verbs/evaluated",
            PROBLEM + "_2_1",
            INTERACTION,
            response='["a piano", "a guitar"]',
            success=True,
        ),
    ),
    "an object without an id": (
        openedx(ACROSSX + "verbs/evaluated", "", "", object={"objectType": "Activity"}, result={"score": {"min": 0.0}}),
        ALWAYS | {"event_type": "problem", "verb_id": ACROSSX + "verbs/evaluated"},
    ),
}  # fmt: skip

# Ways to name the course run, and the key that each gives.
WAYS: dict[str, tuple[dict[str, Any], str]] = {
    "a parent in a list": ({"parent": [course()]}, RUN),
    "a parent as an object": ({"parent": course()}, RUN),
    "the grouping": ({"grouping": [course()]}, RUN),
    "the grouping as an object": ({"grouping": course()}, RUN),
    "a course behind another parent": ({"parent": [{"id": PROBLEM}, course()]}, RUN),
    "a course behind a parent of a broken block id": (
        {"parent": [{"id": f"{LMS}/xblock/block-v1:{RUN}+type@problem+block@1"}, course()]},
        RUN,
    ),
    "a parent beside things that are no activities": ({"parent": [None, "x", 5, course()]}, RUN),
    "a plain key": ({"parent": [{"id": RUN}]}, RUN),
    "a page of the course": ({"parent": [{"id": f"{LMS}/courses/{RUN}/courseware/?a=b#c"}]}, RUN),
    "a branch and a version": ({"parent": [{"id": f"{RUN}+branch@draft+version@5f"}]}, RUN),
    "a custom run": ({"parent": [course(CCX)]}, CCX),
    "an old key": ({"parent": [course("edX/DemoX/2012")]}, f"{LMS}/course/edX/DemoX/2012"),
    "a block as the object": ({"parent": [], "object": {"id": PROBLEM}}, RUN),
    "a block of a custom run": (
        {"parent": [], "object": {"id": f"{LMS}/xblock/ccx-{BLOCK}+ccx@1+type@video+block@0b9e"}},
        CCX,
    ),
    "a broken block id of xapi-db-load": (
        {"parent": [], "object": {"id": f"{LMS}/xblock/block-v1:course-v1:Org2+753ba9+0+type@problem+block@05f2"}},
        "course-v1:Org2+753ba9+0",
    ),
    "a page as the object": ({"parent": [], "object": {"id": f"{LMS}/courses/{RUN}/progress"}}, RUN),
    "a library, which is no course": ({"parent": [], "object": {"id": "library-v1:edX+Lib"}}, ""),
    "nothing": ({"parent": []}, ""),
    "nonsense": ({"parent": "course"}, ""),
}  # fmt: skip


def section_of(key: str) -> int:
    """The section's number, by the documented derivation, in Python."""
    return max(siphash24(f"{LMS}\n{key}".encode()) >> 12, 1) if key else 0


def siphash24(data: bytes) -> int:
    """SipHash-2-4 with a key of zeros, as in its paper."""
    mask = 2**64 - 1

    def rotated(value: int, bits: int) -> int:
        return (value << bits | value >> 64 - bits) & mask

    def turned(v0: int, v1: int, v2: int, v3: int) -> tuple[int, int, int, int]:
        v0, v2 = (v0 + v1) & mask, (v2 + v3) & mask
        v1, v3 = rotated(v1, 13) ^ v0, rotated(v3, 16) ^ v2
        v0 = rotated(v0, 32)
        v2, v0 = (v2 + v1) & mask, (v0 + v3) & mask
        v1, v3 = rotated(v1, 17) ^ v2, rotated(v3, 21) ^ v0
        return v0, v1, rotated(v2, 32), v3

    state = (0x736F6D6570736575, 0x646F72616E646F6D, 0x6C7967656E657261, 0x7465646279746573)
    padded = data + bytes(7 - len(data) % 8) + bytes([len(data) & 255])
    for place in range(0, len(padded), 8):
        word = int.from_bytes(padded[place : place + 8], "little")
        v0, v1, v2, v3 = state
        state = turned(*turned(v0, v1, v2, v3 ^ word))
        state = (state[0] ^ word, *state[1:])
    v0, v1, v2, v3 = state
    state = (v0, v1, v2 ^ 255, v3)
    for _ in range(4):
        state = turned(*state)
    return state[0] ^ state[1] ^ state[2] ^ state[3]


def id_of(name: str) -> str:
    digest = hashlib.md5(name.encode()).hexdigest()
    return f"{digest[:8]}-{digest[8:12]}-{digest[12:16]}-{digest[16:20]}-{digest[20:]}"


Mapped = dict[str, dict[str, Any]]


@pytest.fixture(scope="module")
def mapped(shared_tables: Warehouse) -> Mapped:
    """The rows of all cases, brought by one load."""
    lines = [{**case, "id": id_of(name)} for name, (case, _) in CASES.items()]
    events = load_lines(shared_tables, lines, source="openedx.jsonl").events()
    return {name: events[place] for place, name in enumerate(CASES, start=1)}


@pytest.mark.parametrize("name", CASES)
def test_an_open_edx_statement_becomes_its_columns(mapped: Mapped, name: str) -> None:
    assert told(mapped[name]) == CASES[name][1]
    assert str(mapped[name]["event_id"]) == id_of(name)


@pytest.fixture(scope="module")
def sections(shared_tables: Warehouse) -> dict[str, int]:
    lines = [openedx(ADL + "verbs/launched", name, "", **parts) | {"id": None} for name, (parts, _) in WAYS.items()]
    events = load_lines(shared_tables, lines, source="sections.jsonl").events("section_id")
    return {name: events[place]["section_id"] for place, name in enumerate(WAYS, start=1)}


@pytest.mark.parametrize("name", WAYS)
def test_a_course_run_is_a_section_however_it_is_named(sections: dict[str, int], name: str) -> None:
    assert sections[name] == section_of(WAYS[name][1])


def test_a_derived_section_is_stable_and_exact_in_javascript(sections: dict[str, int]) -> None:
    assert sections["a parent in a list"] == ALWAYS["section_id"]
    assert all(number < 2**53 for number in sections.values())


def test_runs_of_two_platforms_are_two_sections(shared_tables: Warehouse) -> None:
    parts = {"object": {"id": f"https://any.example/course/{RUN}"}, "context": {"platform": "edX"}}
    actors = [{"account": {"homePage": home, "name": "x"}} for home in ("https://one.example", "https://two.example")]
    lines = [statement(actor=actor, **parts) for actor in actors]
    events = load_lines(shared_tables, lines, source="platforms.jsonl").events("section_id")
    assert events[1]["section_id"] != events[2]["section_id"]
    keys = rows(
        shared_tables,
        "SELECT platform, key FROM sections FINAL WHERE startsWith(platform, 'https://') ORDER BY platform",
    )
    assert keys == [("https://one.example", RUN), ("https://two.example", RUN)]


TITLES: list[tuple[Any, str]] = [
    ({"en": "In English", "de": "Auf Deutsch"}, "In English"),
    ({"de": "Auf Deutsch", "en-US": "American"}, "American"),
    ({"ar": "بالعربية"}, "بالعربية"),
    ("Plain text", ""),
    ({}, ""),
    ({"en": 5}, "5"),
    (["x"], ""),
]


def test_a_course_gives_its_section_a_title(shared_tables: Warehouse) -> None:
    keys = [f"course-v1:Titles+T+{place}" for place in range(len(TITLES))]
    lines = [
        openedx(ADL + "verbs/launched", "x", "", parent=[course(key, title)], id=None)
        for key, (title, _) in zip(keys, TITLES, strict=True)
    ]
    load_lines(shared_tables, lines, source="titles.jsonl")
    sql = "SELECT key, title FROM sections FINAL WHERE key LIKE 'course-v1:Titles+T+%' ORDER BY key"
    assert rows(shared_tables, sql) == [(key, title) for key, (_, title) in zip(keys, TITLES, strict=True)]


def test_a_title_outlives_statements_without_one(shared_tables: Warehouse) -> None:
    named, bare = course("course-v1:Kept+K+1", {"en": "Kept"}), {"id": "course-v1:Kept+K+1"}
    for place, parent in enumerate((bare, named, bare)):
        load_lines(
            shared_tables, [openedx(ADL + "verbs/launched", f"{place}", "", parent=[parent], id=None)], source="k"
        )
    sql = "SELECT title FROM sections FINAL WHERE key = 'course-v1:Kept+K+1'"
    assert rows(shared_tables, sql) == [("Kept",)]
