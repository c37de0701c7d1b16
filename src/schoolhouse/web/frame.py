"""What every answer carries, and whom the app answers.

Strict headers: the browser loads nothing from elsewhere and runs no inline script or style. The Host header must name
this machine or the address that `serve` was told to listen on: otherwise a page elsewhere could point its own name
at 127.0.0.1 and read through the visitor's browser.

A request that changes something must come from a page of ours or from a program: browsers say where a request comes
from (`Sec-Fetch-Site`, else `Origin`), and one from elsewhere is refused. With SameSite cookies that is all that is
needed against forged requests, and forms carry no secret. The xAPI resource takes no cookies and is left out.

What our own code fails at ends here too: in the log, and as an error without details.
"""

from __future__ import annotations

import ipaddress
import logging
from typing import Final
from urllib.parse import urlsplit

from starlette.datastructures import Headers, MutableHeaders
from starlette.requests import Request
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from schoolhouse.errors import AccessRefused
from schoolhouse.web.failures import failure_response, unexpected_response

log = logging.getLogger(__name__)

_HEADERS: Final = {
    "Content-Security-Policy": (
        "default-src 'self'; object-src 'none'; base-uri 'none'; form-action 'self'; frame-ancestors 'none'"
    ),
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
    "Referrer-Policy": "same-origin",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Permissions-Policy": "camera=(), geolocation=(), microphone=()",
}
_LOCAL_NAMES: Final = frozenset({"localhost", "127.0.0.1", "::1"})
_XAPI: Final = "/xAPI/"
_SAFE_METHODS: Final = frozenset({"GET", "HEAD", "OPTIONS"})


class Frame:
    """ASGI middleware around the whole app."""

    def __init__(self, app: ASGIApp, *, listens_on: str, public_url: str = "") -> None:
        self._app = app
        self._names = _LOCAL_NAMES | {listens_on.lower(), (urlsplit(public_url).hostname or "localhost").lower()}
        # Listening beyond this machine means names that we cannot know.
        self._takes_any_host = not is_local(listens_on)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Refuse a foreign Host, else answer with the headers added."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return

        if scope["method"] == "HEAD" and not scope["path"].startswith(_XAPI):
            # The routes know GET; the server sends the headers of what they answer, and no body.
            scope = {**scope, "method": "GET"}
        has_begun = False

        async def send_with_headers(message: Message) -> None:
            nonlocal has_begun
            if message["type"] == "http.response.start":
                has_begun = True
                headers = MutableHeaders(scope=message)
                for name, value in _HEADERS.items():
                    headers.setdefault(name, value)
                headers.setdefault("Cache-Control", "no-store")
            await send(message)

        refusal = self._refusal(scope)
        if refusal:
            await failure_response(Request(scope), refusal)(scope, receive, send_with_headers)
            return
        try:
            await self._app(scope, receive, send_with_headers)
        except Exception:
            log.exception("a request failed", extra={"path": scope["path"]})
            if has_begun:
                raise  # the server cuts the answer off, so that nobody takes it for whole
            await unexpected_response(Request(scope))(scope, receive, send_with_headers)

    def _refusal(self, scope: Scope) -> AccessRefused | None:
        headers = Headers(scope=scope)
        if not self._takes_any_host and _host_name(headers.get("host", "")) not in self._names:
            return AccessRefused(
                "This server does not answer to that name.",
                hint="Open it as 127.0.0.1 or localhost, or set SCHOOLHOUSE_PUBLIC_URL.",
            )
        if scope["method"] in _SAFE_METHODS or scope["path"].startswith(_XAPI) or _is_our_own(headers):
            return None
        return AccessRefused("The request comes from a page elsewhere.", hint="Use the pages of this server.")


def _is_our_own(headers: Headers) -> bool:
    """Whether a request that changes something comes from our own pages, or from a program that is no browser."""
    site = headers.get("sec-fetch-site")
    if site:
        return site in {"same-origin", "none"}
    origin = headers.get("origin")
    return origin is None or urlsplit(origin).netloc.lower() == headers.get("host", "").lower()


def is_local(host: str) -> bool:
    """Whether a server that listens on `host` is reached from this machine alone."""
    if host.lower() == "localhost":
        return True
    try:
        return ipaddress.ip_address(host.strip("[]")).is_loopback
    except ValueError:
        return False


def _host_name(header: str) -> str:
    if header.startswith("["):
        return header[1:].partition("]")[0].lower()
    return header.partition(":")[0].lower()
