"""Plain xAPI: actors, the video profile, cmi5, and what nobody has heard of."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import pytest

from schoolhouse.warehouse.connection import Warehouse
from tests.warehouse.loading import load_lines, statement, told

V = "https://w3id.org/xapi/video/extensions/"
VERBS = "http://adlnet.gov/expapi/verbs/"

ALWAYS = {
    "user_id": "learner-1",
    "platform": "https://lms.example",
    "section_id": 0,
    "timestamp": datetime(2026, 8, 1, 12, tzinfo=UTC),
    "event_type": "other",
    "verb_id": "https://verbs.example/tried",
    "object_id": "https://lms.example/thing",
}


def acted(actor: Any, user_id: str, platform: str = "") -> tuple[dict[str, Any], dict[str, Any]]:
    """A case about the actor."""
    who = {name: value for name, value in (("user_id", user_id), ("platform", platform)) if value}
    return statement(actor=actor), {
        name: value for name, value in ALWAYS.items() if name not in ("user_id", "platform")
    } | who


def did(verb: str, event_type: str, **columns: Any) -> tuple[dict[str, Any], dict[str, Any]]:
    parts = columns.pop("parts", {})
    return statement(verb={"id": verb}, **parts), ALWAYS | {"verb_id": verb, "event_type": event_type} | columns


CASES: dict[str, tuple[dict[str, Any], dict[str, Any]]] = {
    "an account": acted(
        {"objectType": "Agent", "account": {"homePage": "https://a.example", "name": "Zoë 🎓"}},
        "Zoë 🎓",
        "https://a.example",
    ),
    "an account by number": acted({"account": {"homePage": "https://a.example", "name": 7}}, "7", "https://a.example"),
    "an account without a name": acted({"account": {"homePage": "https://a.example"}}, "", "https://a.example"),
    "an account without a home": acted({"account": {"name": "x"}}, "x"),
    "a mail box": acted({"mbox": "mailto:zoe@a.example"}, "mailto:zoe@a.example"),
    "a mail box's hash": acted({"mbox_sha1sum": "ebd31e95054c018b"}, "ebd31e95054c018b"),
    "an OpenID": acted({"openid": "https://zoe.openid.example/"}, "https://zoe.openid.example/"),
    "an account beside a mail box": acted(
        {"mbox": "mailto:zoe@a.example", "account": {"homePage": "https://a.example", "name": "z"}},
        "z",
        "https://a.example",
    ),
    "a group": acted({"objectType": "Group", "account": {"homePage": "https://a.example", "name": "g"}}, "g", "https://a.example"),
    "an anonymous group": acted({"objectType": "Group", "member": [{"mbox": "mailto:a@a.example"}]}, ""),
    "an actor without an identifier": acted({"objectType": "Agent", "name": "Zoë"}, ""),
    "an empty actor": acted({}, ""),
    # verbs and objects
    "an unknown verb": did("https://verbs.example/pondered", "other"),
    "a statement as the object": did(
        VERBS + "voided",
        "other",
        parts={"object": {"objectType": "StatementRef", "id": "9dc99b37-e920-4a68-a066-917faca28949"}},
        object_id="9dc99b37-e920-4a68-a066-917faca28949",
    ),
    "an agent as the object": (
        statement(object={"objectType": "Agent", "mbox": "mailto:b@a.example"}),
        {name: value for name, value in ALWAYS.items() if name != "object_id"},
    ),
    "a registration": did(
        "https://verbs.example/tried",
        "other",
        parts={"context": {"registration": "ec531277-b57b-4c15-8d91-d292c5b2b8f7"}},
        registration="ec531277-b57b-4c15-8d91-d292c5b2b8f7",
    ),
    "a stored time": did(
        "https://verbs.example/tried",
        "other",
        parts={"stored": "2026-08-02T00:00:00.5+02:00"},
        stored=datetime(2026, 8, 1, 22, 0, 0, 500000, tzinfo=UTC),
    ),
    "a stored time of no shape": did("https://verbs.example/tried", "other", parts={"stored": "Jan 5"}),
    "a result with everything": did(
        VERBS + "answered",
        "problem",
        parts={
            "result": {
                "score": {"scaled": -0.5, "raw": -5, "min": -10, "max": 10},
                "success": False,
                "completion": True,
                "response": "because",
                "duration": "PT4S",
            }
        },
        score=-5.0,
        out_of=10.0,
        scaled_score=-0.5,
        success=False,
        completion=True,
        response="because",
    ),
    # the video profile
    "a video of the profile": (
        statement(
            verb={"id": "https://w3id.org/xapi/video/verbs/seeked"},
            object={
                "id": "uuid://7d4f3c70",
                "definition": {"type": "https://w3id.org/xapi/video/activity-type/video", "name": {"en-US": "FUN"}},
            },
            context={
                "extensions": {V + "session-id": "abb32c5b"},
                "contextActivities": {"category": [{"id": "https://w3id.org/xapi/video"}]},
            },
            result={
                "extensions": {
                    V + "time-from": 124.692,
                    V + "time-to": 176.4,
                    V + "length": 263.24,
                    V + "progress": 0.472,
                    V + "played-segments": "0[.]42.608[,]43.168[.]124.692",
                }
            },
        ),
        ALWAYS
        | {
            "event_type": "video",
            "verb_id": "https://w3id.org/xapi/video/verbs/seeked",
            "object_id": "uuid://7d4f3c70",
            "object_type": "https://w3id.org/xapi/video/activity-type/video",
            "video_url": "uuid://7d4f3c70",
            "video_seek_from": 124.692,
            "video_seek_to": 176.4,
            "video_length": 263.24,
            "video_progress": 0.472,
            "video_played_segments": "0[.]42.608[,]43.168[.]124.692",
            "session_id": "abb32c5b",
        },
    ),
    "a length in the object": (
        statement(
            verb={"id": "https://w3id.org/xapi/video/verbs/played"},
            object={
                "id": "v",
                "definition": {
                    "type": "https://w3id.org/xapi/video/activity-type/video",
                    "extensions": {V + "length": "90"},
                },
            },
        ),
        ALWAYS
        | {
            "event_type": "video",
            "verb_id": "https://w3id.org/xapi/video/verbs/played",
            "object_id": "v",
            "object_type": "https://w3id.org/xapi/video/activity-type/video",
            "video_url": "v",
            "video_length": 90.0,
        },
    ),
    "a time of something that is no video": did(
        "https://verbs.example/tried", "other", parts={"result": {"extensions": {V + "time": 5}}}
    ),
    # cmi5
    **{
        f"cmi5 {verb.rsplit('/', 1)[1]}": did(verb, event_type)
        for verb, event_type in [
            (VERBS + "launched", "other"),
            (VERBS + "initialized", "other"),
            (VERBS + "completed", "completion"),
            (VERBS + "passed", "grade"),
            (VERBS + "failed", "grade"),
            ("https://w3id.org/xapi/adl/verbs/abandoned", "other"),
            ("https://w3id.org/xapi/adl/verbs/waived", "completion"),
            (VERBS + "terminated", "other"),
            ("https://w3id.org/xapi/adl/verbs/satisfied", "completion"),
        ]
    },
    # things in the wrong place
    "parts of the wrong kind": (
        statement(
            object={"id": 5, "definition": "x"}, result="well", context=3, stored=7, version=1.0, authority=None
        ),
        ALWAYS | {"object_id": "5"},
    ),
    "null for everything that may be absent": (
        statement(result=None, context=None, stored=None, registration=None, attachments=None),
        ALWAYS,
    ),
}  # fmt: skip

Mapped = dict[str, dict[str, Any]]


@pytest.fixture(scope="module")
def mapped(shared_tables: Warehouse) -> Mapped:
    """The rows of all cases, brought by one load. Their lines differ by a mark, so that none repeats another."""
    lines = [{**case, "mark": name} for name, (case, _) in CASES.items()]
    loaded = load_lines(shared_tables, lines, source="xapi.jsonl")
    assert loaded.summary.rejected == {}
    events = loaded.events("*, home_page")
    return {name: events[place] for place, name in enumerate(CASES, start=1)}


@pytest.mark.parametrize("name", CASES)
def test_a_plain_statement_becomes_its_columns(mapped: Mapped, name: str) -> None:
    row = told(mapped[name])
    assert row.pop("home_page", "") == row.get("platform", "")
    assert row == CASES[name][1]


def test_an_actor_without_a_home_has_no_home_page(mapped: Mapped) -> None:
    assert mapped["a mail box"]["home_page"] is None
