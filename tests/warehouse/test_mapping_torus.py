"""What OLI Torus writes, and the columns that it becomes.

Each case is a statement and all that its row says: columns that are not named are NULL or empty.
"""

from __future__ import annotations

import copy
import json
from datetime import UTC, datetime
from typing import Any

import pytest

from schoolhouse.warehouse.connection import Warehouse
from tests.warehouse.loading import load_lines, rows, told

E = "http://oli.cmu.edu/extensions/"
V = "https://w3id.org/xapi/video/extensions/"
ADL = "http://adlnet.gov/expapi/"
VIDEO = "https://w3id.org/xapi/video/"

SCOPE = {
    "section_id": 42,
    "enrollment_id": 88,
    "project_id": 7,
    "publication_id": 3,
    "page_attempt_guid": "pa1",
    "page_attempt_number": 1,
}
PAGE = SCOPE | {"page_id": 500}
ACTIVITY = PAGE | {
    "activity_attempt_guid": "aa1",
    "activity_attempt_number": 1,
    "activity_id": 610,
    "activity_revision_id": 6101,
}
PART = ACTIVITY | {
    "part_attempt_guid": "pg1",
    "part_attempt_number": 2,
    "part_id": "1",
    "hints_requested": ["h1", "h2"],
    "attached_objectives": [71, 72],
    "session_id": "s-1",
}

# What every row of this file says.
ALWAYS = {
    "user_id": "901",
    "platform": "https://h.example",
    "section_id": 42,
    "enrollment_id": 88,
    "project_id": 7,
    "publication_id": 3,
    "timestamp": datetime(2026, 8, 1, 12, 0, 0, tzinfo=UTC),
}
ON_PAGE = ALWAYS | {"page_id": 500, "page_attempt_guid": "pa1", "page_attempt_number": 1}
ON_ACTIVITY = ON_PAGE | {
    "activity_attempt_guid": "aa1",
    "activity_attempt_number": 1,
    "activity_id": 610,
    "activity_revision_id": 6101,
}
ON_PART = ON_ACTIVITY | {
    "part_attempt_guid": "pg1",
    "part_attempt_number": 2,
    "part_id": "1",
    "hints_requested": 2,
    "attached_objectives": "[71,72]",
    "session_id": "s-1",
}
HALF = {"scaled": 0.5, "raw": 1, "min": 0, "max": 2}
SCORED = {"score": 1.0, "out_of": 2.0, "scaled_score": 0.5, "success": True, "completion": True}


def torus(verb: str, obj: dict[str, Any], scope: dict[str, Any], **parts: Any) -> dict[str, Any]:
    """A statement as Torus writes it; `scope` are context extensions by their last name."""
    return {
        "actor": {"objectType": "Agent", "account": {"homePage": "https://h.example", "name": 901}},
        "verb": {"id": verb, "display": {"en-US": verb.rsplit("/", 1)[1]}},
        "object": obj,
        "context": {"extensions": {name if "://" in name else E + name: value for name, value in scope.items()}},
        "timestamp": "2026-08-01T12:00:00Z",
    } | parts


def part(**changes: Any) -> dict[str, Any]:
    """A part attempt; `response`, `hints_requested`, `object_id`, `score` … replace what their name says."""
    result: dict[str, Any] = {
        "score": HALF,
        "response": {"input": "B"},
        "completion": True,
        "success": True,
        "extensions": {E + "feedback": {"text": "no"}},
    }
    result |= {name: value for name, value in changes.items() if name in result}
    scope = PART | {name: value for name, value in changes.items() if name in PART}
    obj = {
        "id": changes.get("object_id", "https://h.example/part_attempt/pg1}"),
        "definition": {"name": {"en-US": "Part Attempt"}, "type": ADL + "activities/question"},
    }
    return torus(ADL + "verbs/completed", obj, scope, result=result)


PART_ROW = (
    ON_PART
    | SCORED
    | {
        "event_type": "part_attempt",
        "verb_id": ADL + "verbs/completed",
        "object_id": "https://h.example/part_attempt/pg1",
        "object_type": ADL + "activities/question",
        "response": "B",
    }
)


