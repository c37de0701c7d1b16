"""What a bundle's key says: `<prefix>/section/<id>/<category>/<timestamp>_<bundle_id>.jsonl`.

The time is UTC, as `2024-01-01T12-00-00.000Z` (colons written as hyphens) or `2024-01-01T12:00:00.000Z`; both are read,
with any number of decimals or none.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Final

SUFFIX: Final = ".jsonl"

_KEY: Final = re.compile(
    r"(?:^|.*/)(?P<partition>[a-z_]+)/(?P<partition_id>[^/]+)/(?P<category>[^/]+)/(?P<name>[^/]+)\.jsonl$", re.DOTALL
)
_TIME: Final = re.compile(
    r"(?P<date>\d{4}-\d{2}-\d{2})T(?P<hour>\d{2})[:-](?P<minute>\d{2})[:-](?P<second>\d{2})(?:\.(?P<decimals>\d{1,9}))?Z?"
)


@dataclass(frozen=True)
class BundleKey:
    """The parts of a key. `time` is None where the name doesn't start with one."""

    partition: str
    partition_id: str
    category: str
    time: datetime | None
    bundle_id: str

    @property
    def section_id(self) -> str | None:
        """The section, where the partition is one."""
        return self.partition_id if self.partition == "section" else None


def parse_key(key: str) -> BundleKey | None:
    """The parts of a bundle's key, or None if it is not shaped like one."""
    match = _KEY.match(key)
    if not match:
        return None
    stamp = _TIME.match(match["name"])
    time = _time(stamp) if stamp else None
    bundle_id = match["name"][stamp.end() :].lstrip("_") if stamp and time else match["name"]
    return BundleKey(match["partition"], match["partition_id"], match["category"], time, bundle_id)


def _time(stamp: re.Match[str]) -> datetime | None:
    microseconds = (stamp["decimals"] or "").ljust(6, "0")[:6]
    text = f"{stamp['date']}T{stamp['hour']}:{stamp['minute']}:{stamp['second']}.{microseconds}"
    try:
        return datetime.fromisoformat(text).replace(tzinfo=UTC)
    except ValueError:
        return None
