"""The pages to sign in and out."""

from __future__ import annotations

from typing import Annotated, Final

from fastapi import APIRouter, Depends, Form, Query, Request
from starlette.responses import RedirectResponse, Response

from schoolhouse.accounts.people import Person, has_accounts, sign_in
from schoolhouse.accounts.sessions import end_session, start_session
from schoolhouse.errors import NotSignedIn, TooManyAttempts
from schoolhouse.web.access import COOKIE, visitor
from schoolhouse.web.failures import LONGEST_GOAL
from schoolhouse.web.state import state_of
from schoolhouse.web.templates import render

router = APIRouter(include_in_schema=False)

_SEE_OTHER: Final = 303


@router.get("/sign-in")
def sign_in_page(
    request: Request,
    person: Annotated[Person | None, Depends(visitor)],
    next: Annotated[str, Query(max_length=LONGEST_GOAL)] = "/",  # noqa: A002 - the name of the address's part
) -> Response:
    """The form; who is signed in already goes on."""
    if person:
        return RedirectResponse(own_path(next), _SEE_OTHER)
    return _form(request, next)


@router.post("/sign-in")
def sign_in_with_password(
    request: Request,
    name: Annotated[str, Form(max_length=300)] = "",
    password: Annotated[str, Form(max_length=2000)] = "",
    next: Annotated[str, Form(max_length=LONGEST_GOAL)] = "/",  # noqa: A002
) -> Response:
    """Sign in with name and password."""
    database = state_of(request).database
    address = request.client.host if request.client else ""
    try:
        person = sign_in(database.engine, name, password, address)
    except (NotSignedIn, TooManyAttempts) as refusal:
        # What was typed as a name may be a password: only the address is recorded.
        database.audit.did("", "sign-in", address, outcome=refusal.code)
        return _form(request, next, problem=refusal.message, status=refusal.http_status)
    return let_in(request, person, next)


@router.post("/sign-out")
def sign_out(request: Request, person: Annotated[Person | None, Depends(visitor)]) -> Response:
    """End the session of this browser."""
    database = state_of(request).database
    if secret := request.cookies.get(COOKIE):
        end_session(database.engine, secret)
    if person:
        database.audit.did(person.name, "sign-out")
    answer = RedirectResponse("/sign-in", _SEE_OTHER)
    answer.delete_cookie(COOKIE, path="/")
    return answer


def let_in(request: Request, person: Person, goal: str) -> Response:
    """Start a session, and go on to where the person wanted to go."""
    state = state_of(request)
    life_seconds = state.settings.session_hours * 3600
    secret = start_session(state.database.engine, person, life_seconds=life_seconds)
    state.database.audit.did(person.name, "sign-in", request.client.host if request.client else "")
    answer = RedirectResponse(own_path(goal), _SEE_OTHER)
    answer.set_cookie(
        COOKIE,
        secret,
        max_age=int(life_seconds),
        path="/",
        httponly=True,
        samesite="lax",
        secure=request.url.scheme == "https" or state.settings.public_url.startswith("https:"),
    )
    return answer


def own_path(goal: str) -> str:
    """The goal if it is a path of ours, else the first page: nobody is sent elsewhere."""
    is_ours = goal.startswith("/") and not goal.startswith(("//", "/\\")) and goal.isprintable()
    return goal if is_ours else "/"


def _form(request: Request, goal: str, *, problem: str = "", status: int = 200) -> Response:
    state = state_of(request)
    facts = {
        "goal": own_path(goal),
        "problem": problem,
        "has_accounts": has_accounts(state.database.engine),
        "has_provider": bool(state.settings.oidc_issuer and state.settings.oidc_client_id),
    }
    return render(request, "sign_in.html", facts, status)
