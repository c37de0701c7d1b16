"""From Kafka: which offsets belong to a window, and reading them into typed files on the local disk.

A window `[start, end)` is a stretch of every partition's log: from where the window before it stopped (or, where none
is known, from the first message that is not older than `start`) to the first message that is not older than `end`. The
stop is fixed and recorded before anything is read, so whoever reads a window, however often, reads the same messages. A
message that is late stands behind the stop of its own hour, and comes with the hour that has it; so every message of
the log is in exactly one window.

Messages that cannot be read are kept with their offset and reason, and never stop their neighbours.
"""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta
from datetime import time as clock_time
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import polars as pl

from schoolhouse.errors import LakeUnavailable
from schoolhouse.lake import kafka
from schoolhouse.lake.clock import Window

if TYPE_CHECKING:
    from schoolhouse.lake.topics import Topic
    from schoolhouse.settings import Settings

TOO_LATE: Final = "too_late"
TOO_OLD: Final = "too_old"
_POLL_SECONDS = 0.5
# Of one client; the next partition begins when fewer are to come. More would feed it faster than it parses and fill its
# memory, fewer would ask for the many small partitions of a topic in turns.
MESSAGES_AT_ONCE: Final = 500_000


@dataclass(frozen=True)
class Span:
    """A stretch of one partition's log, `[start, stop)`; before it the broker has deleted `expired` offsets."""

    partition: int
    start: int
    stop: int
    expired: int = 0

    @property
    def count(self) -> int:
        """Offsets in it: as many as messages, unless the log was compacted or written in transactions."""
        return max(0, self.stop - self.start)


@dataclass
class Extracted:
    """What reading gave: files of typed rows, files of poison, and their counts."""

    directory: Path
    messages: int = 0
    poison: int = 0
    late: int = 0
    rows: list[Path] = field(default_factory=list)
    unreadable: list[Path] = field(default_factory=list)


def plan(settings: Settings, topic: str, window: Window, known: Mapping[int, int]) -> list[Span]:
    """The stretch of each partition that belongs to a window now.

    Args:
        settings: where the brokers are.
        topic: the topic's name.
        window: the hour.
        known: where reading stopped before, by partition: later offsets than these have not been read.
    """
    opened = kafka.consumer(settings)
    try:
        numbers = kafka.partitions(opened, topic, settings)
        marks = kafka.watermarks(opened, topic, numbers, settings)
        starts = kafka.offsets_at(opened, topic, marks, window.start, settings.kafka_timeout_seconds)
        stops = kafka.offsets_at(opened, topic, marks, window.end, settings.kafka_timeout_seconds)
    finally:
        opened.close()
    spans = []
    for number in numbers:
        wanted = known.get(number, starts[number])
        if wanted > marks[number].high:  # the topic was deleted and made anew
            wanted = starts[number]
        start = max(wanted, marks[number].low)
        spans.append(Span(number, start, max(start, stops[number]), expired=start - wanted))
    return spans


def lag(settings: Settings, topic: str, known: Mapping[int, int]) -> dict[int, int]:
    """Messages of each partition that no window has read yet."""
    opened = kafka.consumer(settings)
    try:
        numbers = kafka.partitions(opened, topic, settings)
        marks = kafka.watermarks(opened, topic, numbers, settings)
    finally:
        opened.close()
    return {number: mark.high - max(known.get(number, mark.low), mark.low) for number, mark in marks.items()}