def without(row: dict[str, Any], *names: str) -> dict[str, Any]:
    return {name: value for name, value in row.items() if name not in names}


def video(verb: str, result: dict[str, float | str], scope: dict[str, Any], **parts: Any) -> dict[str, Any]:
    obj = {
        "id": "https://v.example/1.mp4",
        "definition": {"name": {"en-US": "Intro"}, "type": VIDEO + "activity-type/video"},
    }
    statement = torus(verb, obj, scope | {"content_element_id": "ce9"}, **parts)
    statement["context"]["contextActivities"] = {"category": [{"id": "https://w3id.org/xapi/video"}]}
    return statement | {"result": {"extensions": {V + name: value for name, value in result.items()}}}


WATCHED = ON_PAGE | {
    "event_type": "video",
    "object_id": "https://v.example/1.mp4",
    "object_type": VIDEO + "activity-type/video",
    "video_url": "https://v.example/1.mp4",
    "content_element_id": "ce9",
}
STARTED = SCOPE | {"resource_id": 500}  # played, paused and seeked say resource_id where completed says page_id
REGISTRATION = {"registration": "42-500-ce9"}


def as_https(statement: dict[str, Any]) -> dict[str, Any]:
    text: dict[str, Any] = json.loads(json.dumps(statement).replace(E, E.replace("http:", "https:")))
    return text


def as_strings(statement: dict[str, Any]) -> dict[str, Any]:
    """Every number among the extensions as text."""
    changed = copy.deepcopy(statement)
    extensions = changed["context"]["extensions"]
    for name, value in extensions.items():
        extensions[name] = str(value) if isinstance(value, int) else value
    changed["result"]["score"] = {name: str(value) for name, value in HALF.items()}
    return changed


TUTOR = {"id": "https://h.example/tutor_message/aa1", "objectType": "Tutor"}
TOLD_BY_TUTOR = ON_ACTIVITY | {
    "event_type": "tutor_message",
    "verb_id": "http://activitystrea.ms/schema/1.0/create",
    "object_id": "https://h.example/tutor_message/aa1",
}
ASSIGNMENT = {
    "role": "assignment",
    "attribution_type": "assignment",
    "experiment_id": 5,
    "experiment_uuid": "u-5",
    "condition_id": 9,
    "condition_code": "a",
    "assignment_id": 12,
    "key": "k1",
    "algorithm": "random",
}

