"""Who asks, and what they may see: dependencies for every route.

    @router.get("/admin/…")                def page(request: Request, person: Admin) -> Response: …
    @router.get("/…")                      def page(request: Request, person: SignedIn) -> Response: …
    @router.get("/sections/{slug}/…")      def page(request: Request, person: SectionViewer, section: ViewedSection) …
    @router.get("/projects/{slug}/…")      def page(request: Request, person: ProjectViewer, project: ViewedProject) …

Each refuses by itself: 401 (a browser that asked for a page is sent to `/sign-in`), 403 for what is not theirs. Who may
not see everything gets the same 403 for what exists and for what does not. What they look at is recorded. A number that
stands on several platforms means the one that is theirs; where several are, the answer names those.

Somebody is known by a token (`Authorization: Bearer sht_…`), by the cookie of a session, or, while nobody has an
account, by sitting at this machine: then they are the local operator, who is an admin.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated, Final

from fastapi import Depends, Request
from fastapi.security import HTTPBearer

from schoolhouse.accounts import flags
from schoolhouse.accounts.people import LOCAL_OPERATOR, Person, has_accounts
from schoolhouse.accounts.sessions import person_of_session
from schoolhouse.accounts.tokens import person_of_token
from schoolhouse.analytics.projects import Project, projects_at
from schoolhouse.analytics.sections import Place, Section, SectionListing, only_one, sections_at
from schoolhouse.errors import AccessRefused, NotSignedIn
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
    found = sections_at(state_of(request).readers, slug, who=person.name)
    theirs = [each for each in found if person.may_see_section(each.platform, each.section_id)]
    section = _only_one_of_theirs(request, person, theirs, "section", slug)
    _enter(request, person, "section", section.slug, f"{section.section_id}@{section.platform}")
    return section


ViewedSection = Annotated[Section, Depends(viewed_section)]


def section_viewer(person: SignedIn, _: ViewedSection) -> Person:
    """Somebody who may see the section of the address `{slug}`."""
    return person


SectionViewer = Annotated[Person, Depends(section_viewer)]


def viewed_project(request: Request, slug: str, person: SignedIn) -> Project:
    """The project of the address `{slug}`, which the person may see and for which analytics are switched on."""
    found = projects_at(state_of(request).readers, slug, who=person.name)
    theirs = [each for each in found if person.may_see_project(each.platform, each.project_id)]
    project = _only_one_of_theirs(request, person, theirs, "project", slug)
    _enter(request, person, "project", project.slug, f"{project.project_id}@{project.platform}")
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


def _only_one_of_theirs(request: Request, person: Person, theirs: Sequence[Place], kind: str, slug: str) -> Place:
    """The place of an address that may mean several; of what is not theirs, people learn not even whether it exists."""
    if not theirs and not person.sees_everything:
        state_of(request).database.audit.did(person.name, "view", slug, request.url.path, outcome="refused")
        raise AccessRefused(f"You may not see the {kind} {slug}.", hint="Ask an admin to add it to your account.")
    return only_one(theirs, kind, slug)


def _enter(request: Request, person: Person, kind: str, slug: str, subject: str) -> None:
    """Let a person into a place where analytics are switched on, and record it. Raises AccessRefused."""
    database = state_of(request).database
    require_flag(request, person, "clickhouse-olap")
    if not flags.is_on(database.engine, f"{kind}-analytics", subject):
        raise AccessRefused("Analytics are switched off here.", hint=f"The flag is {kind}-analytics.")
    database.audit.saw(person.name, f"{kind} {slug}", request.url.path)


def _is_at_this_machine(request: Request, settings: Settings) -> bool:
    """Whether the request comes from this machine and not through a proxy that serves others."""
    client = request.client.host if request.client else ""
    return (
        is_open_without_accounts(settings)
        and is_local(client)
        and not any(name in request.headers for name in _FORWARDED)
    )
