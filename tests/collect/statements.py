"""Valid statements for tests, and the parts they are made of."""

from __future__ import annotations

import copy
import json
import uuid
from typing import Any

PREFIX = "http://oli.cmu.edu/extensions/"
AGENT: dict[str, Any] = {"objectType": "Agent", "account": {"homePage": "https://h.example", "name": "901"}}
SMALL: dict[str, Any] = {
    "actor": {"mbox": "mailto:learner@h.example"},
    "verb": {"id": "http://adlnet.gov/expapi/verbs/completed"},
    "object": {"id": "https://h.example/page/1"},
}
FULL: dict[str, Any] = {
    "id": "7ccd3322-e1a5-411a-a67d-6a735c76f119",
    "actor": AGENT,
    "verb": {"id": "http://adlnet.gov/expapi/verbs/completed", "display": {"en-US": "completed"}},
    "object": {
        "objectType": "Activity",
        "id": "https://h.example/part_attempt/1",
        "definition": {
            "type": "http://adlnet.gov/expapi/activities/question",
            "name": {"en-US": "Part attempt"},
            "interactionType": "choice",
            "correctResponsesPattern": ["b"],
            "choices": [{"id": "a", "description": {"en": "A"}}, {"id": "b"}],
        },
    },
    "result": {
        "score": {"scaled": 0.5, "raw": 1, "min": 0, "max": 2},
        "success": False,
        "completion": True,
        "response": "a",
        "duration": "PT1M30.5S",
        "extensions": {f"{PREFIX}feedback": {"text": None}},
    },
    "context": {
        "registration": "ec531277-b57b-4c15-8d91-d292c5b2b8f7",
        "instructor": {"mbox_sha1sum": "a" * 40},
        "team": {"objectType": "Group", "name": "Team", "member": [AGENT]},
        "contextActivities": {
            "parent": {"id": "https://h.example/page/1"},
            "grouping": [{"id": "https://h.example/c"}],
        },
        "revision": "3",
        "platform": "web",
        "language": "en-US",
        "statement": {"objectType": "StatementRef", "id": "6690e6c9-3ef0-4ed3-8b37-7f3964730bee"},
        "extensions": {f"{PREFIX}section_id": 42, f"{PREFIX}project_id": 7, f"{PREFIX}page_id": 500},
    },
    "timestamp": "2026-08-01T12:00:00.123Z",
}


def new_statement(**changes: Any) -> dict[str, Any]:
    """A statement with an id of its own; `changes` replace properties."""
    return {**copy.deepcopy(FULL), "id": str(uuid.uuid4()), **changes}


def changed(path: str, value: Any, base: dict[str, Any] = FULL) -> dict[str, Any]:
    """`base` with the property at a dotted path replaced, or removed if the value is `...`."""
    result = copy.deepcopy(base)
    place = result
    *way, last = path.split(".")
    for step in way:
        place = place.setdefault(step, {})
    if value is ...:
        del place[last]
    else:
        place[last] = value
    return result


def as_json(value: Any) -> bytes:
    return json.dumps(value).encode()
