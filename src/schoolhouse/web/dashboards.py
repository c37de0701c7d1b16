"""The dashboards: the analytics of a section for its instructors, and of a project for its authors.

The page itself asks the warehouse nothing and is there at once; htmx then fetches each panel as it comes into view.
A panel is in one of five states, which look different and stand in `data-state`: loading, drawn, empty, error, and
not-loaded where no event of the section has arrived.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Annotated, Any, Final
from urllib.parse import quote

from fastapi import APIRouter, Query, Request
from starlette.responses import RedirectResponse, Response

from schoolhouse.accounts.people import Person
from schoolhouse.analytics.answers import ChartAnswer, ChartFilters, ChartScope, answer_chart, for_asker, section_scope
from schoolhouse.analytics.catalogue import CATEGORIES, charts_of, find_chart
from schoolhouse.analytics.drawing import drawing
from schoolhouse.analytics.overview import COLOURS, type_name
from schoolhouse.analytics.sections import Section
from schoolhouse.errors import SchoolhouseError
from schoolhouse.web.access import ProjectViewer, SectionViewer, ViewedProject, ViewedSection
from schoolhouse.web.chart_address import DashboardAddress
from schoolhouse.web.charts_api import asker_of, scope_of_project
from schoolhouse.web.state import AppState, state_of
from schoolhouse.web.templates import render

router = APIRouter(include_in_schema=False)

SECTION_PAGE: Final = "/sections/{slug}/instructor_dashboard/insights/analytics"
PROJECT_PAGE: Final = "/projects/{slug}/analytics"
TABLE_ROWS: Final = 300
_TOPS: Final = (10, 20, 50, 100, 1000)
# Where "no event" may mean "not loaded yet" and not "nothing fits the filters".
_SUMMARY: Final = "event_summary"

Address = Annotated[DashboardAddress, Query()]


@dataclass(frozen=True)
class _Board:
    """One dashboard: what it is about, where it lives, and what its address asks for."""

    scope: ChartScope
    path: str
    api_path: str
    address: DashboardAddress
    person: Person


def section_path(slug: str) -> str:
    """The address of a section's dashboard."""
    return SECTION_PAGE.format(slug=quote(slug, safe="@:~"))


def project_path(slug: str) -> str:
    """The address of a project's dashboard."""
    return PROJECT_PAGE.format(slug=quote(slug, safe="@:~"))


@router.get("/sections/{slug}/insights")
@router.get("/sections/{slug}/instructor_dashboard")
@router.get("/sections/{slug}/instructor_dashboard/insights")
def insights(section: ViewedSection) -> Response:
    """Addresses that other systems link to."""
    return RedirectResponse(section_path(section.slug))


@router.get(SECTION_PAGE)
def section_dashboard(
    request: Request, slug: str, person: SectionViewer, section: ViewedSection, address: Address
) -> Response:
    """The analytics of a section."""
    if section.slug != slug:
        return RedirectResponse(section_path(section.slug) + address.query())
    return _page(request, _section_board(section, person, address))


@router.get(SECTION_PAGE + "/charts/{name}")
def section_panel(
    request: Request, person: SectionViewer, section: ViewedSection, name: str, address: Address
) -> Response:
    """One panel of a section's dashboard."""
    return _panel(request, _section_board(section, person, address), name)


@router.get(PROJECT_PAGE)
def project_dashboard(
    request: Request, slug: str, person: ProjectViewer, project: ViewedProject, address: Address
) -> Response:
    """The analytics of a project."""
    if project.slug != slug:
        return RedirectResponse(project_path(project.slug) + address.query())
    scope = scope_of_project(request, person, project)
    return _page(request, _project_board(scope, person, address))


@router.get(PROJECT_PAGE + "/charts/{name}")
def project_panel(
    request: Request, person: ProjectViewer, project: ViewedProject, name: str, address: Address
) -> Response:
    """One panel of a project's dashboard."""
    scope = scope_of_project(request, person, project)
    return _panel(request, _project_board(scope, person, address), name)


