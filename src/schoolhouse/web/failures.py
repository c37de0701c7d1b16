"""Every error as a page for people, or as one JSON shape for programs.

{"error": {"code": "not_found", "message": "There is no section 7.", "hint": "…", "retryable": false}}
"""

from __future__ import annotations

import logging
from http import HTTPStatus
from typing import Final
from urllib.parse import urlencode

from fastapi import FastAPI
from fastapi.exceptions import RequestValidationError
from pydantic import BaseModel, Field
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import JSONResponse, RedirectResponse, Response

from schoolhouse.errors import (
    AccessRefused,
    NotFound,
    NotSignedIn,
    SchoolhouseError,
    UsageError,
    WarehouseNotReady,
)
from schoolhouse.web.templates import render

log = logging.getLogger(__name__)

LONGEST_GOAL: Final = 2000  # of the address to go on to after signing in


class ErrorFacts(BaseModel):
    """What happened, for machines and for people."""

    code: str = Field(description="Stable name of the kind of error.", examples=["not_found"])
    message: str = Field(description="What happened.")
    hint: str = Field(description="What to do about it; may be empty.")
    retryable: bool = Field(description="Whether the same request may work later.")
    place: tuple[int, int] | None = Field(None, description="Line and column in the SQL that was sent, from 1.")


class ErrorBody(BaseModel):
    """The one shape of every error."""

    error: ErrorFacts


class _Unexpected(SchoolhouseError):
    code = "internal"


def install(app: FastAPI) -> None:
    """Let the app answer every exception in our shape."""

    async def ours(request: Request, error: Exception) -> Response:
        return failure_response(request, _as_ours(error))

    app.add_exception_handler(SchoolhouseError, ours)
    app.add_exception_handler(RequestValidationError, ours)
    app.add_exception_handler(HTTPException, _of_http)


def unexpected_response(request: Request) -> Response:
    """The answer when our own code failed: the caller learns nothing about our insides."""
    return failure_response(request, _Unexpected("Something went wrong here.", hint="The log of the server says what."))


def failure_response(
    request: Request, error: SchoolhouseError, *, status: int = 0, headers: dict[str, str] | None = None
) -> Response:
    """The answer for one error: a page where a browser asks for one, else JSON."""
    status = status or error.http_status
    if status >= 500:
        log.warning("could not answer", extra={"path": request.url.path, "code": error.code, "status": status})
    if isinstance(error, NotSignedIn) and request.method == "GET" and wants_page(request):
        goal = request.url.path + (f"?{request.url.query}" if request.url.query else "")
        is_kept = goal != "/" and len(goal) <= LONGEST_GOAL
        return RedirectResponse(f"/sign-in?{urlencode({'next': goal})}" if is_kept else "/sign-in", 303)
    if status == HTTPStatus.UNAUTHORIZED:
        headers = {**(headers or {}), "WWW-Authenticate": "Bearer"}
    if not wants_page(request):
        facts = ErrorFacts(
            code=error.code,
            message=error.message,
            hint=error.hint,
            retryable=error.is_retryable,
            place=getattr(error, "place", None),
        )
        body = ErrorBody(error=facts).model_dump(mode="json")
        if facts.place is None:
            del body["error"]["place"]
        return JSONResponse(body, status_code=status, headers=headers)
    state = "not-set-up" if isinstance(error, WarehouseNotReady) else "error"
    title = "The warehouse is not set up" if state == "not-set-up" else _title(status)
    return render(request, "problem.html", {"error": error, "title": title, "state": state}, status, headers)


def wants_page(request: Request) -> bool:
    """Whether the caller is a browser that asked for a page."""
    return not request.url.path.startswith("/api/") and "text/html" in request.headers.get("accept", "")


def _title(status: int) -> str:
    if status == HTTPStatus.NOT_FOUND:
        return "Not found"
    if status == HTTPStatus.FORBIDDEN:
        return "Not yours to see"
    if status == HTTPStatus.SERVICE_UNAVAILABLE:
        return "Not available right now"
    return "That did not work" if status < 500 else "Something went wrong"


def _as_ours(error: Exception) -> SchoolhouseError:
    if isinstance(error, SchoolhouseError):
        return error
    if isinstance(error, RequestValidationError):
        problems = "; ".join(
            f"{'.'.join(str(part) for part in problem['loc'][1:]) or problem['loc'][0]}: {problem['msg']}"
            for problem in error.errors()
        )
        return UsageError(f"The request is wrong: {problems}.")
    return _Unexpected("Something went wrong here.")


async def _of_http(request: Request, error: Exception) -> Response:
    status = error.status_code if isinstance(error, HTTPException) else 500
    headers = dict(error.headers or {}) if isinstance(error, HTTPException) else None
    path = request.url.path
    failure: SchoolhouseError
    if status == HTTPStatus.NOT_FOUND:
        failure = NotFound(f"There is nothing at {path}.", hint="The sections are at /.")
    elif status == HTTPStatus.METHOD_NOT_ALLOWED:
        failure = UsageError(f"{request.method} is not possible at {path}.")
    elif status in (HTTPStatus.UNAUTHORIZED, HTTPStatus.FORBIDDEN):
        failure = AccessRefused("You may not do this.")
    else:
        failure = UsageError(f"The request could not be read: {HTTPStatus(status).phrase}.")
    return failure_response(request, failure, status=status, headers=headers)
