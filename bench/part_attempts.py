"""Part attempts as OLI Torus writes them, of about 1.7 kB, with the entropy of real ones: guids, scores, feedback."""

from __future__ import annotations

import json
import random
import uuid
from datetime import UTC, datetime, timedelta
from pathlib import Path

_E = "http://oli.cmu.edu/extensions/"
_WORDS = (
    "the of and to in is that it was for on are with as be at by this have from or one had not but what all were when "
    "we there can an your which their said if do will each about how up out them then she many some so these would "
    "other into has more her two like him see time could no make than first been its who now people my made over did "
    "down only way find use may water long little very after words called just where most know get through back much"
)
_TERM = datetime(2026, 1, 12, tzinfo=UTC)


def write_part_attempts(path: Path, count: int, *, sections: int = 400, seed: int = 1) -> None:
    """`count` statements over a term of 110 days, in order of time as a log is, one a line, no two alike."""
    chance = random.Random(seed)
    feedback = [
        " ".join(chance.choices(_WORDS.split(), k=chance.randint(8, 20))).capitalize() + "." for _ in range(2000)
    ]
    with path.open("w") as file:
        for number in range(count):
            when = _TERM + timedelta(days=110) * ((number + chance.random()) / count)
            file.write(_part_attempt(chance, when, sections, feedback) + "\n")


def _guid(chance: random.Random) -> str:
    return str(uuid.UUID(int=chance.getrandbits(128), version=4))


def _part_attempt(chance: random.Random, when: datetime, sections: int, feedback: list[str]) -> str:
    section = chance.randint(1, sections)
    activity = 20_000 + chance.randint(0, 900)
    guid = _guid(chance)
    maximum = chance.choice([1, 1, 1, 2, 4])
    raw = round(chance.random() * maximum, 2)
    statement = {
        "actor": {
            "account": {"homePage": "https://proton.example.edu", "name": 100_000 + chance.randint(0, 40_000)},
            "objectType": "Agent",
        },
        "context": {
            "extensions": {
                f"{_E}activity_attempt_guid": _guid(chance),
                f"{_E}activity_attempt_number": chance.randint(1, 3),
                f"{_E}activity_id": activity,
                f"{_E}activity_revision_id": activity * 7,
                f"{_E}attached_objectives": chance.sample(range(30_000, 30_400), chance.randint(1, 3)),
                f"{_E}enrollment_id": chance.randint(1, 500_000),
                f"{_E}hints_requested": [_guid(chance) for _ in range(chance.choice([0, 0, 0, 1, 2]))],
                f"{_E}page_attempt_guid": _guid(chance),
                f"{_E}page_attempt_number": chance.randint(1, 2),
                f"{_E}page_id": 10_000 + activity % 120,
                f"{_E}part_attempt_guid": guid,
                f"{_E}part_attempt_number": chance.randint(1, 3),
                f"{_E}part_id": str(chance.randint(1, 4)),
                f"{_E}project_id": section // 12,
                f"{_E}publication_id": section // 6,
                f"{_E}section_id": section,
                f"{_E}session_id": _guid(chance),
            }
        },
        "object": {
            "definition": {
                "name": {"en-US": "Part Attempt"},
                "type": "http://adlnet.gov/expapi/activities/question",
            },
            "id": f"https://proton.example.edu/part_attempt/{guid}}}",
            "objectType": "Activity",
        },
        "result": {
            "completion": True,
            "extensions": {
                f"{_E}feedback": {"content": [{"children": [{"text": chance.choice(feedback)}], "type": "p"}]}
            },
            "response": {"files": [], "input": chance.choice(["A", "B", "C", "D", f"{chance.random():.3f}"])},
            "score": {"max": maximum, "min": 0, "raw": raw, "scaled": raw / maximum},
            "success": True,
        },
        "timestamp": when.isoformat(timespec="milliseconds").replace("+00:00", "Z"),
        "verb": {"display": {"en-US": "completed"}, "id": "http://adlnet.gov/expapi/verbs/completed"},
    }
    return json.dumps(statement, separators=(",", ":"))
