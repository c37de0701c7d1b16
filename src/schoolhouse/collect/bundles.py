"""Bundles: the objects in which statements travel to S3, and the keys that name them.

    <prefix>/section/<id>/<category>/<timestamp>_<bundle_id>.jsonl

In: keys and bytes. Out: `BundleKey` and back. A bundle's id is a hash of its content, so sending the same content again
under the same time overwrites the object with itself. Needs the standard library alone: the ETL parses keys with it
inside a Lambda function.

The surprising fact: times stand in keys with hyphens for colons (`2026-08-01T12-34-56.789012Z`), because file names do
not take colons well; keys with colons are around too, and both are read.
"""

from __future__ import annotations

import hashlib
import re
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Final

from schoolhouse.errors import InputError

SUFFIX: Final = ".jsonl"

_PART: Final = re.compile(r"[^/\x00-\x1f\x7f]+")
_CATEGORY: Final = re.compile(r"[A-Za-z0-9_.-]+")
_TIMESTAMP: Final = re.compile(
    r"(\d{4}-\d{2}-\d{2})T(\d{2})[:-](\d{2})[:-](\d{2})(?:[.](\d{1,9}))?(?:Z|[+]00[:-]?00)?", re.ASCII
)
_FILE_NAME: Final = re.compile(r"(?P<timestamp>[^_/]+)_(?P<bundle_id>[^/]+)[.]jsonl", re.ASCII)


@dataclass(frozen=True, order=True)
class BundleGroup:
    """What a bundle is about: statements of one group may share a bundle.

    `partition` is the kind of place (`section`), `partition_id` its number, `category` the kind of statements
    (`attempt_evaluated`, `page_viewed`, `video`, …).
    """

    partition: str
    partition_id: str
    category: str

    def __post_init__(self) -> None:
        for name, value, shape in (
            ("partition", self.partition, _CATEGORY),
            ("partition_id", self.partition_id, _PART),
            ("category", self.category, _CATEGORY),
        ):
            if not shape.fullmatch(value) or value in {".", ".."}:
                raise InputError(f"A bundle's {name} cannot be {value!r}.", hint="It becomes one part of a key.")

    def __str__(self) -> str:
        return f"{self.partition}/{self.partition_id}/{self.category}"


@dataclass(frozen=True)
class BundleKey:
    """A key in its parts. `prefix` has no slash at either end and may be empty."""

    group: BundleGroup
    timestamp: datetime
    bundle_id: str
    prefix: str = ""

    def __str__(self) -> str:
        name = f"{self.group}/{format_timestamp(self.timestamp)}_{self.bundle_id}{SUFFIX}"
        return f"{self.prefix}/{name}" if self.prefix else name


def parse_key(key: str) -> BundleKey:
    """The parts of a key, which must be url-decoded and without bucket.

    Raises:
        InputError: the key does not name a bundle.
    """
    *prefix, partition, partition_id, category, file_name = key.split("/") if key.count("/") >= 3 else [""] * 4
    found = _FILE_NAME.fullmatch(file_name)
    if not found:
        raise InputError(
            f"{key!r} is not the key of a bundle.",
            hint="Bundles are called section/<id>/<category>/<timestamp>_<bundle_id>.jsonl.",
        )
    return BundleKey(
        group=BundleGroup(partition, partition_id, category),
        timestamp=parse_timestamp(found["timestamp"]),
        bundle_id=found["bundle_id"],
        prefix="/".join(prefix),
    )


def parse_timestamp(text: str) -> datetime:
    """A time (UTC) from either form: `2026-08-01T12-34-56.789Z` or `2026-08-01T12:34:56.789Z`.

    Raises:
        InputError: it is neither, or there is no such time.
    """
    found = _TIMESTAMP.fullmatch(text)
    if found:
        date, hour, minute, second, fraction = found.groups()
        try:
            whole = datetime.fromisoformat(f"{date}T{hour}:{minute}:{second}").replace(tzinfo=UTC)
        except ValueError:
            pass
        else:
            return whole + timedelta(microseconds=int((fraction or "")[:6].ljust(6, "0")))
    raise InputError(f"{text!r} is not the time of a bundle.", hint="It looks like 2026-08-01T12-34-56.789Z, in UTC.")


def format_timestamp(moment: datetime) -> str:
    """A time as it stands in keys: UTC, microseconds, hyphens for colons."""
    return moment.astimezone(UTC).strftime("%Y-%m-%dT%H-%M-%S.%fZ")


def bundle_id(content: bytes) -> str:
    """The id of a bundle: 32 upper-case hexadecimal digits of the SHA-256 of its content."""
    return hashlib.sha256(content).hexdigest()[:32].upper()
