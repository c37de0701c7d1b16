"""The pages: the list of sections, and the overview of one."""

from __future__ import annotations

from typing import Annotated, Any
from urllib.parse import quote, urlencode

from fastapi import APIRouter, Query, Request
from pydantic import BaseModel, Field
from starlette.responses import RedirectResponse, Response

from schoolhouse.accounts.people import Person
from schoolhouse.analytics.overview import (
    COLOURS,
    SectionOverview,
    events_by_type_chart,
    period_name,
    section_overview,
    type_name,
)
from schoolhouse.analytics.projects import projects_at
from schoolhouse.analytics.sections import Section, SectionFilter, SortKey, SortOrder, page_of
from schoolhouse.web.access import SectionViewer, SignedIn, ViewedSection, visible_sections
from schoolhouse.web.dashboards import project_path, section_path
from schoolhouse.web.state import AppState, state_of
from schoolhouse.web.templates import render

router = APIRouter(include_in_schema=False)

_COLUMNS: tuple[tuple[SortKey, str, SortOrder], ...] = (
    ("title", "Section", "asc"),
    ("platform", "Platform", "asc"),
    ("events", "Events", "desc"),
    ("learners", "Learners", "desc"),
    ("newest_event", "Newest event", "desc"),
)


class ListAddress(BaseModel):
    """What the address of the list says: words to look for, order, page."""

    q: str = Field("", max_length=200)
    sort: SortKey = "newest_event"
    order: SortOrder = "desc"
    page: int = Field(1, ge=1, le=1_000_000)

    def link(self, **changes: Any) -> str:
        """The same address with changes; defaults are left out."""
        changed = self.model_copy(update=changes)
        chosen = {
            name: value
            for name, value in changed.model_dump().items()
            if value != type(self).model_fields[name].default
        }
        if "sort" in chosen or "order" in chosen:
            chosen |= {"sort": changed.sort, "order": changed.order}
        return "/" + (f"?{urlencode(chosen)}" if chosen else "")


@router.get("/")
def sections(request: Request, address: Annotated[ListAddress, Query()], person: SignedIn) -> Response:
    """The list of sections."""
    listing = visible_sections(state_of(request).directory.listing(who=person.name), person)
    wanted = SectionFilter(text=address.q, sort=address.sort, order=address.order, page=address.page)
    page = page_of(listing, wanted)
    columns = [
        {
            "key": key,
            "name": name,
            "order": address.order if key == address.sort else "",
            "link": address.link(sort=key, page=1, order=_other(address.order) if key == address.sort else first_order),
        }
        for key, name, first_order in _COLUMNS
    ]
    facts = {
        "address": address,
        "projects": _own_projects(state_of(request), person),
        "columns": columns,
        "listing": listing,
        "page": page,
        "previous": address.link(page=page.page - 1) if page.page > 1 else "",
        "next": address.link(page=page.page + 1) if page.page < page.pages else "",
    }
    return render(request, "sections.html", facts)


@router.get("/sections", name="sections_moved")
def sections_moved() -> Response:
    """The list lives at the root."""
    return RedirectResponse("/")


@router.get("/sections/{slug}")
def section(request: Request, slug: str, person: SectionViewer, found: ViewedSection) -> Response:
    """The overview of one section."""
    state = state_of(request)
    if found.slug != slug:
        return _to_section(found.slug)
    overview = section_overview(state.readers, found, who=person.name)
    facts = {
        "section": found,
        "overview": overview,
        "tables": _tables(overview),
        "colours": COLOURS,
        "analytics_link": section_path(found.slug),
        "project_link": _project_link(state, found, person),
    }
    if overview.events:
        facts["chart"] = events_by_type_chart(overview)
        facts["scripts"] = _chart_scripts(state)
    return render(request, "section.html", facts)


def _own_projects(state: AppState, person: Person) -> list[dict[str, Any]]:
    """The projects that the account lists, of those that statements have come from."""
    found = []
    for scope in sorted(person.projects):
        for project in projects_at(state.readers, str(scope.number), who=person.name):
            if project.platform == scope.platform:
                host = project.slug.partition("@")[2]
                found.append({"number": scope.number, "host": host, "link": project_path(project.slug)})
    return found


def _project_link(state: AppState, section: Section, person: Person) -> str:
    """Where the project of the section lives, for people who may see it.

    Its address is not told by the section's: `http://` and `https://` of one host may share the number of either.
    """
    if not section.project_id or not person.may_see_project(section.platform, section.project_id):
        return ""
    projects = projects_at(state.readers, str(section.project_id), who=person.name)
    return next((project_path(each.slug) for each in projects if each.platform == section.platform), "")


def _to_section(slug: str) -> Response:
    return RedirectResponse(f"/sections/{quote(slug, safe='@:~')}")


def _chart_scripts(state: AppState) -> list[str]:
    return [state.assets.vega_address, state.assets.address("charts.js")]


def _other(order: SortOrder) -> SortOrder:
    return "asc" if order == "desc" else "desc"


def _tables(overview: SectionOverview) -> dict[str, Any]:
    """The chart's numbers as a table: a row a bucket with events, a column a type."""
    types = [count.event_type for count in overview.by_type]
    rows: dict[Any, dict[str, int]] = {}
    for count in overview.series:
        rows.setdefault(count.since, {})[count.event_type] = count.events
    return {
        "types": [type_name(kind) for kind in types],
        "rows": [
            (since, period_name(since, overview.bucket), [counts.get(kind, 0) for kind in types], sum(counts.values()))
            for since, counts in rows.items()
        ],
    }
