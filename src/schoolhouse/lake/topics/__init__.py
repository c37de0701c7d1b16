"""The topics that the lake reads. To add one, add a file here with a `TOPIC`; nothing else has to know.

A topic names the dataset that its messages become. Where no transformation of that name exists, the messages are stored
as they are: typed, each event once, with `year`, `month` and `day`.
"""

from __future__ import annotations

from importlib import import_module
from pkgutil import iter_modules

from schoolhouse.lake.topics.topic import Topic

__all__ = ["TOPICS", "Topic", "topic_of"]


def _found() -> dict[str, Topic]:
    topics: dict[str, Topic] = {}
    for module in sorted(iter_modules(__path__), key=lambda one: one.name):
        topic = getattr(import_module(f"{__name__}.{module.name}"), "TOPIC", None)
        if topic is not None:
            topics[topic.name] = topic
    return topics


TOPICS: dict[str, Topic] = _found()


def topic_of(dataset: str) -> Topic | None:
    """The topic whose messages become this dataset; None for a dataset that is made from others."""
    return next((topic for topic in TOPICS.values() if topic.dataset == dataset), None)
