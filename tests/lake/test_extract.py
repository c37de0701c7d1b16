"""Which offsets a window has, and reading them."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path

import polars as pl
import pytest

from schoolhouse.errors import LakeError, LakeUnavailable, SettingsError
from schoolhouse.lake import extract, kafka
from schoolhouse.lake.clock import Window
from schoolhouse.lake.topics import TOPICS
from schoolhouse.settings import Settings, load_settings
from tests.lake.broker import HOUR, START, Broker, attempts, messages

TOPIC = TOPICS["user.attempts"]
WINDOW = Window(START)


def _read(settings: Settings, directory: Path, window: Window = WINDOW) -> extract.Extracted:
    spans = extract.plan(settings, TOPIC.name, window, {})
    return extract.read(settings, TOPIC, spans, window, directory)


@pytest.mark.parametrize("threads", [1, 2])
def test_a_window_is_the_messages_of_its_hour_by_message_time(
    broker: Broker, lake_settings: Settings, tmp_path: Path, threads: int
) -> None:
    before = attempts(10, START - HOUR)
    inside = attempts(1000, START, first=10)
    after = attempts(10, START + HOUR, first=1010)
    broker.send(TOPIC.name, messages(before + inside + after))

    read = _read(lake_settings.model_copy(update={"kafka_partition_threads": threads}), tmp_path / "read")

    rows = pl.read_parquet(read.rows)
    assert sorted(rows["event_id"]) == sorted(event["event_id"] for event in inside)
    assert set(rows["kafka_partition"]) == {0, 1}
    assert rows["kafka_timestamp"].min() == START
    assert rows["kafka_timestamp"].max() < START + HOUR
    assert (read.messages, read.poison, read.late) == (1000, 0, 0)


def test_poison_is_kept_with_its_offset_and_spoils_nothing_else(
    broker: Broker, lake_settings: Settings, tmp_path: Path
) -> None:
    good = messages(attempts(20, START), partitions=1)
    broker.send(TOPIC.name, [*good[:10], (START + HOUR / 2, b'{"event_id": ', 0), *good[10:]])

    read = _read(lake_settings, tmp_path / "read")

    poison = pl.read_parquet(read.unreadable).row(0, named=True)
    assert (poison["topic"], poison["kafka_partition"], poison["kafka_offset"]) == (TOPIC.name, 0, 10)
    assert poison["value"] == b'{"event_id": '
    assert poison["reason"]
    rows = pl.read_parquet(read.rows)
    assert rows["kafka_offset"].sort().to_list() == [number for number in range(21) if number != 10]


def test_partitions_of_any_length_are_read_by_one_reader_to_their_stops_and_no_further(
    broker: Broker, lake_settings: Settings, tmp_path: Path
) -> None:
    short, long = attempts(20, START), attempts(900, START, first=20)
    beyond = attempts(500, START + HOUR, first=920)
    broker.send(TOPIC.name, messages(short + beyond, partitions=1))
    broker.send(TOPIC.name, [(moment, value, 1) for moment, value, _ in messages(long)])

    read = _read(lake_settings, tmp_path / "read")

    rows = pl.read_parquet(read.rows)
    assert dict(rows.group_by("kafka_partition").len().iter_rows()) == {0: 20, 1: 900}


@pytest.mark.parametrize("messages_at_once", [70, extract.MESSAGES_AT_ONCE])
def test_a_topic_of_many_partitions_is_read_some_or_all_at_a_time(
    messages_at_once: int, broker: Broker, lake_settings: Settings, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(extract, "MESSAGES_AT_ONCE", messages_at_once)
    broker.delete(TOPIC.name)
    broker.create(TOPIC.name, partitions=20)
    broker.send(TOPIC.name, messages(attempts(400, START), partitions=20))

    read = _read(lake_settings, tmp_path / "read")

    rows = pl.read_parquet(read.rows)
    assert dict(rows.group_by("kafka_partition").len().iter_rows()) == dict.fromkeys(range(20), 20)


def test_a_message_without_a_value_is_poison(broker: Broker, lake_settings: Settings, tmp_path: Path) -> None:
    broker.send(TOPIC.name, [(START, b"", 0)])
    assert _read(lake_settings, tmp_path / "read").poison == 1


def test_a_message_later_than_the_look_back_is_set_aside(
    broker: Broker, lake_settings: Settings, tmp_path: Path
) -> None:
    settings = lake_settings.model_copy(update={"lake_look_back_hours": 2})
    old, late = attempts(1, START - timedelta(hours=3)), attempts(1, START - HOUR, first=1)
    broker.send(TOPIC.name, messages(attempts(4, START, first=2) + old + late, partitions=1))

    read = _read(settings, tmp_path / "read")

    assert pl.read_parquet(read.unreadable)["reason"].to_list() == ["too_late"]
    assert (read.messages, read.poison, read.late) == (6, 1, 1)


def test_stops_are_fixed_when_the_window_is_planned(broker: Broker, lake_settings: Settings, tmp_path: Path) -> None:
    broker.send(TOPIC.name, messages(attempts(10, START)))
    spans = extract.plan(lake_settings, TOPIC.name, WINDOW, {})
    broker.send(TOPIC.name, messages(attempts(10, START, first=10)))

    assert extract.read(lake_settings, TOPIC, spans, WINDOW, tmp_path / "read").messages == 10


def test_what_the_window_before_has_not_read_belongs_to_this_one(broker: Broker, lake_settings: Settings) -> None:
    broker.send(TOPIC.name, messages(attempts(10, START, span=HOUR / 2), partitions=1))
    first = extract.plan(lake_settings, TOPIC.name, WINDOW, {})
    late = attempts(3, START + HOUR / 2, first=10, span=HOUR / 2)
    broker.send(TOPIC.name, messages(late + attempts(5, START + HOUR, first=13), partitions=1))

    known = {span.partition: span.stop for span in first}
    second = extract.plan(lake_settings, TOPIC.name, Window(START + HOUR), known)

    assert [(span.start, span.stop) for span in second] == [(10, 18), (0, 0)]


def test_a_topic_that_was_made_anew_is_read_from_its_beginning(broker: Broker, lake_settings: Settings) -> None:
    broker.send(TOPIC.name, messages(attempts(5, START), partitions=1))

    spans = extract.plan(lake_settings, TOPIC.name, WINDOW, {0: 900, 1: 0})

    assert [(span.start, span.stop) for span in spans] == [(0, 5), (0, 0)]


def test_lag_is_what_nobody_has_read(broker: Broker, lake_settings: Settings) -> None:
    broker.send(TOPIC.name, messages(attempts(10, START)))
    assert extract.lag(lake_settings, TOPIC.name, {}) == {0: 5, 1: 5}
    assert extract.lag(lake_settings, TOPIC.name, {0: 5, 1: 2}) == {0: 0, 1: 3}


def test_brokers_that_are_away_are_named_as_such(broker: Broker, lake_settings: Settings) -> None:
    broker.stop()
    settings = lake_settings.model_copy(update={"kafka_timeout_seconds": 1})
    with pytest.raises(LakeUnavailable, match=r"user\.attempts"):
        extract.plan(settings, TOPIC.name, WINDOW, {})


def test_a_broker_that_goes_away_while_a_window_is_read_ends_the_try(
    broker: Broker, lake_settings: Settings, tmp_path: Path
) -> None:
    settings = lake_settings.model_copy(update={"kafka_timeout_seconds": 1})
    broker.send(TOPIC.name, messages(attempts(1000, START)))
    spans = extract.plan(settings, TOPIC.name, WINDOW, {})
    broker.stop()
    with pytest.raises(LakeUnavailable, match="are missing"):
        extract.read(settings, TOPIC, spans, WINDOW, tmp_path / "read")

    broker.start()
    assert extract.read(lake_settings, TOPIC, spans, WINDOW, tmp_path / "again").messages == 1000


def test_a_topic_that_is_not_there_is_an_error(broker: Broker, lake_settings: Settings) -> None:
    broker.delete(TOPIC.name)
    with pytest.raises(LakeError, match=r"no topic user\.attempts"):
        extract.plan(lake_settings, TOPIC.name, WINDOW, {})


def test_without_brokers_the_setting_is_named() -> None:
    with pytest.raises(SettingsError, match="KAFKA_BOOTSTRAP_SERVERS"):
        kafka.consumer(load_settings())


def test_tls_and_passwords_reach_the_client_and_nothing_else(tmp_path: Path) -> None:
    settings = load_settings(
        kafka_bootstrap_servers="kafka-1:9093",
        kafka_security_protocol="SASL_SSL",
        kafka_ssl_ca_file=tmp_path / "ca.pem",
        kafka_sasl_mechanism="SCRAM-SHA-256",
        kafka_sasl_username="lake",
        kafka_sasl_password="s3cret",
    )
    given = kafka.client_settings(settings)
    assert given["security.protocol"] == "SASL_SSL"
    assert given["ssl.ca.location"] == str(tmp_path / "ca.pem")
    assert (given["sasl.username"], given["sasl.password"]) == ("lake", "s3cret")
    assert "s3cret" not in repr(settings)
    assert "sasl.password" not in kafka.client_settings(load_settings(kafka_bootstrap_servers="k:9092"))
