"""A broker that speaks Kafka's protocol on 127.0.0.1 (noida-db), and messages to send there."""

from __future__ import annotations

import json
import socket
import subprocess
import time
import uuid
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from importlib.resources import files
from pathlib import Path
from typing import Any

from confluent_kafka import Producer
from confluent_kafka.admin import AdminClient, NewTopic

HOUR = timedelta(hours=1)
START = datetime(2024, 3, 4, 10, tzinfo=UTC)  # a Monday


@dataclass
class Broker:
    """A running broker; `stop` and `start` make it go away and come back with its data."""

    directory: Path
    port: int
    process: subprocess.Popen[bytes] | None = None

    @property
    def address(self) -> str:
        return f"127.0.0.1:{self.port}"

    def start(self) -> None:
        binary = (
            Path(str(files("noida_db"))) / "noida-db"
        )  # the script of this name would leave it running when it ends
        binary.chmod(0o755)
        command = [str(binary), "start", "--data-dir", str(self.directory)]
        command += ["--only", "kafka", "--kafka-port", str(self.port)]
        quiet = subprocess.DEVNULL
        self.process = subprocess.Popen(command, stdin=quiet, stdout=quiet, stderr=quiet)
        for _ in range(3000):
            try:
                socket.create_connection(("127.0.0.1", self.port), timeout=1).close()
            except OSError:
                time.sleep(0.01)
            else:
                return
        raise TimeoutError("the broker did not start")

    def stop(self) -> None:
        if self.process is not None:
            self.process.terminate()
            self.process.wait(timeout=120)  # with gigabytes in its log it takes its time
            self.process = None

    def create(self, *topics: str, partitions: int = 2) -> None:
        client = AdminClient({"bootstrap.servers": self.address})
        config = {"retention.ms": "-1"}
        for future in client.create_topics([NewTopic(topic, partitions, config=config) for topic in topics]).values():
            future.result(timeout=30)

    def delete(self, *topics: str) -> None:
        client = AdminClient({"bootstrap.servers": self.address})
        for future in client.delete_topics(list(topics)).values():
            future.result(timeout=30)

    def send(self, topic: str, messages: Iterable[tuple[datetime, bytes, int]]) -> int:
        """Send (message time, value, partition); returns how many."""
        producer = Producer({"bootstrap.servers": self.address, "linger.ms": 20, "batch.num.messages": 10_000})
        failures: list[Any] = []
        count = 0
        for count, (moment, value, partition) in enumerate(messages, 1):
            producer.produce(
                topic,
                value=value,
                partition=partition,
                timestamp=int(moment.timestamp() * 1000),
                on_delivery=lambda error, _: failures.append(error) if error else None,
            )
            if count % 1000 == 0:
                producer.poll(0)
        producer.flush(60)
        assert not failures
        return count


@contextmanager
def running_broker(directory: Path) -> Iterator[Broker]:
    with socket.create_server(("127.0.0.1", 0)) as free:
        broker = Broker(directory, free.getsockname()[1])
    broker.start()
    try:
        yield broker
    finally:
        broker.stop()


def attempt(number: int, moment: datetime, **other: Any) -> dict[str, Any]:
    """An attempt, another one for each number."""
    return {
        "event_id": str(uuid.UUID(int=number)),
        "user_id": f"learner-{number % 17}",
        "item_id": f"item-{number % 31}",
        "session_id": f"session-{number % 23}",
        "timestamp": moment.isoformat(),
        "topic": ["algebra", "geometry"][number % 2],
        "correct": number % 3 != 0,
        "time_taken_ms": 1000 + number % 40_000,
        "quality": 4 if number % 3 else 1,
        **state(number, "before"),
        **state(number + 1, "after"),
        **other,
    }


def state(number: int, when: str) -> dict[str, Any]:
    return {
        f"sm2_easiness_factor_{when}": 2.5,
        f"sm2_interval_{when}": number % 30,
        f"sm2_repetitions_{when}": number % 5,
        f"bkt_prob_knowledge_{when}": number % 100 / 100,
        f"irt_ability_{when}": number % 7 / 2 - 1,
    }


def session(number: int, start: datetime, **other: Any) -> dict[str, Any]:
    """A session, another one for each number."""
    return {
        "event_id": str(uuid.UUID(int=10_000_000 + number)),
        "session_id": f"session-{number}",
        "user_id": f"learner-{number % 17}",
        "session_type": ["practice", "review", "mock_test"][number % 3],
        "start_time": start.isoformat(),
        "end_time": (start + timedelta(minutes=10 + number % 20)).isoformat(),
        "items_attempted": 10,
        "correct_count": number % 11,
        "topics": ["algebra", "geometry"],
        **other,
    }


def training(number: int, moment: datetime, **other: Any) -> dict[str, Any]:
    """A training example, another one for each number."""
    return {
        "event_id": str(uuid.UUID(int=20_000_000 + number)),
        "timestamp": moment.isoformat(),
        "user_id": f"learner-{number % 17}",
        "item_id": f"item-{number % 31}",
        "topic": "algebra",
        "attempt_event_id": str(uuid.UUID(int=number)),
        "model_name": "bkt",
        "model_version": "3",
        "split": ["train", "validation", "test"][number % 3],
        "features": [{"name": "prob_knowledge", "value": 0.4}],
        "prediction": 0.5,
        "label": number % 2 == 0,
        "weight": 1.0,
        **other,
    }


def attempts(count: int, start: datetime, *, first: int = 0, span: timedelta = HOUR) -> list[dict[str, Any]]:
    """Attempts spread evenly over a span of time."""
    return [attempt(first + number, start + span * number / max(count, 1)) for number in range(count)]


def messages(events: list[dict[str, Any]], *, partitions: int = 2) -> list[tuple[datetime, bytes, int]]:
    """Events as messages at their own time, by turns over the partitions."""
    return [
        (
            datetime.fromisoformat(event.get("timestamp") or event["start_time"]),
            json.dumps(event).encode(),
            number % partitions,
        )
        for number, event in enumerate(events)
    ]
