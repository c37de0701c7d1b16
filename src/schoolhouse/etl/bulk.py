"""Bulk mode: the bundles of a section and a span of time, loaded in parallel; what is in already is skipped.

"In" is what the table `loads` says of an object's URI and ETag: an object that changed is loaded again, and a section
that has some rows is not taken for complete. So a run that was cut off is continued by running it again.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta
from itertools import islice
from typing import Any, Final

from schoolhouse.collect.bundles import SUFFIX, parse_key
from schoolhouse.errors import PayloadError
from schoolhouse.etl.answers import Tally
from schoolhouse.etl.aws import mapped_errors
from schoolhouse.etl.objects import ObjectLoader, TimeLeft, no_end
from schoolhouse.etl.payloads import ObjectRef
from schoolhouse.settings import Settings
from schoolhouse.warehouse.statements import statement

log = logging.getLogger(__name__)

_CHUNK: Final = 1000  # objects looked up and loaded at a time; also what one listing call gives
_SAMPLE_OBJECTS: Final = 5
_SAMPLE_BYTES: Final = 262_144


@dataclass(frozen=True)
class BulkRequest:
    """What a bulk run is asked for. `since` and `until` bound the times in the keys, `[since, until)`."""

    bucket: str
    prefix: str
    section_id: str | None = None
    since: datetime | None = None
    until: datetime | None = None
    dry_run: bool = False
    force_reprocess: bool = False


@dataclass
class _Listing:
    """What the listing saw; filled while it runs."""

    files_found: int = 0
    bytes_found: int = 0
    files_skipped: int = 0
    sample: list[ObjectRef] = field(default_factory=list)


def read_request(payload: Mapping[str, Any], settings: Settings) -> BulkRequest:
    """The request in a payload.

    Raises:
        PayloadError: no bucket, or a value that is not what its name says.
    """
    bucket = _text(payload, "s3_bucket") or settings.s3_bucket
    if not bucket:
        raise PayloadError("No bucket is named.", hint="Give s3_bucket, or set S3_XAPI_BUCKET_NAME.")
    prefix = _text(payload, "s3_prefix")
    section = payload.get("section_id")
    if isinstance(section, int) and not isinstance(section, bool):
        section = str(section)
    if section is not None and (not isinstance(section, str) or not section or "/" in section):
        raise PayloadError("section_id is the id of a section.")
    request = BulkRequest(
        bucket=bucket,
        prefix="section/" if prefix is None else prefix,
        section_id=section,
        since=_day(payload, "start_date"),
        until=_day(payload, "end_date", is_end=True),
        dry_run=_flag(payload, "dry_run"),
        force_reprocess=_flag(payload, "force_reprocess"),
    )
    if request.since and request.until and request.since >= request.until:
        raise PayloadError("start_date lies after end_date.")
    return request


def run_bulk(payload: Mapping[str, Any], loader: ObjectLoader, *, time_left: TimeLeft = no_end) -> dict[str, Any]:
    """Load (or, as a dry run, count) the bundles that a payload asks for; one document of results.

    Raises:
        PayloadError: the payload makes no sense.
        StorageError: the bucket cannot be listed.
        WarehouseError: what is in already cannot be asked.
    """
    request = read_request(payload, loader.settings)
    started = time.perf_counter()
    listing, tally = _Listing(), Tally()
    found = _listed(loader, request, listing)
    to_load = bytes_to_load = 0
    while chunk := list(islice(found, _CHUNK)):
        wanted = chunk if request.force_reprocess else _not_yet_in(loader, chunk)
        listing.files_skipped += len(chunk) - len(wanted)
        to_load += len(wanted)
        bytes_to_load += sum(ref.size_bytes for ref in wanted)
        listing.sample += wanted[: _SAMPLE_OBJECTS - len(listing.sample)]
        if request.dry_run:
            continue
        for outcome in loader.load_all(wanted, time_left=time_left):
            tally.add(outcome)
        log.info("loaded a chunk", extra={"files": len(wanted), "bucket": request.bucket, "prefix": request.prefix})
        if tally.files_untouched:
            break
    is_complete = not tally.files_untouched
    answer = {
        "success": not tally.files_failed,
        "processing_mode": "bulk",
        "section_id": request.section_id,
        "is_complete": is_complete,
        "dry_run": request.dry_run,
        **tally.counts(),
        "files_found": listing.files_found,
        "files_skipped": listing.files_skipped,
        "files_to_load": to_load,
        "bytes_found": listing.bytes_found,
        "bytes_to_load": bytes_to_load,
        "seconds": round(time.perf_counter() - started, 3),
        "environment": loader.settings.environment,
    }
    if request.dry_run:
        answer["estimated_statements"] = _estimate(loader, listing.sample, bytes_to_load)
    if not is_complete:
        answer["hint"] = "Time ran out: send the same request again to go on; what is in is skipped."
    return answer


def _listed(loader: ObjectLoader, request: BulkRequest, listing: _Listing) -> Iterator[ObjectRef]:
    """The bundles of the section and span, in the order of their keys."""
    pages = loader.s3.get_paginator("list_objects_v2").paginate(Bucket=request.bucket, Prefix=_prefix(request))
    subject = f"s3://{request.bucket}/{request.prefix}"
    with mapped_errors(subject):
        for page in pages:
            for entry in page.get("Contents", []):
                if not _is_wanted(entry["Key"], entry["LastModified"], request):
                    continue
                ref = ObjectRef(request.bucket, entry["Key"], entry["ETag"].strip('"'), int(entry["Size"]))
                listing.files_found += 1
                listing.bytes_found += ref.size_bytes
                yield ref


def _prefix(request: BulkRequest) -> str:
    """The narrowest prefix to list: `s3_prefix` may end before, at or inside the section."""
    if request.section_id is None or f"section/{request.section_id}/" in f"/{request.prefix}":
        return request.prefix
    if request.prefix.endswith("section/"):
        return f"{request.prefix}{request.section_id}/"
    return request.prefix


def _is_wanted(key: str, modified: datetime, request: BulkRequest) -> bool:
    if not key.endswith(SUFFIX):
        return False
    parsed = parse_key(key)
    if request.section_id is not None and (parsed is None or parsed.section_id != request.section_id):
        return False
    at = parsed.timestamp if parsed and parsed.timestamp else modified
    return (request.since is None or at >= request.since) and (request.until is None or at < request.until)


def _not_yet_in(loader: ObjectLoader, chunk: list[ObjectRef]) -> list[ObjectRef]:
    """Those of a chunk (in the order of their keys) that `loads` does not know by URI and ETag."""
    with loader.warehouse() as warehouse:
        rows = warehouse.ask(
            statement("list_loaded_objects", "schoolhouse.etl.sql"),
            {"first": chunk[0].uri, "last": chunk[-1].uri},
            why="etl bulk",
        ).rows
    known = set(rows)
    return [ref for ref in chunk if (ref.uri, ref.etag) not in known]


def _estimate(loader: ObjectLoader, sample: list[ObjectRef], size_bytes: int) -> int:
    """Statements in `size_bytes`, by the lines at the head of a few objects."""
    lines = sampled = 0
    for ref in sample:
        if ref.size_bytes <= 0:
            continue
        with mapped_errors(ref.uri):
            answer = loader.s3.get_object(Bucket=ref.bucket, Key=ref.key, Range=f"bytes=0-{_SAMPLE_BYTES - 1}")
            head = answer["Body"].read()
        is_whole = len(head) >= ref.size_bytes
        lines += head.count(b"\n") + (is_whole and not head.endswith(b"\n"))
        sampled += len(head) if is_whole else head.rfind(b"\n") + 1
    return round(size_bytes * lines / sampled) if sampled else 0


def _text(payload: Mapping[str, Any], name: str) -> str | None:
    value = payload.get(name)
    if value is not None and not isinstance(value, str):
        raise PayloadError(f"{name} is no text.")
    return value


def _flag(payload: Mapping[str, Any], name: str) -> bool:
    value = payload.get(name, False)
    if not isinstance(value, bool):
        raise PayloadError(f"{name} is true or false.")
    return value


def _day(payload: Mapping[str, Any], name: str, *, is_end: bool = False) -> datetime | None:
    """A date or a time; the date of an end means the whole day."""
    text = _text(payload, name)
    if not text:
        return None
    try:
        if len(text) == len("2024-01-01"):
            day = datetime.combine(date.fromisoformat(text), datetime.min.time(), UTC)
            return day + timedelta(days=1) if is_end else day
        moment = datetime.fromisoformat(text)
        return moment.astimezone(UTC) if moment.tzinfo else moment.replace(tzinfo=UTC)
    except (ValueError, OverflowError):
        raise PayloadError(f"{name} is no date: {text[:40]!r}.", hint="Write 2024-01-31.") from None
