"""Completes statements without writing them anew: what is missing is put in front, and every other byte stays.

In: the bytes of a statement that has been validated. Out: one line with `id`, `stored`, `authority`, `version` and
`timestamp`, ready for the warehouse; and, for statements that other routes brought, the same at reading time.
"""

from __future__ import annotations

import hashlib
import json
from datetime import UTC, datetime, timedelta
from typing import Final
from uuid import UUID

import msgspec

_BREAKS: Final = bytes.maketrans(b"\r\n", b"  ")
_decode_top: Final = msgspec.json.Decoder(dict[str, msgspec.Raw]).decode

NEWEST_VERSION: Final = 2**64 - 1  # the warehouse's event_version is this less the arrival in nanoseconds and the line
DEFAULT_VERSION: Final = "1.0.0"


def one_line(raw: bytes) -> bytes:
    """The statement as one line: line breaks, which JSON allows between tokens only, become blanks."""
    line = raw.strip()
    return line.translate(_BREAKS) if b"\n" in line or b"\r" in line else line  # to look is cheaper than to copy


def derived_id(line: bytes, arrival_ns: int = 0) -> UUID:
    """The id of a statement that has none: a hash of its line, the same that the warehouse derives on other routes.

    With `arrival_ns` the id is another each time, for statements without a time: equal ones may be several events.
    """
    digest = hashlib.sha256(line + (b"%d" % arrival_ns if arrival_ns else b"")).digest()
    # the warehouse reads the first 16 bytes as two little-endian numbers
    return UUID(bytes=digest[7::-1] + digest[15:7:-1])


def complete(line: bytes, additions: dict[str, bytes], *, replaces: bool) -> bytes:
    """The line with properties added at its front, given as JSON.

    With `replaces` the line may have some of them already, which are taken out first.
    """
    if replaces:
        kept = {name: bytes(raw) for name, raw in _decode_top(line).items() if name not in additions}
        parts = additions | kept
        return b"{" + b",".join(b'"%s":%s' % (name.encode(), raw) for name, raw in parts.items()) + b"}"
    return b"{" + b"".join([b'"%s":%s,' % (name.encode(), raw) for name, raw in additions.items()]) + line[1:]


def complete_for_reading(line: bytes, event_id: UUID, event_version: int, authority: bytes) -> bytes:
    """A statement of another route with what a reader of xAPI expects: id, stored, authority and version."""
    try:
        present = _decode_top(line)
    except msgspec.MsgspecError:  # accepted by the mapping all the same: nothing to splice into
        present = {}
    additions = {
        "id": b'"%s"' % str(event_id).encode(),
        "stored": b'"%s"' % format_time(arrival_of(event_version)).encode(),
        "authority": authority,
        "version": b'"%s"' % DEFAULT_VERSION.encode(),
    }
    missing = {name: raw for name, raw in additions.items() if name not in present}
    return complete(line, missing, replaces=False) if missing and present else line


def arrival_of(event_version: int) -> datetime:
    """When a statement arrived (UTC, milliseconds)."""
    return moment_of((NEWEST_VERSION - event_version) // 1_000_000)


def moment_of(milliseconds: int) -> datetime:
    """Milliseconds since 1970 as a time, exactly."""
    return datetime(1970, 1, 1, tzinfo=UTC) + timedelta(milliseconds=milliseconds)


def format_time(moment: datetime) -> str:
    """A time as xAPI writes it: `2026-08-01T12:00:00.123Z`."""
    return moment.astimezone(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


def authority_json(home_page: str, name: str) -> bytes:
    """The authority of a client's statements: its account here."""
    return json.dumps({"objectType": "Agent", "account": {"homePage": home_page, "name": name}}).encode()
