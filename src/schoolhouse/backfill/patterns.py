"""The objects that match a pattern, in the order of their keys, from any key on.

Patterns are ClickHouse's: `*` and `?` stay within a folder, `**` crosses folders, `{a,b}` chooses, `{1..9}` counts.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from schoolhouse.backfill.places import Place, is_allowed_path
from schoolhouse.errors import UsageError
from schoolhouse.etl.aws import mapped_errors
from schoolhouse.etl.payloads import ObjectRef
from schoolhouse.settings import Settings

_PART: Final = re.compile(r"\*\*/|\*\*|\*|\?|\{(?P<first>\d+)\.\.(?P<last>\d+)\}|\{(?P<choices>[^{}]*)\}")
_MOST_NUMBERS: Final = 10_000


@dataclass(frozen=True)
class Source:
    """One object or file. `etag` is its version ('' if unknown), `size_bytes` -1 if unknown."""

    bucket: str
    key: str
    etag: str = ""
    size_bytes: int = -1

    @property
    def uri(self) -> str:
        """What rows carry as their source."""
        return f"s3://{self.bucket}/{self.key}" if self.bucket else self.key

    @property
    def ref(self) -> ObjectRef:
        """The same for the ETL."""
        return ObjectRef(self.bucket, self.key, self.etag, self.size_bytes)


def pattern_regex(pattern: str) -> re.Pattern[str]:
    """The pattern as a regular expression over whole keys.

    Raises:
        UsageError: a range counts down, or is too wide.
    """
    pieces: list[str] = []
    end = 0
    for match in _PART.finditer(pattern):
        pieces.append(re.escape(pattern[end : match.start()]))
        pieces.append(_piece(match))
        end = match.end()
    pieces.append(re.escape(pattern[end:]))
    return re.compile("".join(pieces), re.DOTALL)


def _piece(match: re.Match[str]) -> str:
    text = match[0]
    if text == "**/":
        return "(?:.*/)?"
    if text == "**":
        return ".*"
    if text == "*":
        return "[^/]*"
    if text == "?":
        return "[^/]"
    if match["choices"] is not None:
        return "(?:" + "|".join(re.escape(choice) for choice in match["choices"].split(",")) + ")"
    first, last = int(match["first"]), int(match["last"])
    width = len(match["first"]) if match["first"].startswith("0") else 0
    if not 0 <= last - first < _MOST_NUMBERS:
        raise UsageError(
            f"The range {text[:60]} counts {'down' if last < first else f'more than {_MOST_NUMBERS} numbers'}.",
            hint="Write the smaller number first, as in {1..9}; for more numbers take *.",
        )
    return "(?:" + "|".join(f"{number:0{width}}" for number in range(first, last + 1)) + ")"


def fixed_prefix(pattern: str) -> str:
    """What every match begins with."""
    match = _PART.search(pattern)
    return pattern[: match.start()] if match else pattern


def matching(place: Place, settings: Settings, s3: Any, *, after: str = "") -> Iterator[Source]:
    """What matches, behind the key `after`.

    Raises:
        StorageError: the bucket cannot be listed.
    """
    found = _local(place, settings) if place.is_local else _in_s3(place, s3, after)
    return (source for source in found if source.key > after)


def _in_s3(place: Place, s3: Any, after: str) -> Iterator[Source]:
    wanted = pattern_regex(place.key)
    asked = {"Bucket": place.bucket, "Prefix": fixed_prefix(place.key)} | ({"StartAfter": after} if after else {})
    with mapped_errors(f"s3://{place.bucket}/{asked['Prefix']}"):
        for page in s3.get_paginator("list_objects_v2").paginate(**asked):
            for entry in page.get("Contents", []):
                if wanted.fullmatch(entry["Key"]) and not entry["Key"].endswith("/"):
                    yield Source(place.bucket, entry["Key"], entry["ETag"].strip('"'), int(entry["Size"]))


def _local(place: Place, settings: Settings) -> Iterator[Source]:
    """Files, with their size and time of change as the version. A link that leads out is left out."""
    wanted = pattern_regex(place.key)
    fixed = fixed_prefix(place.key)
    root = Path(fixed if fixed.endswith("/") else fixed.rpartition("/")[0] or "/")
    paths = [Path(place.key)] if fixed == place.key else root.rglob("*")
    for path in sorted(str(each) for each in paths if wanted.fullmatch(str(each)) and each.is_file()):
        if is_allowed_path(Path(path), settings):
            facts = Path(path).stat()
            yield Source("", path, f"{facts.st_size:x}-{facts.st_mtime_ns:x}", facts.st_size)
