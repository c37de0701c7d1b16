"""Messages of the lake's topics into files or into Kafka, and `truth.json` about them."""

from __future__ import annotations

import json
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import polars as pl

from schoolhouse.errors import DeliveryError, SettingsError, install_hint
from schoolhouse.simulate.campus import Ints
from schoolhouse.simulate.on_disk import writing_to
from schoolhouse.simulate.practising import HOUR_MS, Practised, TopicPlan, practised
from schoolhouse.simulate.topic_messages import AGAIN, CUT, GOOD, Messages, messages_of, session_rows

if TYPE_CHECKING:
    from schoolhouse.settings import Settings

SCHEMA_VERSION = 1
MOST_LEARNERS_TOLD = 50_000  # pairs of learner and topic whose abilities fit into truth.json
OnProgress = Callable[[str, int], None]  # topic, messages sent since the last call


@dataclass(frozen=True)
class Sent:
    """What was written."""

    out: str
    truth: str
    messages: dict[str, int]
    seconds: float


def write_topics(
    plan: TopicPlan, out: Path, *, compressed: bool = False, on_progress: OnProgress | None = None
) -> Sent:
    """One file of lines for each topic, in the order of sending, and truth.json."""
    began = time.monotonic()
    done = practised(plan)
    found = messages_of(done)
    with writing_to(str(out)):
        out.mkdir(parents=True, exist_ok=True)
    for one in found:
        path = out / f"{one.topic}.jsonl{'.gz' if compressed else ''}"
        with writing_to(str(path)), path.open("wb") as file:
            for values, _, _ in one.lines():
                block = b"\n".join(values) + b"\n"
                file.write(_squeezed(block) if compressed else block)
                if on_progress:
                    on_progress(one.topic, len(values))
    return _told(done, found, str(out), out, began)


def _squeezed(block: bytes) -> bytes:
    from isal import igzip

    return bytes(igzip.compress(block, 1, mtime=0))


def send_topics(
    plan: TopicPlan,
    settings: Settings,
    truth: Path,
    *,
    partitions: int = 4,
    on_progress: OnProgress | None = None,
) -> Sent:
    """Each message into its Kafka topic, keyed by learner, at the time of its sending; topics are made if need be.

    Raises:
        SettingsError: no brokers are set, or the client is not installed.
        DeliveryError: the brokers did not take every message.
    """
    began = time.monotonic()
    done = practised(plan)
    found = messages_of(done)
    producer, failures = _producer(settings)
    with writing_to(str(truth)):
        truth.mkdir(parents=True, exist_ok=True)
    _make_topics(settings, [one.topic for one in found], partitions)
    for one in found:
        for lines in one.lines():
            _produce(producer, one.topic, lines)
            if failures:
                break
            if on_progress:
                on_progress(one.topic, len(lines[0]))
    left = producer.flush(settings.kafka_timeout_seconds)
    if failures or left:
        reason = f": {failures[0]}" if failures else ""
        raise DeliveryError(
            f"Kafka did not take {left + len(failures):,} messages{reason}.",
            hint="Are the brokers up, and may this user write to the topics?",
        )
    return _told(done, found, settings.kafka_bootstrap_servers, truth, began)


def _client_settings(settings: Settings) -> dict[str, Any]:
    """Those of the lake's consumer that a producer knows too."""
    from schoolhouse.lake.kafka import client_settings

    shared = ("bootstrap.", "client.", "security.", "ssl.", "sasl.", "socket.", "error_cb", "log_level")
    return {name: value for name, value in client_settings(settings).items() if name.startswith(shared)}


def _producer(settings: Settings) -> tuple[Any, list[str]]:
    if not settings.kafka_bootstrap_servers:
        raise SettingsError("KAFKA_BOOTSTRAP_SERVERS is empty.", hint="For example localhost:9092; or give --out.")
    try:
        from confluent_kafka import Producer
    except ImportError:
        raise SettingsError("Kafka's client is not installed.", hint=install_hint("kafka,lake")) from None
    failures: list[str] = []
    producer = Producer(
        _client_settings(settings)
        | {
            "enable.idempotence": True,
            "linger.ms": 50,
            "batch.num.messages": 50_000,
            "queue.buffering.max.messages": 500_000,
            "compression.type": "lz4",
            "partitioner": "murmur2_random",  # as Java's clients share keys out
            "message.timeout.ms": settings.kafka_timeout_seconds * 1000,
            "delivery.report.only.error": True,
            "on_delivery": lambda error, _: failures.append(error.name()),
        }
    )
    return producer, failures


def _make_topics(settings: Settings, names: list[str], partitions: int) -> None:
    from confluent_kafka import KafkaError, KafkaException
    from confluent_kafka.admin import AdminClient, NewTopic  # type: ignore[attr-defined]

    admin = AdminClient(_client_settings(settings))
    # Messages are as old as the plan says: Kafka must not delete them for their age at once.
    wanted = [NewTopic(name, partitions, config={"retention.ms": "-1"}) for name in names]
    for name, made in admin.create_topics(wanted, request_timeout=settings.kafka_timeout_seconds).items():
        try:
            made.result()
        except KafkaException as error:
            if error.args[0].code() != KafkaError.TOPIC_ALREADY_EXISTS:
                raise DeliveryError(f"Kafka did not make the topic {name}: {error.args[0].name()}.") from None


