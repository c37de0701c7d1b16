"""TLS to the brokers: the settings reach Kafka's client, and it looks at certificates."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from schoolhouse.errors import LakeUnavailable
from schoolhouse.lake import extract
from schoolhouse.lake.clock import Window
from schoolhouse.lake.topics import TOPICS
from schoolhouse.settings import Settings, load_settings
from tests.lake.broker import START, Broker, attempts, messages
from tests.tls_relay import TlsRelay, certificate, running_relay

TOPIC = TOPICS["user.attempts"]
WINDOW = Window(START)


@pytest.fixture
def relay(broker: Broker, tmp_path: Path) -> Iterator[TlsRelay]:
    """A broker that speaks TLS, to clients that have a certificate."""
    broker.send(TOPIC.name, messages(attempts(20, START)))
    with running_relay(
        TlsRelay(broker.port, certificate(tmp_path, "broker"), certificate(tmp_path, "lake"))
    ) as running:
        yield running


def _settings(relay: TlsRelay, **more: Any) -> Settings:
    given: dict[str, Any] = {
        "kafka_bootstrap_servers": relay.address,
        "kafka_security_protocol": "SASL_SSL",
        "kafka_ssl_ca_file": relay.own.certificate,
        "kafka_ssl_certificate_file": relay.client.certificate,
        "kafka_ssl_key_file": relay.client.key,
        "kafka_sasl_mechanism": "PLAIN",
        "kafka_sasl_username": "lake",
        "kafka_sasl_password": "s3cret",
        "kafka_timeout_seconds": 20,
    }
    return load_settings(**given | more)


def test_a_window_comes_over_tls_and_the_password_inside_it(relay: TlsRelay, tmp_path: Path) -> None:
    settings = _settings(relay)
    spans = extract.plan(settings, TOPIC.name, WINDOW, {})

    assert extract.read(settings, TOPIC, spans, WINDOW, tmp_path / "read").messages == 20
    assert b"\0lake\0s3cret" in relay.heard


def test_a_broker_whose_certificate_nobody_vouches_for_hears_nothing(relay: TlsRelay, tmp_path: Path) -> None:
    stranger = certificate(tmp_path, "stranger")
    settings = _settings(relay, kafka_ssl_ca_file=stranger.certificate, kafka_timeout_seconds=2)
    with pytest.raises(LakeUnavailable, match=r"user\.attempts"):
        extract.plan(settings, TOPIC.name, WINDOW, {})
    assert relay.heard == b""


def test_a_client_without_a_certificate_is_not_let_in(relay: TlsRelay) -> None:
    settings = _settings(relay, kafka_ssl_certificate_file=None, kafka_ssl_key_file=None, kafka_timeout_seconds=2)
    with pytest.raises(LakeUnavailable, match=r"user\.attempts"):
        extract.plan(settings, TOPIC.name, WINDOW, {})
    assert relay.heard == b""
