"""`user.attempts`: one message for each answer of a learner.

It may carry what the platform held of the learner before and after. What it does not carry, we compute. The fields are
flat because a nested message takes ten times as long to read.
"""

from __future__ import annotations

import polars as pl

from schoolhouse.lake.topics.topic import UTC_TIME, Topic

_STATES = {
    f"{field}_{when}": dtype
    for when in ("before", "after")
    for field, dtype in {
        "sm2_easiness_factor": pl.Float64(),
        "sm2_interval": pl.Int32(),
        "sm2_repetitions": pl.Int32(),
        "bkt_prob_knowledge": pl.Float64(),
        "irt_ability": pl.Float64(),
    }.items()
}

TOPIC = Topic(
    name="user.attempts",
    dataset="user_attempts",
    schema=pl.Schema(
        {
            "event_id": pl.String(),
            "user_id": pl.String(),
            "item_id": pl.String(),
            "session_id": pl.String(),
            "timestamp": UTC_TIME,
            "topic": pl.String(),
            "correct": pl.Boolean(),
            "time_taken_ms": pl.Int64(),
            "quality": pl.Int32(),
            **_STATES,
        }
    ),
    event_id="event_id",
    event_time="timestamp",
    learner_id="user_id",
    about={
        "event_id": "Identity of the event. A message that arrives again has the same one.",
        "user_id": "The learner.",
        "item_id": "The question that was answered.",
        "session_id": "The session in which it was answered.",
        "timestamp": "When the answer was given: ISO 8601; without an offset it is UTC.",
        "topic": "The topic (skill) that the question practises.",
        "correct": "Whether the answer was right.",
        "time_taken_ms": "Milliseconds from showing the question to the answer.",
        "quality": "SM-2's grade of the answer, 0 to 5. May be absent: then it follows from `correct` and the time.",
        "sm2_easiness_factor_before": "SM-2's easiness of this question for the learner before the answer, from 1.3.",
        "sm2_interval_before": "Days to the next repetition of this question, as set before the answer.",
        "sm2_repetitions_before": "Repetitions in a row that were graded 3 or better, before the answer.",
        "bkt_prob_knowledge_before": "Chance that the learner knew `topic` before the answer, 0 to 1.",
        "irt_ability_before": "The learner's ability in `topic` before the answer, in logits.",
        "sm2_easiness_factor_after": "The same after the answer.",
        "sm2_interval_after": "The same after the answer.",
        "sm2_repetitions_after": "The same after the answer.",
        "bkt_prob_knowledge_after": "The same after the answer.",
        "irt_ability_after": "The same after the answer.",
    },
)