def _produce(producer: Any, topic: str, lines: tuple[list[bytes], list[str], list[int]]) -> None:
    for value, key, sent_ms in zip(*lines, strict=True):
        while True:
            try:
                producer.produce(topic, value, key, timestamp=sent_ms)
                break
            except BufferError:
                producer.poll(0.1)
    producer.poll(0)


def _told(done: Practised, found: list[Messages], out: str, beside: Path, began: float) -> Sent:
    path = beside / "truth.json"
    with writing_to(str(path)):
        path.write_text(json.dumps(truth_of(done, found), indent=1) + "\n")
    return Sent(out, str(path), {one.topic: len(one.event) for one in found}, time.monotonic() - began)


def truth_of(done: Practised, found: list[Messages]) -> dict[str, Any]:
    """What is true of the run; `docs/simulate.md` says what each part means."""
    plan, content = done.plan, done.content
    names = [content.topic_name(number) for number in range(plan.topics)]
    plain = {name: value for name, value in asdict(plan).items() if name != "rates"} | {"start": plan.start.isoformat()}
    return {
        "schema_version": SCHEMA_VERSION,
        "plan": plain,
        "topics": {one.topic: _counts(one) for one in found},
        "days": _days(done),
        "irt": [
            {"item_id": f"item-{item:06}", "topic": names[topic], "discrimination": a, "difficulty": b}
            for item, (topic, a, b) in enumerate(
                zip(content.item_topic, content.discrimination.tolist(), content.difficulty.tolist(), strict=True)
            )
        ],
        "bkt": [
            {"topic": name, "prior": prior, "learn": learn, "guess": guess, "slip": slip}
            for name, prior, learn, guess, slip in zip(
                names, *(column.tolist() for column in (content.prior, content.learn, content.guess, content.slip)),
                strict=True,
            )
        ],
        "learners": _learners(done, names),
    }  # fmt: skip


def _hour(milliseconds: int) -> str:
    return datetime.fromtimestamp(milliseconds / 1000, UTC).isoformat()


def _counts(one: Messages) -> dict[str, Any]:
    """Messages of each kind, and, for each hour of sending, messages and events that were sent for the first time."""
    hour = one.sent_ms // HOUR_MS
    hours = np.unique(hour)
    place = np.searchsorted(hours, hour)
    all_sent = np.bincount(place, minlength=len(hours))
    events = np.bincount(place, weights=one.kind == GOOD, minlength=len(hours))
    return {
        "messages": len(one.event),
        "events": int((one.kind == GOOD).sum()),
        "duplicates": int((one.kind == AGAIN).sum()),
        "poison": int((one.kind == CUT).sum()),
        "windows": {
            _hour(int(start) * HOUR_MS): {"messages": int(sent), "events": int(fresh)}
            for start, sent, fresh in zip(hours, all_sent, events, strict=True)
        },
    }


def _days(done: Practised) -> list[dict[str, Any]]:
    """The sums of each day of events: what the daily aggregations of all learners add up to."""
    sessions, counted = done.sessions, session_rows(done)
    minutes = (sessions.end_ms - sessions.start_ms) / 60_000
    tried = pl.DataFrame({"day": _day(done.at_ms), "learner": done.learner, "correct": done.correct})
    met = pl.DataFrame({"day": _day(sessions.start_ms), "minutes": minutes, "items": counted["items_attempted"]})
    rows = (
        tried.group_by("day")
        .agg(attempts=pl.len(), correct=pl.col("correct").sum(), learners=pl.col("learner").n_unique())
        .join(met.group_by("day").agg(sessions=pl.len(), study_minutes=pl.col("minutes").sum()), on="day", how="full",
              coalesce=True)
        .fill_null(0)
        .sort("day")
    )  # fmt: skip
    return rows.with_columns(pl.col("day").cast(pl.String)).to_dicts()


def _day(milliseconds: Ints) -> pl.Series:
    return pl.Series(milliseconds).cast(pl.Datetime("ms")).dt.date()


def _learners(done: Practised, names: list[str]) -> list[dict[str, Any]]:
    """What each learner could do in each topic at the first and the last attempt; nothing where that is too much."""
    first_and_last = (
        pl.DataFrame({"learner": done.learner, "topic": done.topic, "ability": done.ability})
        .group_by("learner", "topic")
        .agg(first=pl.col("ability").first(), last=pl.col("ability").last(), attempts=pl.len())
        .sort("learner", "topic")
    )
    if first_and_last.height > MOST_LEARNERS_TOLD:
        return []
    return [
        {"user_id": f"learner-{learner:06}", "topic": names[topic], "first": first, "last": last, "attempts": attempts}
        for learner, topic, first, last, attempts in first_and_last.iter_rows()
    ]
