"""`user.sessions`: one message for each session of a learner, sent when it ends."""

from __future__ import annotations

import polars as pl

from schoolhouse.lake.topics.topic import UTC_TIME, Topic

TOPIC = Topic(
    name="user.sessions",
    dataset="user_sessions",
    schema=pl.Schema(
        {
            "event_id": pl.String(),
            "session_id": pl.String(),
            "user_id": pl.String(),
            "session_type": pl.String(),
            "start_time": UTC_TIME,
            "end_time": UTC_TIME,
            "items_attempted": pl.Int32(),
            "correct_count": pl.Int32(),
            "topics": pl.List(pl.String()),
        }
    ),
    event_id="event_id",
    event_time="start_time",
    learner_id="user_id",
    about={
        "event_id": "Identity of the event. A message that arrives again has the same one.",
        "session_id": "The session.",
        "user_id": "The learner.",
        "session_type": "practice, review or mock_test.",
        "start_time": "When the session began: ISO 8601; without an offset it is UTC.",
        "end_time": "When it ended; not before it began.",
        "items_attempted": "Answers that were given in it.",
        "correct_count": "Those that were right.",
        "topics": "The topics that were practised; an entry may stand twice.",
    },
)
