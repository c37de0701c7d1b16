"""Messages to datasets.

- `datasets`   every column of every dataset, with its bounds
- `parse`      messages to typed rows, poison aside
- `normalize`  what every transformation does
- `attempts`, `sessions`, `training`  one dataset each, from the rows of its topic
- `daily`      what each learner did on each day
- `states`     what the learner models know at the end of a window
"""

from __future__ import annotations

import polars as pl

from schoolhouse.errors import UsageError
from schoolhouse.lake.models.parameters import Parameters
from schoolhouse.lake.topics import topic_of
from schoolhouse.lake.transform.attempts import attempts_in_parts
from schoolhouse.lake.transform.daily import daily
from schoolhouse.lake.transform.datasets import DATASETS, Column, Dataset, dataset_of
from schoolhouse.lake.transform.normalize import each_event_once, year_month_day
from schoolhouse.lake.transform.parse import parse
from schoolhouse.lake.transform.sessions import transform_sessions
from schoolhouse.lake.transform.states import STATES, learner_states
from schoolhouse.lake.transform.training import transform_training

__all__ = [
    "DATASETS",
    "STATES",
    "Column",
    "Dataset",
    "Parameters",
    "attempts_in_parts",
    "daily",
    "dataset_of",
    "learner_states",
    "parse",
    "transform",
]


def transform(
    dataset: str,
    raw: pl.LazyFrame,
    *,
    states: pl.LazyFrame | None = None,
    parameters: Parameters | None = None,
) -> pl.LazyFrame:
    """Rows of a dataset from parsed messages: each event once, normalized, with its features.

    `raw` has the columns of the topic's schema and `kafka_partition`, `kafka_offset` and `kafka_timestamp`. `states`
    are the `learner_states` before the window; without them every learner starts anew.
    """
    if dataset == "user_attempts":
        return next(attempts_in_parts(raw, states, parameters))
    if dataset == "user_sessions":
        return transform_sessions(raw)
    if dataset == "ml_training":
        return transform_training(raw)
    return _as_it_is(dataset, raw)


def _as_it_is(dataset: str, raw: pl.LazyFrame) -> pl.LazyFrame:
    """The messages of a topic that has no transformation of its own."""
    topic = topic_of(dataset)
    if topic is None:
        raise UsageError(f"No topic becomes the dataset {dataset!r}.", hint="daily_aggregations come from `daily`.")
    frame = each_event_once(raw, topic.event_id)
    return frame.with_columns(year_month_day(topic.event_time)).select(dataset_of(dataset).schema.names())
