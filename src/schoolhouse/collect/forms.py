"""The forms of text that xAPI 1.0.3 names: IRIs, UUIDs, times, durations, language tags and others, each a type."""

from __future__ import annotations

import re
import time
from collections.abc import Callable
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from functools import lru_cache
from typing import Any, ClassVar, Final, Self

from msgspec import UNSET, UnsetType


class Form(str):
    """A text of a form that xAPI names; each subclass is one form. Not made directly but by `read_form`.

    Patterns are anchored at both ends with `\\Z`, since `$` lets a last newline pass.
    """

    __slots__ = ()

    pattern: ClassVar[str]
    words: ClassVar[str]  # what a text of this form is called
    is_repeated: ClassVar[bool] = False  # whether the same few texts come again and again

    matches: ClassVar[Callable[[str], object]]
    seen: ClassVar[dict[str, Self]]

    def __init_subclass__(cls) -> None:
        cls.matches = re.compile(cls.pattern).match
        cls.seen = {}


class Iri(Form):
    """What names verbs, types, extensions, home pages and many activities."""

    pattern = r"^[A-Za-z][A-Za-z0-9+.-]*:[^\s<>\"{}|\\^`]+\Z"
    words = "an absolute IRI"
    is_repeated = True


class Uuid(Form):
    """What names statements and registrations."""

    pattern = r"^[0-9A-Fa-f]{8}-[0-9A-Fa-f]{4}-[0-9A-Fa-f]{4}-[0-9A-Fa-f]{4}-[0-9A-Fa-f]{12}\Z"
    words = "a UUID"


class Timestamp(Form):
    """When something happened."""

    pattern = (
        r"^[0-9]{4}-(0[1-9]|1[0-2])-(0[1-9]|[12][0-9]|3[01])T([01][0-9]|2[0-3]):[0-5][0-9]:([0-5][0-9]|60)"
        r"([.][0-9]{1,9})?(Z|(?!-00:?(00)?\Z)[+-]([01][0-9]|2[0-3])(:?[0-5][0-9])?)\Z"
    )
    words = "an RFC 3339 timestamp with a time zone other than -00:00"


class Duration(Form):
    """How long it took."""

    pattern = (
        r"^P(?!\Z)(?:[0-9]+([.,][0-9]+)?W|([0-9]+([.,][0-9]+)?Y)?([0-9]+([.,][0-9]+)?M)?([0-9]+([.,][0-9]+)?D)?"
        r"(T(?!\Z)([0-9]+([.,][0-9]+)?H)?([0-9]+([.,][0-9]+)?M)?([0-9]+([.,][0-9]+)?S)?)?)\Z"
    )
    words = "an ISO 8601 duration"


class Language(Form):
    """What the keys of a language map are."""

    pattern = (  # `en` and `en-US` first: nearly all of them
        r"(?i)^(?:[a-z]{2}(-[a-z]{2})?"
        r"|([a-z]{2,3}(-[a-z]{3}){0,3}|[a-z]{4,8})(-[a-z]{4})?(-([a-z]{2}|[0-9]{3}))?"
        r"(-([a-z0-9]{5,8}|[0-9][a-z0-9]{3}))*(-[a-wyz0-9](-[a-z0-9]{2,8})+)*(-x(-[a-z0-9]{1,8})+)?"
        r"|[ix](-[a-z0-9]{1,8})+)\Z"
    )
    words = "an RFC 5646 language tag"
    is_repeated = True


class Mailbox(Form):
    """Who somebody is, by mail address."""

    pattern = r"^mailto:[^@\s:]+@[^@\s]+\Z"
    words = "a mailto: IRI"


class Sha1(Form):
    """Who somebody is, by the hash of a mailbox."""

    pattern = r"^[0-9A-Fa-f]{40}\Z"
    words = "a SHA-1 in hexadecimal"


class Sha2(Form):
    """The hash of an attachment."""

    pattern = r"^[0-9A-Fa-f]{56,128}\Z"
    words = "a SHA-2 in hexadecimal"


class MediaType(Form):
    """What kind of file an attachment is."""

    pattern = r"^[\w!#$&^.+-]+/[\w!#$&^.+-]+(\s*;.*)?\Z"
    words = "a media type"


class Version(Form):
    """The version of xAPI that a statement was written for."""

    pattern = r"^1\.0(\.[0-9]+)?\Z"
    words = "a version 1.0.x"


_SEEN_LIMIT: Final = 10_000
_SEEN_LENGTH: Final = 200
_JSON_NAMES: Final = {dict: "object", list: "array", type(None): "null"}


def read_form(kind: type[Form], value: Any) -> Form:
    """The value as a text of this form: msgspec calls it for each property that is declared to have one.

    Texts that repeat themselves are remembered, which is a quarter of the cost of looking at them.

    Raises:
        TypeError: it is no text.
        ValueError: it has another form.
    """
    if not isinstance(value, str):
        raise TypeError(f"Expected `str`, got `{_JSON_NAMES.get(type(value), type(value).__name__)}`")
    found = kind.seen.get(value)
    if found is None:
        if not kind.matches(value):
            raise ValueError(f"Expected {kind.words}")
        found = kind(value)
        if kind.is_repeated and len(value) <= _SEEN_LENGTH:
            if len(kind.seen) >= _SEEN_LIMIT:
                kind.seen.clear()
            kind.seen[value] = found
    return found


EARLIEST: Final = datetime(1990, 1, 1, tzinfo=UTC)


def check_time(text: str | UnsetType) -> datetime | None:
    """The moment, if there is one; the pattern has seen to the shape, not to the calendar."""
    if text is UNSET:
        return None
    with suppress(ValueError):
        return datetime.fromisoformat(text)
    try:  # perhaps a leap second, which is a time that the calendar of Python lacks
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
