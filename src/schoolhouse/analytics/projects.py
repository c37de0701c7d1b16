"""Projects: what authors write and sections teach. A project is (platform, project_id); its address is
`<project_id>@<platform host>`, as a section's is.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from schoolhouse.analytics.readers import Readers
from schoolhouse.analytics.sections import SQL, only_one, platform_slug
from schoolhouse.warehouse.statements import statement

_MAX_ID: Final = 2**64 - 1
_MAX_DIGITS: Final = 20


@dataclass(frozen=True)
class Project:
    """One project, and the numbers of the sections in which there are statements of it."""

    platform: str
    project_id: int
    slug: str
    section_ids: tuple[int, ...]


def find_project(readers: Readers, slug: str, *, who: str) -> Project:
    """The project at an address: a slug, or a number that only one platform has. Raises NotFound."""
    return only_one(projects_at(readers, slug, who=who), "project", slug)


def projects_at(readers: Readers, slug: str, *, who: str) -> list[Project]:
    """The projects that an address may mean: several where platforms share a bare number, or number and host."""
    number, _, host = slug.partition("@")
    if len(number) > _MAX_DIGITS or not (number.isascii() and number.isdigit() and 0 < int(number) <= _MAX_ID):
        return []
    values = {"project_id": int(number)}
    rows = readers.ask(statement("find_projects_by_id", SQL), values, who=who, why="find project").dicts()
    hosts = [platform_slug(row["platform"], is_alone=True) for row in rows]
    found = []
    for row, own_host in zip(rows, hosts, strict=True):
        address = f"{number}@{platform_slug(row['platform'], is_alone=hosts.count(own_host) == 1)}"
        if host in ("", own_host) or slug == address:
            found.append(Project(row["platform"], int(number), address, tuple(row["section_ids"])))
    return found
