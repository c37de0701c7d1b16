"""The xAPI resource over HTTP: `/xAPI/statements` and `/xAPI/about`.

    xapi = Xapi(settings)                    # opens the warehouse with the first request; close it with the app
    app.router.routes[:0] = xapi_routes(xapi)

They are plain routes of Starlette and stand first: FastAPI's own, with their models and dependencies, would cost a
request of a hundred statements as much again as reading it does.

Every answer, errors too, carries `X-Experience-API-Version`; every answer about statements carries
`X-Experience-API-Consistent-Through`. Errors have the one shape of this app. Other resources of xAPI answer 501.
"""

from __future__ import annotations

import json
import logging
from collections.abc import Awaitable, Callable
from email.utils import format_datetime
from typing import Any, Final, TypeVar
from urllib.parse import urlencode

from anyio import CapacityLimiter, to_thread
from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from schoolhouse.collect.clients import Client, Right
from schoolhouse.collect.splicing import format_time
from schoolhouse.collect.xapi import VERSION, Question, Xapi
from schoolhouse.errors import InputError, NotFound, NotSupported, SchoolhouseError, UsageError

_STATEMENTS: Final = ("/statements", "/statements/")
_METHODS: Final = ("GET", "HEAD", "PUT", "POST", "DELETE")
_NOT_BUILT: Final = frozenset(
    {"activities", "activities/state", "activities/profile", "agents", "agents/profile"},
)
_JSON: Final = "application/json"
# Requests that may wait for a commit at the same time, each in a thread: the more wait, the more share one insert.
_WRITERS: Final = 256

log = logging.getLogger(__name__)

Answer = TypeVar("Answer")


def xapi_routes(xapi: Xapi, prefix: str = "/xAPI") -> list[Route]:
    """The routes of the xAPI resource, below `prefix`."""
    statements = _Statements(xapi)

    async def answer_about(request: Request) -> Response:
        body = json.dumps({"version": [VERSION]})
        return Response("" if request.method == "HEAD" else body, media_type=_JSON, headers=_version_header())

    async def answer_others(request: Request) -> Response:
        resource = request.path_params["resource"]
        if resource.strip("/") in _NOT_BUILT:
            return _refusal(NotSupported(f"The resource {resource} is not supported yet."))
        return _refusal(NotFound(f"xAPI has no resource {resource}."))

    return [
        *(Route(f"{prefix}{path}", statements.answer, methods=_METHODS) for path in _STATEMENTS),
        Route(f"{prefix}/about", answer_about, methods=["GET", "HEAD"]),
        Route(f"{prefix}/{{resource:path}}", answer_others, methods=_METHODS),
    ]


