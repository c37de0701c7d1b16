"""The error of ours for an error of ClickHouse's.

In: an exception of the driver, which has the engine's number where the engine spoke. Out: one class of
`schoolhouse.errors`, its text without stack, version and address, and without the data that the engine likes to quote.
"""

from __future__ import annotations

import re
from typing import Final

from schoolhouse.errors import (
    QueryError,
    QueryLimitExceeded,
    QueryRefused,
    WarehouseError,
    WarehouseUnavailable,
)
from schoolhouse.observe import redact

_LIMIT_CODES: Final = frozenset({158, 159, 160, 241, 307, 396})  # rows, time, slow, memory, bytes, result rows
_REFUSED_CODES: Final = frozenset({164, 452, 497})  # readonly, constraint, access denied
# too many queries, connections or parts; network; keeper; a replica that lost it; overload
_UNAVAILABLE_CODES: Final = frozenset({202, 203, 209, 210, 225, 242, 252, 279, 319, 425, 745, 999})
_MISSING_CODES: Final = frozenset({60, 81})  # unknown table, unknown database
_AUTHENTICATION_CODES: Final = frozenset({192, 193, 194, 516})
_PARSE_CODES: Final = frozenset({6, 25, 26, 27, 38, 41, 72, 117, 376, 441, 675, 676})  # they quote what they read
_BAD_VALUE_CODE: Final = 457
_TRANSPORT_ERRORS: Final = frozenset({"OperationalError", "StreamFailureError", "InterfaceError"})
_GATEWAY_STATUS: Final = re.compile(r"HTTP status (?:429|502|503|504)\b")
_NOISE: Final = re.compile(
    r"^.*?(?:Code:\s*\d+\.\s*(?:DB::Exception:\s*)?)+"
    r"|\s*\(version [^)]*\)+|\s*\(for url [^)]*\)|^Received ClickHouse exception.*?:\s*"
)
_PLACE: Final = re.compile(
    r"(?:[:.] )?\b[Ww]hile (?:executing|processing|parsing|reading|pushing)\b|\bStack trace|(?<=[A-Z]\))\. \([A-Z_]+\)$"
    r"|(?:[:.] )?\b[Ii]n scope\b"  # the query follows, with the bound values in it
)


def mapped(error: Exception, *, hides_data: bool = False) -> WarehouseError:
    """The error of ours for an error of the driver's."""
    code = int(getattr(error, "code", None) or 0)
    name = getattr(error, "name", None) or ""
    if not code and (type(error).__name__ in _TRANSPORT_ERRORS or _GATEWAY_STATUS.search(str(error))):
        return WarehouseUnavailable("ClickHouse did not answer.")  # the driver's own text repeats the whole URL
    message = _plain_message(str(error), hides_data=hides_data or code in _PARSE_CODES) or name
    if code in _LIMIT_CODES:
        return QueryLimitExceeded(message, hint="Narrow the question, or raise the limit.", engine_code=code)
    if code in _REFUSED_CODES:
        return QueryRefused(message, hint="This handle is read-only or lacks the right.", engine_code=code)
    if code in _AUTHENTICATION_CODES:
        return WarehouseError(
            "ClickHouse refused the user or password.",
            hint="Check CLICKHOUSE_USER and CLICKHOUSE_PASSWORD.",
            engine_code=code,
        )
    if code in _UNAVAILABLE_CODES:
        return WarehouseUnavailable(message, engine_code=code)
    if code in _MISSING_CODES:
        return QueryError(
            message, hint="If the tables are missing, run `schoolhouse warehouse setup`.", engine_code=code
        )
    if code == _BAD_VALUE_CODE:  # the engine repeats the value, which may be a learner's
        wanted = re.search(r"cannot be parsed as (.+?) for query parameter '(\w+)'", message, re.S)
        message = f"The value of {wanted[2]!r} is not of type {wanted[1]}." if wanted else "A value has the wrong type."
        return QueryError(message, engine_code=code)
    if code:
        return QueryError(message, engine_code=code)
    return WarehouseError(message or type(error).__name__)


def _plain_message(text: str, *, hides_data: bool) -> str:
    """The engine's sentence without stack, version and place; without quoted data if `hides_data`."""
    text = _NOISE.sub("", text.strip())
    text = _PLACE.split(text)[0]
    if hides_data:
        text = re.sub(r"'[^']*'|\"[^\"]*\"|`[^`]*`", "…", text.splitlines()[0] if text else "")
    return redact(text.strip())[:2000]
