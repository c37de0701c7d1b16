"""The page for people's own SQL: an editor, the rows, and a chart beside them. The API does the asking."""

from __future__ import annotations

from dataclasses import asdict
from typing import Any
from urllib.parse import quote

from fastapi import APIRouter, Request
from starlette.responses import RedirectResponse, Response

from schoolhouse.analytics.catalogue import CATEGORIES
from schoolhouse.analytics.examples import examples
from schoolhouse.web.access import ProjectViewer, SectionViewer, ViewedProject, ViewedSection
from schoolhouse.web.dashboards import PROJECT_PAGE, SECTION_PAGE, project_path, section_path
from schoolhouse.web.state import state_of
from schoolhouse.web.templates import render

router = APIRouter(include_in_schema=False)


@router.get(SECTION_PAGE + "/custom")
def section_sql(request: Request, slug: str, _: SectionViewer, section: ViewedSection) -> Response:
    """Custom SQL over a section."""
    path = section_path(section.slug)
    if section.slug != slug:
        return RedirectResponse(f"{path}/custom")
    facts = {"kind": "section", "name": section.name, "slug": section.slug, "path": path}
    return _page(request, facts)


@router.get(PROJECT_PAGE + "/custom")
def project_sql(request: Request, slug: str, _: ProjectViewer, project: ViewedProject) -> Response:
    """Custom SQL over a project."""
    path = project_path(project.slug)
    if project.slug != slug:
        return RedirectResponse(f"{path}/custom")
    facts = {"kind": "project", "name": f"Project {project.project_id}", "slug": project.slug, "path": path}
    return _page(request, facts)


def _page(request: Request, facts: dict[str, Any]) -> Response:
    assets = state_of(request).assets
    facts |= {
        "api": f"/api/v1/{facts['kind']}s/{quote(facts['slug'], safe='@:~')}",
        "categories": [
            {"key": key, "name": name, "link": f"{facts['path']}?category={key}"} for key, name in CATEGORIES.items()
        ],
        "examples": [asdict(example) for example in examples()],
        "editor_scripts": [assets.address(name) for name in EDITOR_SCRIPTS],
        "scripts": [assets.vega_address, assets.address("charts.js"), assets.address("custom_sql.js")],
    }
    return render(request, "custom_sql.html", facts)


# The editor and what it loads with; it would load them by itself from addresses that are not ours.
EDITOR_SCRIPTS = ("ace.js", "mode-sql.js", "mode-json.js", "theme-tomorrow_night.js", "ext-language_tools.js")
