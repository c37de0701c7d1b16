"""Statements that tests give, in the shapes that OLI Torus writes, and the way to load them."""

from __future__ import annotations

import json
from collections.abc import Iterable
from typing import Any

from schoolhouse.warehouse.connection import Warehouse
from schoolhouse.warehouse.loads import LoadSummary, start_load

E = "http://oli.cmu.edu/extensions/"
HOST = "https://torus.example"


def page_viewed(
    section: int | None, learner: int, time: str, *, platform: str = HOST, page: int = 500, project: int = 7
) -> dict[str, Any]:
    """A learner looked at a page. Section None: the statement names none."""
    scope: dict[str, Any] = {f"{E}project_id": project, f"{E}page_id": page}
    if section is not None:
        scope[f"{E}section_id"] = section
    return {
        "actor": {"objectType": "Agent", "account": {"homePage": platform, "name": learner}},
        "verb": {"id": "http://id.tincanapi.com/verb/viewed"},
        "object": {"id": f"{platform}/page/{page}", "definition": {"type": f"{E}types/page", "subType": "graded"}},
        "result": {"completion": True, "success": True},
        "context": {"extensions": scope},
        "timestamp": time,
    }


def page_attempt(section: int, learner: int, time: str, *, platform: str = HOST) -> dict[str, Any]:
    """A learner's attempt at a page was evaluated."""
    statement = page_viewed(section, learner, time, platform=platform)
    return statement | {
        "verb": {"id": "http://adlnet.gov/expapi/verbs/completed"},
        "object": {"id": f"{platform}/page_attempt/a", "definition": {"type": f"{E}page_attempt"}},
        "result": {"score": {"scaled": 0.5, "raw": 1, "min": 0, "max": 2}, "completion": True, "success": True},
    }


def load(warehouse: Warehouse, statements: Iterable[dict[str, Any]]) -> LoadSummary:
    """Load the statements through the door that all statements use."""
    lines = b"".join(json.dumps(statement).encode() + b"\n" for statement in statements)
    with start_load(warehouse, route="file", source="given") as under_way:
        under_way.add_lines(lines, source_file="given", first_line=1)
    return under_way.summary


def small_campus() -> list[dict[str, Any]]:
    """Section 42 on two platforms, a busy section 43, one statement twice, and one without a section."""
    first = page_viewed(42, 901, "2026-03-01T10:00:00Z")
    return [
        first,
        first,
        page_viewed(42, 902, "2026-03-02T11:30:00Z"),
        page_attempt(42, 902, "2026-03-02T11:45:00Z"),
        page_viewed(42, 901, "2026-03-05T09:00:00Z", platform="https://other.example"),
        page_viewed(None, 903, "2026-03-06T09:00:00Z"),
        *(
            page_viewed(43, 1000 + n % 20, f"2026-0{1 + n % 6}-{1 + n % 28:02}T{n % 24:02}:00:00Z", page=n)
            for n in range(200)
        ),
    ]


def name_section(warehouse: Warehouse, section: int, *, key: str = "", title: str = "") -> None:
    """Name a section as a course table would."""
    warehouse.insert(
        "sections",
        [(HOST, section, key or str(section), title, 7, 2)],
        ("platform", "section_id", "key", "title", "project_id", "version"),
        why="tests",
    )