def read(
    settings: Settings,
    topic: Topic,
    spans: Sequence[Span],
    window: Window,
    directory: Path,
    *,
    first_day: date | None = None,
) -> Extracted:
    """Read the spans, partitions side by side, into Parquet files under `directory`.

    Args:
        settings: where the brokers are.
        topic: whose messages.
        spans: which of them.
        window: the hour that they belong to.
        directory: where the files go.
        first_day: events of earlier days are set aside, because what they would be added to has been cleaned up.

    Raises:
        LakeUnavailable: the brokers gave nothing for KAFKA_TIMEOUT_SECONDS.
    """
    directory.mkdir(parents=True, exist_ok=True)
    busy = [span for span in spans if span.count]
    total = Extracted(directory)
    if not busy:
        return total
    threads = min(len(busy), settings.kafka_partition_threads)
    readers = [_Reader(settings, topic, busy[first::threads], window, directory, first_day) for first in range(threads)]
    with ThreadPoolExecutor(threads, thread_name_prefix="reader") as pool:
        for part in pool.map(lambda reader: reader.read(), readers):
            total.messages += part.messages
            total.poison += part.poison
            total.late += part.late
            total.rows += part.rows
            total.unreadable += part.unreadable
    return total


class _Reader:
    """Reads spans through one client, which fetches partitions side by side; each batch becomes one file."""

    def __init__(
        self,
        settings: Settings,
        topic: Topic,
        spans: Sequence[Span],
        window: Window,
        directory: Path,
        first_day: date | None,
    ) -> None:
        # Here, before there are threads: of two that import it first, one would meet it half made.
        from schoolhouse.lake.transform.parse import parse

        self.settings = settings
        self.topic = topic
        self.window = window
        self.out = Extracted(directory)
        self.parse = parse
        hours = settings.lake_look_back_hours
        self.oldest = window.start - timedelta(hours=hours) if hours else None
        self.first_moment = datetime.combine(first_day, clock_time(), UTC) if first_day else None
        self._position = {span.partition: span.start for span in spans}  # the next offsets
        self._stop = {span.partition: span.stop for span in spans}
        self._waiting = list(self._position)  # partitions that nobody has begun to read

    def read(self) -> Extracted:
        """All of the spans."""
        opened = kafka.consumer(self.settings)
        try:
            with kafka.mapped_errors(self.topic.name):
                self._take(opened)
                while batch := self._next_batch(opened):
                    self._keep(batch)
        finally:
            opened.close()
        return self.out

    def _next_batch(self, opened: Any) -> list[Any]:
        """Up to KAFKA_MAX_POLL_RECORDS messages; none when all spans are read to their ends."""
        batch: list[Any] = []
        patience = time.monotonic() + self.settings.kafka_timeout_seconds
        # No more than is missing is asked for: the client would wait for more, or hand over the next windows' messages.
        while wanted := min(self._missing, self.settings.kafka_batch_messages - len(batch)):
            came = self._ours(opened.consume(wanted, _POLL_SECONDS), opened)
            batch += came
            if came:
                patience = time.monotonic() + self.settings.kafka_timeout_seconds
            elif time.monotonic() > patience:
                raise LakeUnavailable(
                    f"Kafka gave no message of {self.topic.name} for {self.settings.kafka_timeout_seconds} seconds; "
                    f"{self._missing} of partitions {', '.join(map(str, self._unfinished))} are missing.",
                    hint="Are all brokers up? Run the window again: it continues with the same messages.",
                )
        return batch

    @property
    def _unfinished(self) -> list[int]:
        return [partition for partition, stop in self._stop.items() if self._position[partition] < stop]

    @property
    def _missing(self) -> int:
        """Offsets that are still to come."""
        return sum(self._stop[partition] - self._position[partition] for partition in self._unfinished)

    def _ours(self, came: list[Any], opened: Any) -> list[Any]:
        """The messages of the spans; remembers how far each partition has been read, and leaves those that are done."""
        before = self._unfinished
        found = [message for message in came if message.error() is None]
        if len(found) < len(came):
            for message in came:
                self._hear(message)
        for partition, offset in {message.partition(): message.offset() for message in found}.items():
            self._position[partition] = max(self._position[partition], offset + 1)
        if any(self._position[partition] > stop for partition, stop in self._stop.items()):
            found = [message for message in found if message.offset() < self._stop[message.partition()]]
        self._leave(opened, set(before) - set(self._unfinished))
        return found

    def _take(self, opened: Any) -> None:
        """Begin to read partitions that wait, until enough messages are on their way."""
        from confluent_kafka import TopicPartition

        missing = {partition: self._stop[partition] - self._position[partition] for partition in self._unfinished}
        coming = sum(count for partition, count in missing.items() if partition not in self._waiting)
        taken = []
        while self._waiting and coming < MESSAGES_AT_ONCE:
            taken.append(self._waiting.pop(0))
            coming += missing[taken[-1]]
        if taken:
            places = [TopicPartition(self.topic.name, partition, self._position[partition]) for partition in taken]
            opened.incremental_assign(places)

    def _leave(self, opened: Any, done: set[int]) -> None:
        """Read on in others than those that are done."""
        from confluent_kafka import TopicPartition

        if done:
            opened.incremental_unassign([TopicPartition(self.topic.name, partition) for partition in done])
            self._take(opened)

    def _hear(self, message: Any) -> None:
        """An event in place of a message: the end of the log (it may end in control records), or an error."""
        from confluent_kafka import KafkaError

        error = message.error()
        if error is None:
            return
        if error.code() == KafkaError._PARTITION_EOF:
            partition = message.partition()
            self._position[partition] = max(self._position[partition], message.offset())
        elif not error.retriable() and error.code() not in kafka.PASSING:
            raise kafka.mapped(error, self.topic.name)

    def _keep(self, batch: list[Any]) -> None:
        """Parse a batch and write its rows, and its poison, as files."""
        values = [message.value() for message in batch]
        places = pl.DataFrame(
            {
                "kafka_partition": [message.partition() for message in batch],
                "kafka_offset": [message.offset() for message in batch],
                "kafka_timestamp": [message.timestamp()[1] for message in batch],
            },
            schema={"kafka_partition": pl.Int32, "kafka_offset": pl.Int64, "kafka_timestamp": pl.Int64},
        ).with_columns(pl.col("kafka_timestamp").cast(pl.Datetime("ms", "UTC")).dt.cast_time_unit("us"))
        rows, problems = self.parse(self.topic, values)
        reasons: dict[int, str] = dict(problems)
        numbers = pl.int_range(places.height, eager=True)
        if reasons:
            numbers = numbers.filter(numbers.is_in(list(reasons)).not_())
            rows = rows.hstack(places[numbers])
        else:
            rows = rows.hstack(places)
        if self.first_moment is not None:
            too_old = rows[self.topic.event_time] < self.first_moment
            if too_old.any():
                reasons |= dict.fromkeys(numbers.filter(too_old).to_list(), TOO_OLD)
                rows = rows.filter(~too_old)
        if self.oldest is not None:
            too_late = places["kafka_timestamp"] < self.oldest
            if too_late.any():
                reasons = dict.fromkeys(too_late.arg_true().to_list(), TOO_LATE) | reasons
                rows = rows.filter(pl.col("kafka_timestamp") >= self.oldest)
        self.out.messages += len(values)
        self.out.late += int((rows["kafka_timestamp"] < self.window.start).sum())
        name = "{:05}-{:020}.parquet".format(*places.row(0)[:2])  # nobody else has this message
        if rows.height:
            self.out.rows.append(self.out.directory / name)
            rows.write_parquet(self.out.rows[-1], compression="lz4", statistics=False)
        if reasons:
            self._keep_poison(name, places, values, reasons)

    def _keep_poison(
        self, name: str, places: pl.DataFrame, values: list[bytes | None], reasons: dict[int, str]
    ) -> None:
        order = sorted(reasons)
        poison = places[order].with_columns(
            pl.lit(self.topic.name).alias("topic"),
            pl.Series("reason", [reasons[number] for number in order], pl.String),
            pl.Series("value", [values[number] or b"" for number in order], pl.Binary),
        )
        self.out.poison += len(order)
        self.out.unreadable.append(self.out.directory / f"poison-{name}")
        poison.write_parquet(self.out.unreadable[-1], compression="lz4", statistics=False)
