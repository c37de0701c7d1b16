"""Who asks, and what they may see: dependencies for every route.

    @router.get("/admin/…")                def page(request: Request, person: Admin) -> Response: …
    @router.get("/…")                      def page(request: Request, person: SignedIn) -> Response: …
    @router.get("/sections/{slug}/…")      def page(request: Request, person: SectionViewer, section: ViewedSection) …
    @router.get("/projects/{slug}/…")      def page(request: Request, person: ProjectViewer, project: ViewedProject) …

Each refuses by itself: 401 (a browser that asked for a page is sent to `/sign-in`), 403 for what is not theirs. Who may
not see everything gets the same 403 for what exists and for what does not. What they look at is recorded.

Somebody is known by a token (`Authorization: Bearer sht_…`), by the cookie of a session, or, while nobody has an
account, by sitting at this machine: then they are the local operator, who is an admin.
"""

from __future__ import annotations

from typing import Annotated, Final

from fastapi import Depends, Request
from fastapi.security import HTTPBearer

from schoolhouse.accounts import flags
from schoolhouse.accounts.people import LOCAL_OPERATOR, Person, has_accounts
from schoolhouse.accounts.sessions import person_of_session
from schoolhouse.accounts.tokens import person_of_token
from schoolhouse.analytics.projects import Project, find_project
from schoolhouse.analytics.sections import Section, SectionListing, find_section
from schoolhouse.errors import AccessRefused, NotFound, NotSignedIn
from schoolhouse.settings import Settings
from schoolhouse.web.frame import is_local
from schoolhouse.web.state import state_of

COOKIE: Final = "schoolhouse_session"
_FORWARDED: Final = ("x-forwarded-for", "forwarded", "via")
# Only for the description of the API; the header is read below.
_described = HTTPBearer(auto_error=False, description="A token of `schoolhouse token create`.", scheme_name="token")


def visitor(request: Request) -> Person | None:
    """Who asks, or None."""
    state = state_of(request)
    authorization = request.headers.get("authorization", "")
    if authorization:
        scheme, _, secret = authorization.partition(" ")
        return person_of_token(state.database.engine, secret.strip()) if scheme.lower() == "bearer" else None
    secret = request.cookies.get(COOKIE, "")
    if secret and (person := person_of_session(state.database.engine, secret)):
        return person
    if _is_at_this_machine(request, state.settings) and not has_accounts(state.database.engine):
        return LOCAL_OPERATOR
    return None


def signed_in(
    request: Request, person: Annotated[Person | None, Depends(visitor)], _: Annotated[object, Depends(_described)]
) -> Person:
    """Anybody who has shown who they are."""
    if person is None:
        raise NotSignedIn("Sign in first.", hint="With the page /sign-in, or a token in the header Authorization.")
    request.state.person = person  # for the account menu of the page
    return person


SignedIn = Annotated[Person, Depends(signed_in)]


def admin(person: SignedIn) -> Person:
    """An admin."""
    if not person.is_admin:
        raise AccessRefused("This is for admins.")
    return person


Admin = Annotated[Person, Depends(admin)]


def viewed_section(request: Request, slug: str, person: SignedIn) -> Section:
    """The section of the address `{slug}`, which the person may see and for which analytics are switched on."""
    state = state_of(request)
    refusal = AccessRefused(f"You may not see the section {slug}.", hint="Ask an admin to add it to your account.")
    sees_all = person.may_see_section("", -1)
    try:
        section = find_section(state.readers, slug, who=person.name)
    except NotFound:
        if sees_all:
            raise
        raise refusal from None
    if not person.may_see_section(section.platform, section.section_id):
        state.database.audit.did(person.name, "view", slug, request.url.path, outcome="refused")
        raise refusal
    _require_flags(request, person, "section-analytics", f"{section.section_id}@{section.platform}")
    state.database.audit.saw(person.name, f"section {section.slug}", request.url.path)
    return section


ViewedSection = Annotated[Section, Depends(viewed_section)]


def section_viewer(person: SignedIn, _: ViewedSection) -> Person:
    """Somebody who may see the section of the address `{slug}`."""
    return person


SectionViewer = Annotated[Person, Depends(section_viewer)]


def viewed_project(request: Request, slug: str, person: SignedIn) -> Project:
    """The project of the address `{slug}`, which the person may see and for which analytics are switched on."""
    state = state_of(request)
    refusal = AccessRefused(f"You may not see the project {slug}.", hint="Ask an admin to add it to your account.")
    try:
        project = find_project(state.readers, slug, who=person.name)
    except NotFound:
        if person.may_see_project("", -1):
            raise
        raise refusal from None
    if not person.may_see_project(project.platform, project.project_id):
        state.database.audit.did(person.name, "view", slug, request.url.path, outcome="refused")
        raise refusal
    _require_flags(request, person, "project-analytics", f"{project.project_id}@{project.platform}")
    state.database.audit.saw(person.name, f"project {project.slug}", request.url.path)
    return project


ViewedProject = Annotated[Project, Depends(viewed_project)]


def project_viewer(person: SignedIn, _: ViewedProject) -> Person:
    """Somebody who may see the project of the address `{slug}`."""
    return person


ProjectViewer = Annotated[Person, Depends(project_viewer)]


def require_flag(request: Request, person: Person, flag: str) -> None:
    """Refuse a part that is switched off for this person. Raises AccessRefused."""
    if not flags.is_on(state_of(request).database.engine, flag, person.name):
        raise AccessRefused(
            f"This part is switched off ({flag}).", hint="An admin can switch it on: `schoolhouse flag`."
        )


def visible_sections(listing: SectionListing, person: Person) -> SectionListing:
    """The list without the sections that the person may not see."""
    seen = tuple(
        each for each in listing.sections if person.may_see_section(each.section.platform, each.section.section_id)
    )
    return SectionListing(seen, listing.counted_at, listing.seconds)


def is_open_without_accounts(settings: Settings) -> bool:
    """Whether `serve` reaches nobody but who sits at this machine, so that accounts may wait."""
    return is_local(settings.web_host) and not settings.public_url


def _require_flags(request: Request, person: Person, flag: str, subject: str) -> None:
    require_flag(request, person, "clickhouse-olap")
    if not flags.is_on(state_of(request).database.engine, flag, subject):
        raise AccessRefused("Analytics are switched off here.", hint=f"The flag is {flag}.")


def _is_at_this_machine(request: Request, settings: Settings) -> bool:
    """Whether the request comes from this machine and not through a proxy that serves others."""
    client = request.client.host if request.client else ""
    return (
        is_open_without_accounts(settings)
        and is_local(client)
        and not any(name in request.headers for name in _FORWARDED)
    )
