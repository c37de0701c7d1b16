"""The registry of topics."""

from __future__ import annotations

import sys
from pathlib import Path

import polars as pl
import pytest

from schoolhouse.lake import topics
from schoolhouse.lake.topics import TOPICS, topic_of


def test_the_three_topics_are_known_by_their_names() -> None:
    assert set(TOPICS) == {"user.attempts", "user.sessions", "ml.training"}
    assert [topic.dataset for topic in TOPICS.values()] == ["ml_training", "user_attempts", "user_sessions"]


@pytest.mark.parametrize("name", TOPICS)
def test_what_places_a_message_and_every_documented_field_is_in_the_schema(name: str) -> None:
    topic = TOPICS[name]
    assert set(topic.placing) <= set(topic.schema)
    assert topic.schema[topic.event_time] == pl.Datetime("us", "UTC")
    assert set(topic.about) == set(topic.schema)


def test_a_dataset_that_is_made_from_others_has_no_topic() -> None:
    assert topic_of("user_attempts") is TOPICS["user.attempts"]
    assert topic_of("daily_aggregations") is None


def test_adding_a_topic_is_one_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "page_views.py").write_text(
        "import polars as pl\n"
        "from schoolhouse.lake.topics.topic import UTC_TIME, Topic\n"
        "SCHEMA = pl.Schema({'id': pl.String(), 'at': UTC_TIME, 'who': pl.String()})\n"
        "TOPIC = Topic('page.views', 'page_views', SCHEMA, 'id', 'at', 'who')\n"
    )
    monkeypatch.setattr(topics, "__path__", [*topics.__path__, str(tmp_path)])
    try:
        assert topics._found()["page.views"].dataset == "page_views"
    finally:
        sys.modules.pop("schoolhouse.lake.topics.page_views", None)
