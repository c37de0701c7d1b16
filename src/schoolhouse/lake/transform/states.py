"""The learners' last states, which the next window starts from.

One row for each learner and question (`kind` item: SM-2) and for each learner and topic (`kind` topic: BKT and IRT).
The state of the newest attempt counts: an attempt that arrives a window late, after newer ones, does not move it.
"""

from __future__ import annotations

import polars as pl

from schoolhouse.lake.topics.topic import UTC_TIME
from schoolhouse.lake.transform.datasets import DATASETS

_KEY = ("user_id", "kind", "key")
_OF_ITEM = ("sm2_easiness_factor", "sm2_interval", "sm2_repetitions")
_OF_TOPIC = ("bkt_prob_knowledge", "irt_ability", "irt_uncertainty")

STATES = pl.Schema(
    {
        "user_id": pl.String(),
        "kind": pl.String(),  # item or topic
        "key": pl.String(),  # item_id, or the topic
        **{name: DATASETS["user_attempts"].schema[f"{name}_after"] for name in (*_OF_ITEM, *_OF_TOPIC)},
        "updated_at": UTC_TIME,  # the newest attempt
    }
)


def learner_states(attempts: pl.LazyFrame, before: pl.LazyFrame | None) -> pl.LazyFrame:
    """All of `before`, brought up to date by rows of `user_attempts` in the order in which `transform` gave them."""
    parts = [
        _last(attempts, "item", "item_id", _OF_ITEM),
        _last(attempts, "topic", "topic", _OF_TOPIC),
    ]
    new = pl.concat(parts, how="diagonal").select(pl.col(name).cast(dtype) for name, dtype in STATES.items())
    if before is None:
        return new
    held = before.select(pl.col(name).cast(dtype) for name, dtype in STATES.items())
    # Of equally new states the later in this order wins: the one just computed.
    both = pl.concat([held, new]).sort("updated_at", maintain_order=True)
    return both.unique(_KEY, keep="last", maintain_order=True)


def _last(attempts: pl.LazyFrame, kind: str, key: str, fields: tuple[str, ...]) -> pl.LazyFrame:
    return (
        attempts.filter(pl.col(key).is_not_null())
        .unique(["user_id", key], keep="last")
        .select(
            "user_id",
            pl.lit(kind).alias("kind"),
            pl.col(key).alias("key"),
            *(pl.col(f"{name}_after").alias(name) for name in fields),
            pl.col("attempted_at").alias("updated_at"),
        )
    )
