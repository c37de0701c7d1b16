"""Bundles: the objects in which statements travel to S3, and the keys that name them.

    <prefix>/section/<id>/<category>/<timestamp>_<bundle_id>.jsonl

In: keys and bytes. Out: `BundleKey` and back. A bundle's id is a hash of its content, so sending the same content again
under the same time overwrites the object with itself. What is made here has one form; what others wrote is read in any.
Needs the standard library alone: the ETL reads keys with it inside a Lambda function.

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

_WORD: Final = re.compile(r"[A-Za-z0-9_.-]+")
_PART: Final = re.compile(r"[^/\x00-\x1f\x7f]+")
_TIMESTAMP: Final = re.compile(
    r"(\d{4}-\d{2}-\d{2})T(\d{2})[:-](\d{2})[:-](\d{2})(?:[.](\d{1,9}))?(?:Z|[+]00[:-]?00)?(?=_|$)", re.ASCII
)


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
            ("partition", self.partition, _WORD),
            ("partition_id", self.partition_id, _PART),
            ("category", self.category, _PART),
        ):
            if not shape.fullmatch(value) or value in {".", ".."}:
                raise InputError(f"A bundle's {name} cannot be {value!r}.", hint="It becomes one part of a key.")

    def __str__(self) -> str:
        return f"{self.partition}/{self.partition_id}/{self.category}"


@dataclass(frozen=True)
class BundleKey:
    """A key in its parts. `prefix` has no slash at either end and may be empty; a name without a time has none."""

    group: BundleGroup
    timestamp: datetime | None
    bundle_id: str
    prefix: str = ""

    def __str__(self) -> str:
        stamp = f"{format_timestamp(self.timestamp)}_" if self.timestamp else ""
        name = f"{self.group}/{stamp}{self.bundle_id}{SUFFIX}"
        return f"{self.prefix}/{name}" if self.prefix else name

    @property
    def section_id(self) -> str | None:
        """The section, where the partition is one."""
        return self.group.partition_id if self.group.partition == "section" else None


def parse_key(key: str) -> BundleKey | None:
    """The parts of a key, which must be url-decoded and without bucket; None if it names no bundle."""
    *prefix, partition, partition_id, category, file_name = key.split("/") if key.count("/") >= 3 else [""] * 4
    name = file_name.removesuffix(SUFFIX)
    if not name or name == file_name:
        return None
    try:
        group = BundleGroup(partition, partition_id, category)
    except InputError:
        return None
    stamp = _TIMESTAMP.match(name)
    timestamp = _moment(stamp) if stamp else None
    bundle = name[stamp.end() :].removeprefix("_") if stamp and timestamp else name
    return BundleKey(group, timestamp, bundle, "/".join(prefix))


def _moment(stamp: re.Match[str]) -> datetime | None:
    """A time (UTC) from either form: `2026-08-01T12-34-56.789Z` or `2026-08-01T12:34:56.789Z`."""
    date, hour, minute, second, fraction = stamp.groups()
    try:
        whole = datetime.fromisoformat(f"{date}T{hour}:{minute}:{second}").replace(tzinfo=UTC)
    except ValueError:
        return None
    return whole + timedelta(microseconds=int((fraction or "")[:6].ljust(6, "0")))


def format_timestamp(moment: datetime) -> str:
    """A time as it stands in keys: UTC, microseconds, hyphens for colons."""
    return moment.astimezone(UTC).strftime("%Y-%m-%dT%H-%M-%S.%fZ")


def bundle_id(content: bytes) -> str:
    """The id of a bundle: 32 upper-case hexadecimal digits of the SHA-256 of its content."""
    return hashlib.sha256(content).hexdigest()[:32].upper()
