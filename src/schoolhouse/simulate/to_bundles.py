"""A run as bundles: the objects in which OLI Torus puts statements into S3, under its keys.

    <out>/section/<id>/<category>/<timestamp>_<bundle_id>.jsonl     and <out>/truth.json

A bundle holds statements of one section and category, in order, and has the time of its last one. Attempts on parts,
activities and pages are told together, as `attempt_evaluated`; other statements travel under their event type. Equal
plans make equal keys and bytes, so a run that was cut off can be run again over what it left.
"""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import partial
from pathlib import Path
from typing import Any, Final

from schoolhouse.collect.bundles import BundleGroup, BundleKey, bundle_id
from schoolhouse.errors import DeliveryError, InputError
from schoolhouse.simulate import openedx
from schoolhouse.simulate.campus import Chunk, Plan, chunks_of, course_of
from schoolhouse.simulate.chunks import Lines, make_chunk, tally_chunk
from schoolhouse.simulate.resuming import Journey
from schoolhouse.simulate.truth import Tally
from schoolhouse.simulate.writing import Progress, Written, in_order, open_target, write_truth

CATEGORIES: Final = dict.fromkeys(("part_attempt", "activity_attempt", "page_attempt"), "attempt_evaluated")
_UPLOADS: Final = 16
_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)

Put = Callable[[str, bytes], None]


@dataclass(frozen=True)
class Bundles:
    """The bundles of a chunk: keys and bodies."""

    chunk: Chunk
    bodies: list[tuple[str, bytes]]
    lines: int
    tally: Tally


def write_bundles(
    plan: Plan, out: str, *, size: int, workers: int = 0, resume: bool = False, on_progress: Progress | None = None
) -> Written:
    """Write a run as bundles of at most `size` statements into a directory or below an address, and its truth."""
    out = out.rstrip("/")
    target = f"{out}/truth.json"
    started = time.monotonic()
    journey = Journey(plan, f"bundles of {size}", target, resume=resume)
    with journey.under_way(), _putting(out) as put:
        for made in in_order(partial(_made, plan, size, journey.chunks), chunks_of(plan), workers=workers):
            journey.truth.add(made.chunk, made.tally)
            if made.chunk.index < journey.chunks:
                continue
            put(made.bodies)
            if journey.advance(made.lines, sum(len(body) for _, body in made.bodies)):
                journey.save()
            if on_progress:
                on_progress(journey.lines, journey.size_bytes)
        write_truth(journey.truth, target)
    seconds = time.monotonic() - started
    return Written(f"{out}/", target, journey.truth.statements, journey.lines, journey.size_bytes, seconds)


def _made(plan: Plan, size: int, skip: int, chunk: Chunk) -> Bundles:
    if chunk.index < skip:
        return Bundles(chunk, [], 0, tally_chunk(plan, chunk))
    lines = make_chunk(plan, chunk, "plain")
    return Bundles(chunk, list(_cut(plan, size, chunk, lines)), len(lines), lines.tally)


def _cut(plan: Plan, size: int, chunk: Chunk, lines: Lines) -> Iterator[tuple[str, bytes]]:
    section = chunk.section
    place = str(section.number)
    if plan.dialect == "openedx":
        place = openedx.course_key(course_of(plan, section.course_number), section)
    held: dict[str, list[int]] = {}
    for row, number in enumerate(lines.event_type.tolist()):
        event_type = lines.event_types[number]
        held.setdefault(CATEGORIES.get(event_type, event_type), []).append(row)
    texts: list[bytes] = lines.lines.to_pylist()
    told: Counter[bytes] = Counter()
    for category, rows in held.items():
        for start in range(0, len(rows), size):
            of_bundle = rows[start : start + size]
            body = b"\n".join(texts[row] for row in of_bundle)
            told[body] += 1
            # A bundle of nothing but lines that are sent twice may be told again; it needs a key of its own.
            number = b"" if told[body] == 1 else b"\n%d" % told[body]
            moment = _EPOCH + timedelta(microseconds=int(lines.at_micros[of_bundle[-1]]))
            yield str(BundleKey(BundleGroup("section", place, category), moment, bundle_id(body + number))), body


# --- where bundles go -------------------------------------------------------------------------------------------------


@contextmanager
def _putting(out: str) -> Iterator[Callable[[Sequence[tuple[str, bytes]]], None]]:
    """What puts the bundles of a chunk: into files one after another, elsewhere several at a time."""
    if "://" not in out:
        yield lambda bodies: _put_files(Path(out), bodies)
        return
    put = _s3_put(out) if out.startswith("s3://") else partial(_put_at, out)
    with ThreadPoolExecutor(_UPLOADS) as pool:

        def put_all(bodies: Sequence[tuple[str, bytes]]) -> None:
            for _ in pool.map(lambda pair: put(*pair), bodies):
                pass  # an error of a thread comes out here

        yield put_all


def _put_files(directory: Path, bodies: Sequence[tuple[str, bytes]]) -> None:
    for key, body in bodies:
        path = directory / key
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(body)
        except OSError as error:
            raise InputError(f"Cannot write {path}: {error.strerror}.") from None


def _put_at(out: str, key: str, body: bytes) -> None:
    with open_target(f"{out}/{key}") as stream:
        stream.write(body)


def _s3_put(out: str) -> Put:
    import boto3
    from botocore.config import Config

    bucket, _, prefix = out.removeprefix("s3://").partition("/")
    client: Any = boto3.client("s3", config=Config(max_pool_connections=_UPLOADS))
    before = f"{prefix}/" if prefix else ""

    def put(key: str, body: bytes) -> None:
        try:
            client.put_object(Bucket=bucket, Key=f"{before}{key}", Body=body)
        except Exception as error:  # botocore's errors have no common root
            raise DeliveryError(f"Cannot write to s3://{bucket}/{before}{key}: {type(error).__name__}.") from None

    return put
