"""`ml.training`: one message for each example that a learner model was trained or judged on."""

from __future__ import annotations

import polars as pl

from schoolhouse.lake.topics.topic import UTC_TIME, Topic

TOPIC = Topic(
    name="ml.training",
    dataset="ml_training",
    schema=pl.Schema(
        {
            "event_id": pl.String(),
            "timestamp": UTC_TIME,
            "user_id": pl.String(),
            "item_id": pl.String(),
            "topic": pl.String(),
            "attempt_event_id": pl.String(),
            "model_name": pl.String(),
            "model_version": pl.String(),
            "split": pl.String(),
            "feature_names": pl.List(pl.String()),
            "feature_values": pl.List(pl.Float64()),
            "prediction": pl.Float64(),
            "label": pl.Boolean(),
            "weight": pl.Float64(),
        }
    ),
    event_id="event_id",
    event_time="timestamp",
    learner_id="user_id",
    about={
        "event_id": "Identity of the event. A message that arrives again has the same one.",
        "timestamp": "When the example was made: ISO 8601; without an offset it is UTC.",
        "user_id": "The learner whom the example is about.",
        "item_id": "The question that it is about.",
        "topic": "The topic (skill) of the question.",
        "attempt_event_id": "`event_id` of the attempt that gave the label.",
        "model_name": "The model: bkt, irt, sm2 or any other name.",
        "model_version": "Its version, as its makers write it.",
        "split": "train, validation or test.",
        "feature_names": "Names of what the model saw.",
        "feature_values": "What it saw: numbers, in the same order.",
        "prediction": "Chance of a right answer that the model gave, 0 to 1.",
        "label": "Whether the answer was right.",
        "weight": "Weight of the example, 0 or more. May be absent: then it is 1.",
    },
)
