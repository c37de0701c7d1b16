"""What a topic is: its name, the dataset that it becomes, and the fields of its messages."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

import polars as pl

UTC_TIME = pl.Datetime("us", "UTC")


@dataclass(frozen=True)
class Topic:
    """One Kafka topic. A message is a JSON object; its fields have the types of `schema`, and others are ignored.

    A message without the event id, the event time or the learner's id cannot be placed, and goes to quarantine. What
    else it may lack is a matter of quality.
    """

    name: str
    dataset: str
    schema: pl.Schema
    event_id: str
    event_time: str
    learner_id: str
    about: Mapping[str, str] = field(default_factory=dict)  # each field, and what it means

    @property
    def placing(self) -> tuple[str, str, str]:
        """The fields that no message may lack."""
        return (self.event_id, self.event_time, self.learner_id)
