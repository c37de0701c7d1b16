"""One JSON object by POST to an address that an operator has set, which may hold a secret and is never shown."""

from __future__ import annotations

import http.client
import json
import urllib.request
from base64 import b64encode
from collections.abc import Mapping
from typing import Any, Final
from urllib.parse import unquote_to_bytes, urlsplit, urlunsplit

_TIMEOUT_SECONDS: Final = 10


def send(url: str, facts: Mapping[str, Any]) -> str:
    """Send it. '' if the receiver took it, else the kind of the failure."""
    try:
        with urllib.request.urlopen(_request(url, facts), timeout=_TIMEOUT_SECONDS):  # noqa: S310 - the operator's own
            return ""
    except (http.client.HTTPException, OSError, ValueError) as error:
        return type(error).__name__


def _request(url: str, facts: Mapping[str, Any]) -> urllib.request.Request:
    """The POST. User and password of the URL go into a header, which urllib itself would not do."""
    parts = urlsplit(url)
    user, _, host = parts.netloc.rpartition("@")
    request = urllib.request.Request(  # noqa: S310
        urlunsplit(parts._replace(netloc=host)),
        data=json.dumps(facts, default=str).encode(),
        headers={"Content-Type": "application/json"},
        method="POST",
    )
    if user:  # not for a host to which the receiver may redirect
        request.add_unredirected_header("Authorization", f"Basic {b64encode(unquote_to_bytes(user)).decode()}")
    return request
