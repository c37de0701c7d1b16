"""Projects: what authors write and sections teach. A project is (platform, project_id); its address is
`<project_id>@<platform host>`, as a section's is.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from typing import Final

from schoolhouse.analytics.readers import Readers
from schoolhouse.analytics.sections import SQL, platform_slug
from schoolhouse.errors import NotFound
from schoolhouse.warehouse.statements import statement

_MAX_ID: Final = 2**64 - 1


@dataclass(frozen=True)
class Project:
    """One project, and the numbers of the sections that teach it."""

    platform: str
    project_id: int
    slug: str
    section_ids: tuple[int, ...]


def find_project(readers: Readers, slug: str, *, who: str) -> Project:
    """The project at an address: a slug, or a number that only one platform has. Raises NotFound."""
    number, _, host = slug.partition("@")
    candidates: list[Project] = []
    if number.isascii() and number.isdigit() and int(number) <= _MAX_ID:
        values = {"project_id": int(number)}
        answer = readers.ask(statement("find_projects_by_id", SQL), values, who=who, why="find project")
        hosts = Counter(platform_slug(row["platform"], is_alone=True) for row in answer.dicts())
        for row in answer.dicts():
            is_alone = hosts[platform_slug(row["platform"], is_alone=True)] == 1
            address = f"{number}@{platform_slug(row['platform'], is_alone=is_alone)}"
            candidates.append(Project(row["platform"], int(number), address, tuple(row["section_ids"])))
        if host:
            candidates = [project for project in candidates if project.slug == f"{number}@{host}"]
    if len(candidates) == 1:
        return candidates[0]
    if candidates:
        raise NotFound(
            f"Several platforms have a project {slug}.",
            hint="Choose one: " + ", ".join(sorted(project.slug for project in candidates)) + ".",
        )
    raise NotFound(f"There is no project {slug}.", hint="A project is known once a statement of its sections arrives.")
