"""Kafka's client: its settings, its errors as ours, and the questions that a window asks of a topic.

Nothing is ever committed to a consumer group: what was read is recorded in the lake itself, in the same commits as the
rows, so the two cannot disagree.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, Final

from schoolhouse.errors import LakeError, LakeUnavailable, SettingsError, install_hint

if TYPE_CHECKING:
    from schoolhouse.settings import Settings

GROUP = "schoolhouse-lake"  # librdkafka wants a name; no offset is ever stored under it
_FETCH_BYTES = 8 * 1024 * 1024
_QUEUE_KILOBYTES = 32 * 1024


# Errors that the client gets over by itself: brokers away (-187), a connection lost (-195), a time-out (-185), a name
# that does not resolve (-193). Who waits for messages decides how long.
PASSING: Final = frozenset({-187, -195, -185, -193})


@dataclass(frozen=True)
class Watermarks:
    """The first offset that a partition still has, and the next one that it will give."""

    low: int
    high: int


def consumer(settings: Settings) -> Any:
    """A consumer that reads whatever partition it is assigned; close it after use.

    Raises:
        SettingsError: no brokers are set, the client is not installed, or it refuses the settings.
    """
    try:
        from confluent_kafka import Consumer, KafkaException
    except ImportError:
        raise SettingsError("Kafka's client is not installed.", hint=install_hint("kafka,lake")) from None
    if not settings.kafka_bootstrap_servers:
        raise SettingsError("KAFKA_BOOTSTRAP_SERVERS is empty.", hint="For example kafka-1:9092,kafka-2:9092.")
    try:
        return Consumer(client_settings(settings))
    except KafkaException as error:
        raise SettingsError(f"Kafka's client refuses the settings: {error.args[0].str()}.") from None


def client_settings(settings: Settings) -> dict[str, Any]:
    """What librdkafka is given."""
    given: dict[str, Any] = {
        "bootstrap.servers": settings.kafka_bootstrap_servers,
        "client.id": "schoolhouse",
        "group.id": GROUP,
        "enable.auto.commit": False,
        "enable.auto.offset.store": False,
        "auto.offset.reset": "earliest",
        "enable.partition.eof": True,
        "isolation.level": "read_committed",
        "security.protocol": settings.kafka_security_protocol,
        "fetch.message.max.bytes": _FETCH_BYTES,
        "receive.message.max.bytes": 1_000_000_000,
        "queued.max.messages.kbytes": _QUEUE_KILOBYTES,
        "fetch.queue.backoff.ms": 5,
        "socket.timeout.ms": settings.kafka_timeout_seconds * 1000,
        "error_cb": lambda _: None,  # what matters comes back from the call that failed
        "log_level": 0,
    }
    files = {
        "ssl.ca.location": settings.kafka_ssl_ca_file,
        "ssl.certificate.location": settings.kafka_ssl_certificate_file,
        "ssl.key.location": settings.kafka_ssl_key_file,
    }
    given |= {name: str(path) for name, path in files.items() if path is not None}
    if settings.kafka_security_protocol.startswith("SASL"):
        given |= {
            "sasl.mechanism": settings.kafka_sasl_mechanism,
            "sasl.username": settings.kafka_sasl_username,
            "sasl.password": settings.kafka_sasl_password.get_secret_value(),
        }
    return given


@contextmanager
def mapped_errors(subject: str) -> Iterator[None]:
    """Raise what the client raises as an error of ours; `subject` is the topic it was about."""
    from confluent_kafka import KafkaException

    try:
        yield
    except KafkaException as error:
        raise mapped(error.args[0], subject) from None


def mapped(error: Any, subject: str) -> LakeError:
    """An error of librdkafka as ours."""
    from confluent_kafka import KafkaError

    if error.code() in {KafkaError.UNKNOWN_TOPIC_OR_PART, KafkaError._UNKNOWN_TOPIC, KafkaError._UNKNOWN_PARTITION}:
        return LakeError(f"Kafka has no topic {subject}.", hint="Is the name right, and may this user see it?")
    if error.retriable() or error.code() in PASSING:
        return LakeUnavailable(
            f"Kafka does not answer for {subject}: {error.name()}.",
            hint="Are the brokers of KAFKA_BOOTSTRAP_SERVERS up, and can this machine reach them?",
        )
    return LakeError(f"Kafka refused {subject}: {error.name()}.", hint="Check the user's rights and the settings.")


def partitions(opened: Any, topic: str, settings: Settings) -> list[int]:
    """The partitions of a topic, in order."""
    with mapped_errors(topic):
        found = opened.list_topics(topic, timeout=settings.kafka_timeout_seconds).topics[topic]
        if found.error is not None:
            raise mapped(found.error, topic)
    return sorted(found.partitions)


def watermarks(opened: Any, topic: str, numbers: list[int], settings: Settings) -> dict[int, Watermarks]:
    """The first and next offset of each partition."""
    from confluent_kafka import TopicPartition

    with mapped_errors(topic):
        return {
            number: Watermarks(
                *opened.get_watermark_offsets(TopicPartition(topic, number), timeout=settings.kafka_timeout_seconds)
            )
            for number in numbers
        }


def offsets_at(opened: Any, topic: str, marks: Mapping[int, Watermarks], time: datetime, wait: float) -> dict[int, int]:
    """The first offset of each partition whose message is not older than `time`; the next offset where none is."""
    from confluent_kafka import TopicPartition

    milliseconds = int(time.timestamp() * 1000)
    with mapped_errors(topic):
        found = opened.offsets_for_times(
            [TopicPartition(topic, number, milliseconds) for number in marks], timeout=wait
        )
    offsets = {}
    for answer in found:
        if answer.error is not None:
            raise mapped(answer.error, topic)
        offsets[answer.partition] = answer.offset if answer.offset >= 0 else marks[answer.partition].high
    return offsets


def as_time(milliseconds: int) -> datetime:
    """A message's timestamp."""
    return datetime.fromtimestamp(milliseconds / 1000, UTC)
