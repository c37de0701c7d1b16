"""Runs made in memory, and their statements read back by a plain decoder of JSON."""

from __future__ import annotations

import json
import re
from collections import Counter
from datetime import datetime
from typing import Any

import msgspec

from schoolhouse.simulate import Imperfections, Plan, campus_plan
from schoolhouse.simulate.campus import chunks_of
from schoolhouse.simulate.chunks import make_chunk
from schoolhouse.simulate.truth import Truth
from schoolhouse.simulate.truth_file import truth_json

FLAWS = Imperfections(duplicates=0.02, late=0.02, skewed_clocks=0.1, malformed=0.02, missing_fields=0.02)


def small_plan(dialect: str, **more: Any) -> Plan:
    return campus_plan(**({"dialect": dialect, "sections": 3, "learners": 60, "statements": 9_000, "seed": 7} | more))


def text_of(plan: Plan) -> tuple[bytes, dict[str, Any]]:
    """All lines of a run, and its truth as it would be read from the file."""
    truth, text = Truth(plan), b""
    for chunk in chunks_of(plan):
        made = make_chunk(plan, chunk)
        truth.add(chunk, made.tally)
        text += b"".join(made.blocks())
    return text, told(truth)


def told(truth: Truth) -> dict[str, Any]:
    """What `truth.json` says."""
    return dict(json.loads(b"".join(truth_json(truth))))


def statements_of(plan: Plan) -> list[dict[str, Any]]:
    return list(map(msgspec.json.decode, text_of(plan)[0].splitlines()))


TORUS = "http://oli.cmu.edu/extensions/"


def section_of(statement: dict[str, Any]) -> str | int:
    extensions = statement["context"]["extensions"]
    if f"{TORUS}section_id" in extensions:
        return int(extensions[f"{TORUS}section_id"])
    found = re.search(
        r"course-v1:[^/\"]+", json.dumps([statement["context"].get("contextActivities"), statement["object"]])
    )
    assert found, statement
    return found[0]


def event_type_of(statement: dict[str, Any]) -> str:
    """What kind of event a statement tells, by its verb and the type of its object."""
    verb = statement["verb"]["id"].rsplit("/", 1)[1]
    kind = statement["object"]["definition"].get("type", "").rsplit("/", 1)[-1]
    if kind == "video" or verb == "experienced":
        return "video"
    if "oli.cmu.edu" in json.dumps(statement["context"]):
        torus = {"question": "part_attempt", "page": "page_viewed", "condition_assignment": "experiment"}
        return torus.get(kind, kind)
    openedx = {
        "registered": "enrollment",
        "unregistered": "enrollment",
        "passed": "grade",
        "earned": "grade",
        "progressed": "completion",
        "attempted": "problem",
        "evaluated": "problem",
        "asked": "hint",
        "navigated": "navigation",
        "posted": "forum",
    }
    return openedx[verb]


def time_of(statement: dict[str, Any]) -> datetime:
    return datetime.fromisoformat(statement["timestamp"])


def recounted(statements: list[dict[str, Any]]) -> Counter[tuple[str | int, str, str]]:
    """Statements by section, event type and day, counted one by one."""
    return Counter((section_of(one), event_type_of(one), time_of(one).date().isoformat()) for one in statements)