CASES: dict[str, tuple[dict[str, Any], dict[str, Any]]] = {
    "a part attempt": (part(), PART_ROW),
    "an activity attempt": (
        torus(
            ADL + "verbs/completed",
            {"id": "https://h.example/activity_attempt/aa1}", "definition": {"type": E + "activity_attempt"}},
            ACTIVITY,
            result={"score": HALF, "completion": True, "success": True},
        ),
        ON_ACTIVITY
        | SCORED
        | {
            "event_type": "activity_attempt",
            "verb_id": ADL + "verbs/completed",
            "object_id": "https://h.example/activity_attempt/aa1",
            "object_type": E + "activity_attempt",
        },
    ),
    "a page attempt": (
        torus(
            ADL + "verbs/completed",
            {"id": "https://h.example/page_attempt/pa1}", "definition": {"type": E + "page_attempt"}},
            PAGE,
            result={"score": {"scaled": 0.0, "raw": 0, "min": 0, "max": 0}, "completion": True, "success": True},
        ),
        ON_PAGE
        | {
            "event_type": "page_attempt",
            "verb_id": ADL + "verbs/completed",
            "object_id": "https://h.example/page_attempt/pa1",
            "object_type": E + "page_attempt",
            "score": 0.0,
            "out_of": 0.0,
            "scaled_score": 0.0,
            "success": True,
            "completion": True,
        },
    ),
    "a page viewed": (
        torus(
            "http://id.tincanapi.com/verb/viewed",
            {
                "id": "https://h.example/page/500}",
                "objectType": "Page",
                "definition": {"type": E + "types/page", "subType": "graded"},
            },
            PAGE,
            result={"completion": True, "success": True},
        ),
        ON_PAGE
        | {
            "event_type": "page_viewed",
            "verb_id": "http://id.tincanapi.com/verb/viewed",
            "object_id": "https://h.example/page/500",
            "object_type": E + "types/page",
            "page_sub_type": "graded",
            "success": True,
            "completion": True,
        },
    ),
    "a video played": (
        video(VIDEO + "verbs/played", {"time": 0}, STARTED | {V + "length": 80}, **REGISTRATION),
        WATCHED | REGISTRATION | {"verb_id": VIDEO + "verbs/played", "video_time": 0.0, "video_length": 80.0},
    ),
    "a video paused": (
        video(
            VIDEO + "verbs/paused",
            {"time": 31.5, "progress": 0.4, "played-segments": "0[.]31.5"},
            STARTED | {V + "length": 80},
            **REGISTRATION,
        ),
        WATCHED
        | REGISTRATION
        | {
            "verb_id": VIDEO + "verbs/paused",
            "video_time": 31.5,
            "video_length": 80.0,
            "video_progress": 0.4,
            "video_played_segments": "0[.]31.5",
        },
    ),
    "a video seeked": (
        video(VIDEO + "verbs/seeked", {"time-from": 10, "time-to": 55}, STARTED, **REGISTRATION),
        WATCHED
        | REGISTRATION
        | {"verb_id": VIDEO + "verbs/seeked", "video_seek_from": 10.0, "video_seek_to": 55.0},
    ),
    "a video completed": (
        video(
            VIDEO + "verbs/completed",
            {"time": 80, "progress": 1.0, "played-segments": "0[.]80"},
            PAGE | {V + "length": 80, V + "completion-threshold": "1.0"},
        ),
        WATCHED
        | {
            "verb_id": VIDEO + "verbs/completed",
            "video_time": 80.0,
            "video_length": 80.0,
            "video_progress": 1.0,
            "video_played_segments": "0[.]80",
        },
    ),
    "a video experienced, as early versions wrote it": (
        torus(ADL + "verbs/experienced", {"id": "https://v.example/1.mp4"}, PAGE | {"content_element_id": "ce9"})
        | {"result": {"extensions": {V + "time": "3.5", V + "length": "80"}}},
        without(WATCHED, "object_type")
        | {"verb_id": ADL + "verbs/experienced", "video_time": 3.5, "video_length": 80.0},
    ),
    "a tutor's message": (
        torus(
            "http://activitystrea.ms/schema/1.0/create",
            TUTOR | {"definition": {"type": E + "tutor_message"}},
            ACTIVITY,
            result={"message": "Look at the units."},
        ),
        TOLD_BY_TUTOR | {"object_type": E + "tutor_message"},
    ),
    "a tutor's message of the older type": (
        torus(
            "http://activitystrea.ms/schema/1.0/create",
            TUTOR | {"definition": {"type": E + "tutor_activity_message"}},
            ACTIVITY,
            result={"message": "Look at the units."},
        ),
        TOLD_BY_TUTOR | {"object_type": E + "tutor_activity_message"},
    ),
    "an experiment's condition assigned": (
        torus(
            E + "verbs/experiment_condition_assigned",
            {
                "id": "https://h.example/experiments/u-5/assignments/12",
                "definition": {"type": E + "types/condition_assignment"},
            },
            {"section_id": 42, "enrollment_id": 88, "experiment_attributions": [ASSIGNMENT]},
        ),
        without(ALWAYS, "project_id", "publication_id")
        | {
            "event_type": "experiment",
            "verb_id": E + "verbs/experiment_condition_assigned",
            "object_id": "https://h.example/experiments/u-5/assignments/12",
            "object_type": E + "types/condition_assignment",
        },
    ),
    # the same kinds, written otherwise
    "https extensions": (as_https(part()), PART_ROW),
    "ids and scores as strings": (as_strings(part()), PART_ROW),
    "an object id without the stray brace": (part(object_id="https://h.example/part_attempt/pg1"), PART_ROW),
    "an object id with both braces": (
        part(object_id="https://h.example/{pg1}"),
        PART_ROW | {"object_id": "https://h.example/{pg1}"},
    ),
    "a response of text": (part(response="a + b = {c}"), PART_ROW | {"response": "a + b = {c}"}),
    "a response of empty text": (part(response=""), without(PART_ROW, "response")),
    "a response of a number": (part(response=3.5), PART_ROW | {"response": "3.5"}),
    "a response of a list": (part(response=["a", "b"]), PART_ROW | {"response": '["a","b"]'}),
    "a response of an object": (part(response={"x": [1, 2]}), PART_ROW | {"response": '{"x":[1,2]}'}),
    "a response with a list as its input": (part(response={"input": ["a", 1]}), PART_ROW | {"response": '["a",1]'}),
    "a response with an object as its input": (part(response={"input": {"k": 1}}), PART_ROW | {"response": '{"k":1}'}),
    "a response with nothing as its input": (
        part(response={"input": None}),
        PART_ROW | {"response": '{"input":null}'},
    ),
    "a response that only begins as an object": (part(response="{1, 2}"), PART_ROW | {"response": "{1, 2}"}),
    "no response": (part(response=None), without(PART_ROW, "response")),
    "no hints": (part(hints_requested=[]), PART_ROW | {"hints_requested": 0}),
    "hints as a count": (part(hints_requested=4), PART_ROW | {"hints_requested": 4}),
    "hints as a count in a string": (part(hints_requested="4"), PART_ROW | {"hints_requested": 4}),
    "hints as null": (part(hints_requested=None), without(PART_ROW, "hints_requested")),
    "hints as nonsense": (part(hints_requested="many"), without(PART_ROW, "hints_requested")),
    "objectives as an object": (
        part(attached_objectives={"1": [71]}),
        PART_ROW | {"attached_objectives": '{"1":[71]}'},
    ),
    "a section that is no number": (part(section_id="calculus"), PART_ROW | {"section_id": 0}),
    "a section below zero": (part(section_id=-42), PART_ROW | {"section_id": 0}),
    "no project": (part(project_id=None), without(PART_ROW, "project_id")),
    "a score without its scaled form": (
        part(score={"raw": 3, "max": 4}),
        PART_ROW | {"score": 3.0, "out_of": 4.0, "scaled_score": 0.75},
    ),
    "a score out of nothing": (
        part(score={"raw": 3, "max": 0}),
        without(PART_ROW, "scaled_score") | {"score": 3.0, "out_of": 0.0},
    ),
    "a score that is no object": (part(score=0.7), without(PART_ROW, "score", "out_of", "scaled_score")),
    "success as a number": (part(success=0), PART_ROW | {"success": False}),
    "success as nonsense": (part(success="maybe"), without(PART_ROW, "success")),
}  # fmt: skip

