"""Messages of the lake's topics into a broker."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from confluent_kafka import Consumer, TopicPartition
from typer.testing import CliRunner

from schoolhouse.cli import app
from schoolhouse.errors import DeliveryError, SettingsError
from schoolhouse.settings import Settings, load_settings
from schoolhouse.simulate.practising import TopicPlan
from schoolhouse.simulate.to_topics import send_topics, write_topics
from tests.lake.broker import Broker, running_broker

PLAN = TopicPlan(attempts=3_000, learners=40, duplicates=0.02, malformed=0.01)


@pytest.fixture(scope="module")
def broker(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Broker]:
    with running_broker(tmp_path_factory.mktemp("broker")) as found:
        yield found


@pytest.fixture
def settings(broker: Broker, monkeypatch: pytest.MonkeyPatch) -> Settings:
    monkeypatch.setenv("KAFKA_BOOTSTRAP_SERVERS", broker.address)
    return load_settings()


def consumed(broker: Broker, topic: str, partitions: int) -> list[list[Any]]:
    """All messages of a topic, a list for each partition."""
    consumer = Consumer({"bootstrap.servers": broker.address, "group.id": "test", "enable.partition.eof": True})
    try:
        found = []
        for number in range(partitions):
            consumer.assign([TopicPartition(topic, number, 0)])
            messages = []
            while (message := consumer.poll(20)) is not None and message.error() is None:
                messages.append(message)
            found.append(messages)
        return found
    finally:
        consumer.close()


def test_a_broker_holds_what_the_files_hold_at_its_time_with_a_learner_on_one_partition(
    broker: Broker, settings: Settings, tmp_path: Path
) -> None:
    done = send_topics(PLAN, settings, tmp_path, partitions=3)
    write_topics(PLAN, tmp_path / "files")
    assert json.loads((tmp_path / "truth.json").read_text()) == json.loads((tmp_path / "files/truth.json").read_text())
    for topic, count in done.messages.items():
        parts = consumed(broker, topic, 3)
        sent = [message for part in parts for message in part]
        assert len(sent) == count
        lines = (tmp_path / "files" / f"{topic}.jsonl").read_bytes().splitlines()
        assert sorted(message.value() for message in sent) == sorted(lines)
        learners = [{message.key() for message in part} for part in parts]
        assert sum(map(len, learners)) == len(set.union(*learners))
        for part in parts:
            assert [message.timestamp()[1] for message in part] == sorted(message.timestamp()[1] for message in part)


def test_the_command_tells_what_it_sent(settings: Settings, tmp_path: Path) -> None:
    options = ["--attempts", "200", "--learners", "10", "--seed", "5", "--truth", str(tmp_path), "--json"]
    result = CliRunner().invoke(app, ["simulate", "topics", *options])
    assert result.exit_code == 0, result.output
    told = json.loads(result.stdout)
    assert (told["user.attempts"], told["user.sessions"]) == (200, 10)
    assert told["written"] == settings.kafka_bootstrap_servers


def test_the_command_writes_files_where_a_directory_is_named(tmp_path: Path) -> None:
    result = CliRunner().invoke(
        app, ["simulate", "topics", "--attempts", "50", "--out", str(tmp_path), "--gzip", "--json"]
    )
    assert result.exit_code == 0, result.output
    assert sorted(path.name for path in tmp_path.iterdir()) == [
        "ml.training.jsonl.gz", "truth.json", "user.attempts.jsonl.gz", "user.sessions.jsonl.gz",
    ]  # fmt: skip


def test_without_brokers_the_setting_is_named(tmp_path: Path) -> None:
    with pytest.raises(SettingsError, match="KAFKA_BOOTSTRAP_SERVERS is empty"):
        send_topics(PLAN, load_settings(), tmp_path)


def test_brokers_that_are_away_are_said_to_be_so(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("KAFKA_BOOTSTRAP_SERVERS", "127.0.0.1:1")
    monkeypatch.setenv("KAFKA_TIMEOUT_SECONDS", "1")
    with pytest.raises(DeliveryError, match="Kafka did not"):
        send_topics(TopicPlan(attempts=10), load_settings(), tmp_path)
    assert not (tmp_path / "truth.json").exists()
