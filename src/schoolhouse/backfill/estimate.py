"""What a dry run tells: files, bytes, rows, bad lines and time, by a sample of the objects.

The sample is judged by the warehouse's own mapping, asked as a question and written nowhere: so a line is bad here if
and only if it would be rejected. The time follows from the chunks of earlier runs, or else from the sample.
"""

from __future__ import annotations

import math
import random
from collections import Counter
from dataclasses import dataclass, field
from typing import Any, Final

from sqlalchemy import Engine, func, select

from schoolhouse.backfill.chunks import ChunkLoader, LoadSpec
from schoolhouse.backfill.known import known_objects
from schoolhouse.backfill.patterns import Source
from schoolhouse.backfill.tables import chunk_logs
from schoolhouse.errors import SchoolhouseError
from schoolhouse.warehouse.connection import Warehouse
from schoolhouse.warehouse.statements import statement

_SAMPLE: Final = 8
_LINES: Final = 2000  # of each object of the sample
_RECENT_CHUNKS: Final = 100
_SECONDS_A_CHUNK: Final = 0.3  # planning and counting, whatever its size
_NO_LINES: Final = "SELECT '' AS line WHERE 0"
_WRITING: Final = 2.0  # an insert takes about twice as long as its mapping alone


@dataclass
class Tally:
    """What a listing holds, and a sample of it in which every object is as likely."""

    seed: int
    files: int = 0
    bytes: int = 0
    known_files: int = 0
    empty_files: int = 0
    sample: list[Source] = field(default_factory=list)

    def __post_init__(self) -> None:
        self._random = random.Random(self.seed)  # noqa: S311 - a sample, no secret

    def add(self, sources: list[Source], loader: ChunkLoader | None) -> None:
        """Count some objects; with a loader also those that are in already."""
        if not sources:
            return
        for source in sources:
            self.files += 1
            self.bytes += max(source.size_bytes, 0)
            self.empty_files += source.size_bytes == 0
            if loader is None:
                continue
            if len(self.sample) < _SAMPLE:
                self.sample.append(source)
            elif (place := self._random.randrange(self.files)) < _SAMPLE:
                self.sample[place] = source
        if loader is not None:
            known = known_objects(loader.warehouse, sources, why="backfill dry run")
            self.known_files += sum((source.uri, source.etag) in known for source in sources)


def estimate(
    engine: Engine, loader: ChunkLoader, tally: Tally, spec: LoadSpec, chunk_size: int, simultaneous: int
) -> dict[str, Any]:
    """The estimate of a dry run, as plain values."""
    verdicts: Counter[str] = Counter()
    lines = stored = 0
    planning = loader.warehouse.ask(_question(loader.warehouse, _NO_LINES), why="backfill dry run").seconds
    seconds = 0.0
    unreadable: list[str] = []
    for source in loader.with_sizes(tally.sample):
        if source.size_bytes == 0:
            continue
        try:
            found, took = _judged(loader, source, planning)
        except SchoolhouseError as error:
            unreadable.append(f"{source.uri}: {error.message}"[:300])
            continue
        count = sum(rows for rows, _ in found.values())
        is_whole = count < _LINES
        lines += count
        stored += source.size_bytes if is_whole else sum(size for _, size in found.values())
        seconds += took
        verdicts.update({verdict: rows for verdict, (rows, _) in found.items()})
    size = tally.bytes or _guessed_bytes(tally, loader)
    bad = sum(rows for verdict, rows in verdicts.items() if verdict not in ("", "blank"))
    rows = round(size * lines / stored) if stored else 0
    rate = _rate_of_recent_chunks(engine)
    by_sample = seconds * _WRITING * size / stored if stored else 0.0
    loading = size / rate if rate else by_sample + _SECONDS_A_CHUNK * math.ceil(tally.files / chunk_size)
    return {
        "files": tally.files,
        "files_in_already": tally.known_files,
        "files_empty": tally.empty_files,
        "bytes": size,
        "chunks": math.ceil(tally.files / chunk_size),
        "rows": rows,
        "bad_rows": round(rows * bad / lines) if lines else 0,
        "bad_reasons": {name: rows for name, rows in verdicts.items() if name not in ("", "blank")},
        "seconds": round(loading / max(simultaneous, 1), 1),
        "seconds_by": "recent chunks" if rate else "sample",
        "sampled_files": len(tally.sample),
        "sampled_rows": lines,
        "unreadable": unreadable,
    }


def _judged(loader: ChunkLoader, source: Source, planning: float) -> tuple[dict[str, tuple[int, int]], float]:
    """Lines and bytes by verdict, for the head of an object, and the seconds that its mapping took."""
    found: dict[str, tuple[int, int]] = {}
    seconds = 0.0
    for origin, parameters in loader.head_of(source, _LINES):
        question = _question(loader.warehouse, origin)
        answer = loader.warehouse.ask(question, parameters, why="backfill dry run", limits=loader.s3_limits)
        seconds += max(answer.seconds - planning, 0.0)
        for verdict, rows, size in answer.rows:
            before = found.get(verdict, (0, 0))
            found[verdict] = (before[0] + int(rows), before[1] + int(size))
    return found, seconds


def _question(warehouse: Warehouse, origin: str) -> str:
    """The mapping as a question: the views' own text, reading from the sample instead of their tables."""
    views = {}
    for name in ("extract_fields", "parse_ingest"):
        sql = statement("read_view", "schoolhouse.backfill.sql")
        facts = warehouse.ask(sql, {"view": name}, why="backfill dry run").first()
        views[name] = (str(facts["as_select"]), str(facts["database"]))
    text, database = views["extract_fields"]
    extract = text.replace(f"{database}.ingest", "sample_lines")
    text, database = views["parse_ingest"]
    parse = text.replace(f"{database}.extracted_lines", "sample_fields")
    columns = (
        "line, '' AS source_file, '' AS source_etag, toUInt32(0) AS source_line, toUInt64(0) AS load_id, "
        f"now64(9, 'UTC') AS received_at, toUInt32({warehouse.settings.max_line_bytes}) AS max_line_bytes, "
        "toUInt8(0) AS is_rebuild"
    )
    return (
        f"WITH sample_lines AS (SELECT {columns} FROM ({origin})), sample_fields AS ({extract}) "  # noqa: S608
        f"SELECT verdict, count() AS rows, sum(line_bytes) AS bytes FROM ({parse}) GROUP BY verdict"
    )


def _guessed_bytes(tally: Tally, loader: ChunkLoader) -> int:
    """Bytes of all objects by those of the sample, where the manifest does not tell sizes."""
    sizes = [source.size_bytes for source in loader.with_sizes(tally.sample) if source.size_bytes >= 0]
    return round(sum(sizes) / len(sizes) * tally.files) if sizes else 0


def _rate_of_recent_chunks(engine: Engine) -> float:
    """Bytes of objects a second, by the newest chunks of any run; 0 if there are too few."""
    newest = (
        select(chunk_logs.c.bytes_read, chunk_logs.c.execution_time_ms)
        .where(chunk_logs.c.status == "completed", chunk_logs.c.bytes_read > 0)
        .order_by(chunk_logs.c.id.desc())
        .limit(_RECENT_CHUNKS)
        .subquery()
    )
    with engine.connect() as connection:
        count, size, milliseconds = connection.execute(
            select(func.count(), func.sum(newest.c.bytes_read), func.sum(newest.c.execution_time_ms))
        ).one()
    return float(size) / float(milliseconds) * 1000 if count >= 10 and milliseconds else 0.0