Mapped = dict[str, dict[str, Any]]


@pytest.fixture(scope="module")
def mapped(shared_tables: Warehouse) -> Mapped:
    """The rows of all cases, brought by one load. Their lines differ by a mark, so that none repeats another."""
    lines = [{**statement, "mark": name} for name, (statement, _) in CASES.items()]
    events = load_lines(shared_tables, lines, source="torus.jsonl").events("*, feedback, home_page")
    return {name: events[place] for place, name in enumerate(CASES, start=1)}


@pytest.mark.parametrize("name", CASES)
def test_a_torus_statement_becomes_its_columns(mapped: Mapped, name: str) -> None:
    row = told(mapped[name])
    assert row.pop("home_page") == "https://h.example"
    row.pop("feedback", None)
    assert row == CASES[name][1]


def test_feedback_is_read_from_the_statement(mapped: Mapped) -> None:
    assert mapped["a part attempt"]["feedback"] == '{"text":"no"}'
    assert mapped["https extensions"]["feedback"] == '{"text":"no"}'
    assert mapped["a page viewed"]["feedback"] is None


def test_a_statements_section_becomes_known(mapped: Mapped, shared_tables: Warehouse) -> None:
    assert mapped
    sql = "SELECT platform, section_id, key, title, project_id FROM sections FINAL"
    assert rows(shared_tables, sql) == [("https://h.example", 42, "42", "", 7)]
