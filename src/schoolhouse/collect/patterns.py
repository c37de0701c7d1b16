"""The forms of text that xAPI 1.0.3 names: IRIs, UUIDs, times, durations, language tags and others, as patterns.

Every pattern is anchored at both ends with `\\Z`, since `$` lets a last newline pass. `WORDS` says what each is called.
"""

from __future__ import annotations

import time
from datetime import UTC, datetime, timedelta
from functools import lru_cache
from typing import Final

from msgspec import UNSET, UnsetType

IRI = r"^[A-Za-z][A-Za-z0-9+.-]*:[^\s<>\"{}|\\^`]+\Z"
UUID = r"^[0-9A-Fa-f]{8}-[0-9A-Fa-f]{4}-[0-9A-Fa-f]{4}-[0-9A-Fa-f]{4}-[0-9A-Fa-f]{12}\Z"
TIME = (
    r"^[0-9]{4}-(0[1-9]|1[0-2])-(0[1-9]|[12][0-9]|3[01])T([01][0-9]|2[0-3]):[0-5][0-9]:([0-5][0-9]|60)([.][0-9]{1,9})?"
    r"(Z|(?!-00:?(00)?\Z)[+-]([01][0-9]|2[0-3])(:?[0-5][0-9])?)\Z"
)
DURATION = (
    r"^P(?!\Z)(?:[0-9]+([.,][0-9]+)?W|([0-9]+([.,][0-9]+)?Y)?([0-9]+([.,][0-9]+)?M)?([0-9]+([.,][0-9]+)?D)?"
    r"(T(?!\Z)([0-9]+([.,][0-9]+)?H)?([0-9]+([.,][0-9]+)?M)?([0-9]+([.,][0-9]+)?S)?)?)\Z"
)
LANGUAGE = (  # `en` and `en-US` first: nearly all of them
    r"(?i)^(?:[a-z]{2}(-[a-z]{2})?"
    r"|([a-z]{2,3}(-[a-z]{3}){0,3}|[a-z]{4,8})(-[a-z]{4})?(-([a-z]{2}|[0-9]{3}))?(-([a-z0-9]{5,8}|[0-9][a-z0-9]{3}))*"
    r"(-[a-wyz0-9](-[a-z0-9]{2,8})+)*(-x(-[a-z0-9]{1,8})+)?"
    r"|[ix](-[a-z0-9]{1,8})+)\Z"
)
MAILBOX = r"^mailto:[^@\s:]+@[^@\s]+\Z"
SHA1 = r"^[0-9A-Fa-f]{40}\Z"
SHA2 = r"^[0-9A-Fa-f]{56,128}\Z"
MEDIA_TYPE = r"^[\w!#$&^.+-]+/[\w!#$&^.+-]+(\s*;.*)?\Z"
VERSION = r"^1\.0(\.[0-9]+)?\Z"

# What a failed pattern is called in a reason.
WORDS: Final = {
    IRI: "an absolute IRI",
    UUID: "a UUID",
    TIME: "an RFC 3339 timestamp with a time zone other than -00:00",
    DURATION: "an ISO 8601 duration",
    LANGUAGE: "an RFC 5646 language tag",
    MAILBOX: "a mailto: IRI",
    SHA1: "a SHA-1 in hexadecimal",
    SHA2: "a SHA-2 in hexadecimal",
    MEDIA_TYPE: "a media type",
    VERSION: "a version 1.0.x",
}

EARLIEST: Final = datetime(1990, 1, 1, tzinfo=UTC)


def check_time(text: str | UnsetType) -> datetime | None:
    """The moment, if there is one; the pattern has seen to the shape, not to the calendar."""
    if text is UNSET:
        return None
    try:
        return datetime.fromisoformat(text)
    except ValueError:
        pass  # perhaps a leap second, which is a time that the calendar of Python lacks
    try:
        return datetime.fromisoformat(text.replace(":60", ":59", 1))
    except ValueError:
        raise ValueError("`timestamp` names a day or hour that does not exist") from None


def is_plainly_past(text: str) -> bool:
    """Whether a glance tells that the time is on the calendar, after 1990 and before yesterday."""
    day = text[:10]
    return "1990-01-02" <= day < _yesterday(int(time.time() // 3600)) and day[8:] <= "28"


@lru_cache(maxsize=1)
def _yesterday(hour: int) -> str:
    return (datetime.fromtimestamp(hour * 3600, UTC) - timedelta(days=1)).strftime("%Y-%m-%d")