def _section_board(section: Section, person: Person, address: DashboardAddress) -> _Board:
    api = f"/api/v1/sections/{quote(section.slug, safe='@:~')}/charts"
    return _Board(section_scope(section), section_path(section.slug), api, address, person)


def _project_board(scope: ChartScope, person: Person, address: DashboardAddress) -> _Board:
    api = f"/api/v1/projects/{quote(scope.slug, safe='@:~')}/charts"
    return _Board(scope, project_path(scope.slug), api, address, person)


def _page(request: Request, board: _Board) -> Response:
    state, address = state_of(request), board.address
    filters = for_asker(address.filters(), asker_of(board.person), state.readers)
    charts = charts_of(address.category, board.scope.kind)
    facts = {
        "board": board,
        "scope": board.scope,
        "address": address,
        "categories": [
            {"key": key, "name": name, "link": board.path + address.query(category=key)}
            for key, name in CATEGORIES.items()
        ],
        "charts": charts,
        "asked": sorted({name for chart in charts for name in chart.filters}),
        "query": address.query(),
        "min_group": filters.min_group,
        "may_lower_group": board.person.may_see_learner_identifiers,
        "event_types": _event_types(address),
        "tops": sorted({*_TOPS, address.top}),
        "scripts": scripts(state),
    }
    # htmx pushes this into the address bar, so that it holds what differs from the defaults and nothing else.
    return render(request, "dashboard.html", facts, headers={"HX-Push-Url": board.path + address.query()})


def _event_types(address: DashboardAddress) -> list[tuple[str, str]]:
    """What the form offers: each type, and what the address asks for where that is no single one of them."""
    offered = [[kind] for kind in COLOURS]
    if address.event_types and address.event_types not in offered:
        offered.append(address.event_types)
    return [(",".join(kinds), ", ".join(type_name(kind) for kind in kinds)) for kinds in offered]


def scripts(state: AppState) -> list[str]:
    """What a dashboard loads."""
    assets = state.assets
    return [assets.vega_address, assets.address("charts.js"), assets.address("dashboard.js")]


def _panel(request: Request, board: _Board, name: str) -> Response:
    chart = find_chart(name, board.scope.kind)
    facts = {"board": board, "chart": chart, "query": board.address.query()}
    readers = state_of(request).readers
    try:
        answer = answer_chart(readers, chart, board.scope, board.address.filters(), asker_of(board.person))
    except SchoolhouseError as error:
        return render(request, "chart_problem.html", {**facts, "error": error}, error.http_status)
    template = "summary_cards.html" if name == _SUMMARY and "cards" in request.query_params else "chart_panel.html"
    facts |= {
        "answer": answer,
        "spec": drawing(answer),
        "table": _table(answer),
        "table_rows": TABLE_ROWS,
        "downloads": board.api_path,
        "is_filtered": board.address.filters() != ChartFilters(),
    }
    return render(request, template, facts)


def _table(answer: ChartAnswer) -> list[list[str]]:
    """The rows as people read them."""
    formats = [_FORMATS.get(column.unit, _text) for column in answer.chart.columns]
    return [[shown(value) for shown, value in zip(formats, row, strict=True)] for row in answer.rows[:TABLE_ROWS]]


def _text(value: Any) -> str:
    return "–" if value is None or value == "" or value != value else str(value)


def _formatted(pattern: str) -> Callable[[Any], str]:
    return lambda value: "–" if value is None or value != value else pattern.format(value)


_WEEKDAYS: Final = ("", "Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday")
_FORMATS: Final[dict[str, Callable[[Any], str]]] = {
    "count": _formatted("{:,}"),
    "number": lambda value: _text(value) if isinstance(value, int) else _formatted("{:,.2f}")(value),
    "share": _formatted("{:.1%}"),
    "percent": _formatted("{} %"),
    "correlation": _formatted("{:.2f}"),
    "minutes": _formatted("{:,.1f}"),
    "hours": _formatted("{:,.1f}"),
    "time": _formatted("{:%Y-%m-%d %H:%M}"),
    "weekday": lambda value: _WEEKDAYS[value],
    "hour": _formatted("{:02}:00"),
}
