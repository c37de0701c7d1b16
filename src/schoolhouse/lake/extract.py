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
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from datetime import timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from schoolhouse.errors import LakeUnavailable
from schoolhouse.lake import kafka
from schoolhouse.lake.clock import Window

if TYPE_CHECKING:
    import polars as pl

    from schoolhouse.lake.topics import Topic
    from schoolhouse.settings import Settings

TOO_LATE: Final = "too_late"
_POLL_SECONDS = 0.5


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
    tell: Callable[[int], None] = lambda _: None,
) -> Extracted:
    """Read the spans, partitions side by side, into Parquet files under `directory`; `tell` hears of each batch.

    Raises:
        LakeUnavailable: the brokers gave nothing for KAFKA_TIMEOUT_SECONDS.
    """
    directory.mkdir(parents=True, exist_ok=True)
    busy = [span for span in spans if span.count]
    threads = max(1, min(len(busy), settings.kafka_partition_threads))
    total = Extracted(directory)
    with ThreadPoolExecutor(threads, thread_name_prefix="partition") as pool:
        readers = [_PartitionReader(settings, topic, span, window, directory, tell) for span in busy]
        for part in pool.map(lambda reader: reader.read(), readers):
            total.messages += part.messages
            total.poison += part.poison
            total.late += part.late
            total.rows += part.rows
            total.unreadable += part.unreadable
    return total


class _PartitionReader:
    """Reads one span in batches; each batch becomes one file."""

    def __init__(
        self,
        settings: Settings,
        topic: Topic,
        span: Span,
        window: Window,
        directory: Path,
        tell: Callable[[int], None],
    ) -> None:
        self.settings = settings
        self.topic = topic
        self.span = span
        self.window = window
        self.tell = tell
        self.out = Extracted(directory)
        self._position = span.start  # the next offset
        hours = settings.lake_look_back_hours
        self.oldest = window.start - timedelta(hours=hours) if hours else None

    def read(self) -> Extracted:
        """All of the span."""
        from confluent_kafka import TopicPartition

        opened = kafka.consumer(self.settings)
        try:
            with kafka.mapped_errors(self.topic.name):
                opened.assign([TopicPartition(self.topic.name, self.span.partition, self.span.start)])
                while batch := self._next_batch(opened):
                    self._keep(batch)
                    self.tell(len(batch))
        finally:
            opened.close()
        return self.out

    def _next_batch(self, opened: Any) -> list[Any]:
        """Up to KAFKA_MAX_POLL_RECORDS messages; none when the span is read to its end."""
        if self._is_done:
            return []
        batch: list[Any] = []
        patience = time.monotonic() + self.settings.kafka_timeout_seconds
        while len(batch) < self.settings.kafka_batch_messages and not self._is_done:
            wanted = min(self.settings.kafka_batch_messages - len(batch), self.span.stop - self._position)
            came = self._ours(opened.consume(wanted, _POLL_SECONDS))
            batch += came
            if came:
                patience = time.monotonic() + self.settings.kafka_timeout_seconds
            elif time.monotonic() > patience:
                raise LakeUnavailable(
                    f"Kafka gave no message of {self.topic.name}, partition {self.span.partition}, for "
                    f"{self.settings.kafka_timeout_seconds} seconds; {self.span.stop - self._position} are missing.",
                    hint="Are all brokers up? Run the window again: it continues with the same messages.",
                )
        return batch

    @property
    def _is_done(self) -> bool:
        return self._position >= self.span.stop

    def _ours(self, came: list[Any]) -> list[Any]:
        """The messages of the span; remembers how far the partition has been read."""
        found = [message for message in came if message.error() is None]
        if len(found) < len(came):
            for message in came:
                self._hear(message)
        if found:
            self._position = max(self._position, found[-1].offset() + 1)
            if self._position > self.span.stop:
                found = [message for message in found if message.offset() < self.span.stop]
        return found

    def _hear(self, message: Any) -> None:
        """An event in place of a message: the end of the log (it may end in control records), or an error."""
        from confluent_kafka import KafkaError

        error = message.error()
        if error is None:
            return
        if error.code() == KafkaError._PARTITION_EOF:
            self._position = max(self._position, message.offset())
        elif not error.retriable() and error.code() not in kafka.PASSING:
            raise kafka.mapped(error, self.topic.name)

    def _keep(self, batch: list[Any]) -> None:
        """Parse a batch and write its rows, and its poison, as files."""
        import polars as pl

        from schoolhouse.lake.transform import parse

        values = [message.value() or b"" for message in batch]
        offsets = pl.Series("kafka_offset", [message.offset() for message in batch], pl.Int64)
        stamps = pl.Series("kafka_timestamp", [message.timestamp()[1] for message in batch], pl.Int64)
        frame = pl.DataFrame({"kafka_offset": offsets, "kafka_timestamp": stamps.cast(pl.Datetime("ms", "UTC"))})
        rows, problems = parse(self.topic, values)
        reasons: dict[int, str] = dict(problems)
        is_good = pl.Series([number not in reasons for number in range(len(values))], dtype=pl.Boolean)
        rows = rows.hstack(frame.filter(is_good)).with_columns(
            pl.lit(self.span.partition, pl.Int32).alias("kafka_partition"),
            pl.col("kafka_timestamp").cast(pl.Datetime("us", "UTC")),
        )
        if self.oldest is not None:
            too_late = (frame["kafka_timestamp"] < self.oldest) & is_good
            if too_late.any():
                reasons |= dict.fromkeys(too_late.arg_true().to_list(), TOO_LATE)
                rows = rows.filter(pl.col("kafka_timestamp") >= self.oldest)
        self.out.messages += len(values)
        self.out.late += rows.filter(pl.col("kafka_timestamp") < self.window.start).height
        name = f"{self.span.partition:05}-{offsets[0]:020}.parquet"
        if rows.height:
            self.out.rows.append(self.out.directory / name)
            rows.write_parquet(self.out.rows[-1], compression="lz4", statistics=False)
        if reasons:
            self._keep_poison(name, frame, values, reasons)

    def _keep_poison(self, name: str, frame: pl.DataFrame, values: list[bytes], reasons: dict[int, str]) -> None:
        import polars as pl

        order = sorted(reasons)
        poison = frame[order].with_columns(
            pl.col("kafka_timestamp").cast(pl.Datetime("us", "UTC")),
            pl.lit(self.topic.name).alias("topic"),
            pl.lit(self.span.partition, pl.Int32).alias("kafka_partition"),
            pl.Series("reason", [reasons[number] for number in order], pl.String),
            pl.Series("value", [values[number] for number in order], pl.Binary),
        )
        self.out.poison += len(order)
        self.out.unreadable.append(self.out.directory / f"poison-{name}")
        poison.write_parquet(self.out.unreadable[-1], compression="lz4", statistics=False)