class _Statements:
    """Answers requests about statements."""

    def __init__(self, xapi: Xapi) -> None:
        self._xapi = xapi
        self._writers = CapacityLimiter(_WRITERS)
        self._answers: dict[str, Callable[[Request], Awaitable[Response]]] = {
            "GET": self._get,
            "HEAD": self._get,
            "POST": self._post,
            "PUT": self._put,
        }

    async def answer(self, request: Request) -> Response:
        """The answer, or the refusal with its status; nothing but the headers for HEAD."""
        try:
            _check_version(request)
            response = await self._answers.get(request.method, _no_method)(request)
        except SchoolhouseError as error:
            if error.http_status >= 500:
                log.warning("could not answer", extra={"code": error.code, "reason": error.message})
            response = _refusal(error)
        except Exception:
            log.exception("could not answer")
            response = _refusal(SchoolhouseError("Something went wrong here.", hint="The log of the server says what."))
        response.headers.update(_version_header())
        response.headers["X-Experience-API-Consistent-Through"] = format_time(self._xapi.consistent_through())
        return response

    async def _post(self, request: Request) -> Response:
        client = await self._signed_in(request, "write")
        if "method" in request.query_params:
            raise NotSupported("The alternate request syntax (`?method=`) is not supported yet.")
        if request.query_params:
            raise UsageError(f"POST takes no parameter `{min(request.query_params)}`.")
        body = await self._body(request)
        ids = await self._write(self._xapi.post, body, client)
        return Response(json.dumps(ids), media_type=_JSON)

    async def _put(self, request: Request) -> Response:
        client = await self._signed_in(request, "write")
        if set(request.query_params) != {"statementId"}:
            raise UsageError("PUT takes the parameter `statementId`, and no other.")
        body = await self._body(request)
        await self._write(self._xapi.put, request.query_params["statementId"], body, client)
        return Response(status_code=204)

    async def _get(self, request: Request) -> Response:
        await self._signed_in(request, "read")
        parameters = request.query_params
        for name in parameters:
            if len(parameters.getlist(name)) > 1:
                raise UsageError(f"`{name}` is given twice.")
        question = self._xapi.understand(parameters)
        if question.statement_id:
            response = await self._one(question)
        else:
            response = await self._page(request, question)
        if request.method == "HEAD":
            length = response.headers["content-length"]
            response = Response(status_code=response.status_code, headers=dict(response.headers))
            response.headers["content-length"] = length
        return response

    async def _one(self, question: Question) -> Response:
        assert question.statement_id  # noqa: S101 - the caller has looked
        found = await run_in_threadpool(self._xapi.statement, question.statement_id)
        if not found:
            return _refusal(NotFound(f"There is no statement {question.statement_id}."))
        headers = {"Last-Modified": format_datetime(found.stored, usegmt=True)}
        return Response(found.statement, media_type=_JSON, headers=headers)

    async def _page(self, request: Request, question: Question) -> Response:
        page = await run_in_threadpool(self._xapi.page, question)
        more = ""
        if page.cursor:
            kept = {name: value for name, value in request.query_params.items() if name != "cursor"}
            more = f"{request.url.path}?{urlencode({**kept, 'cursor': page.cursor})}"
        body = b'{"statements":[' + b",".join(page.statements) + b'],"more":' + json.dumps(more).encode() + b"}"
        return Response(body, media_type=_JSON)

    async def _signed_in(self, request: Request, right: Right) -> Client:
        header = request.headers.get("authorization", "")
        if self._xapi.is_known(header):
            return self._xapi.signed_in(header, right)
        return await run_in_threadpool(self._xapi.signed_in, header, right)

    async def _write(self, act: Callable[..., Answer], *arguments: Any) -> Answer:
        """Do it in a thread that may wait for a commit; readers have others."""
        return await to_thread.run_sync(act, *arguments, limiter=self._writers)

    async def _body(self, request: Request) -> bytes:
        kind = request.headers.get("content-type", "").partition(";")[0].strip().lower()
        if kind == "multipart/mixed":
            raise NotSupported("Attachments with their contents (multipart/mixed) are not supported yet.")
        if kind != _JSON:
            raise InputError("The content type must be application/json.")
        announced = request.headers.get("content-length", "")
        self._xapi.check_size(int(announced) if announced.isdigit() else 0)
        body = bytearray()
        async for piece in request.stream():
            body += piece
            self._xapi.check_size(len(body))
        return bytes(body)


async def _no_method(request: Request) -> Response:
    return _refusal(UsageError(f"{request.method} is not possible here."), status=405)


def _check_version(request: Request) -> None:
    version = request.headers.get("x-experience-api-version", "")
    if not (version == "1.0" or version.startswith("1.0.")):
        raise UsageError(
            "The header X-Experience-API-Version is missing or names another version.", hint=f"Send {VERSION}."
        )


def _version_header() -> dict[str, str]:
    return {"X-Experience-API-Version": VERSION}


def _refusal(error: SchoolhouseError, *, status: int = 0) -> Response:
    facts = {"code": error.code, "message": error.message, "hint": error.hint, "retryable": error.is_retryable}
    headers = _version_header()
    status = status or error.http_status
    if status == 401:
        headers["WWW-Authenticate"] = 'Basic realm="xAPI"'
    if status == 503:
        headers["Retry-After"] = "5"
    return Response(json.dumps({"error": facts}), status_code=status, media_type=_JSON, headers=headers)
