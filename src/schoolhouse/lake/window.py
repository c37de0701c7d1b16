"""One window of one dataset: extract, transform, validate, load. Running it again does nothing; being killed loses
nothing.

The plan with its offsets is recorded first. Each step then looks whether its table has this slice already, so whoever
comes second, or after a kill, goes on where the first one stopped. The order of the steps is the order in which a
reader may rely on them: what is in `processed` is in `raw`, and what is `done` is everywhere.
"""

from __future__ import annotations

import logging
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from datetime import timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Final

from schoolhouse.errors import SchoolhouseError, SettingsError, UsageError
from schoolhouse.lake import alerts, extract, rework, upkeep
from schoolhouse.lake.clock import Window, now
from schoolhouse.lake.ledger import Done, Ledger, Plan, Standing, capped
from schoolhouse.lake.topics import TOPICS, Topic, topic_of
from schoolhouse.lake.zones import mapped_reads

if TYPE_CHECKING:
    from schoolhouse.lake.zones import Lake
    from schoolhouse.settings import Settings

log = logging.getLogger(__name__)

ALREADY: Final = "already"  # what `Outcome.did` says of a window that needed nothing
DID: Final = "loaded"


@dataclass(frozen=True)
class Outcome:
    """What a run came to. `did` is `already` when there was nothing to do; a window that `is_ended` takes no more."""

    dataset: str
    window: Window
    did: str
    state: str
    done: Done
    is_ended: bool


def datasets(settings: Settings) -> list[str]:
    """The datasets of the topics that are loaded, in the order in which a window loads them.

    Raises:
        SettingsError: KAFKA_TOPICS names a topic that we do not know.
    """
    wanted = settings.kafka_topics.split(",") if settings.kafka_topics else list(TOPICS)
    if unknown := [name for name in wanted if name not in TOPICS]:
        raise SettingsError(f"KAFKA_TOPICS names {', '.join(unknown)}.", hint=f"There are {', '.join(TOPICS)}.")
    return [topic.dataset for topic in TOPICS.values() if topic.name in wanted]


def run(lake: Lake, dataset: str, window: Window, *, again: bool = False) -> Outcome:
    """Load a window of a dataset, or what of it is not loaded yet.

    Args:
        lake: where to.
        dataset: which; its topic is read.
        window: the hour. While it is under way, what is there is loaded, and the window stays open.
        again: work on a window that is loaded or quarantined once more, from its raw rows.

    Raises:
        UsageError: the hour has not begun, or there is nothing to work on again.
        LakeError: Kafka, a table or the storage failed (run it again: it continues), or of the raw rows to work on
            again some are gone.
    """
    topic = _topic(dataset)
    if window.start > now():
        raise UsageError(f"The window {window} has not begun.")
    ledger = Ledger(lake)
    standing = ledger.standing(dataset, window)
    if standing.is_ended and not again:
        return _already(dataset, window, standing)
    plan = _plan(lake, ledger, topic, window, standing, again=again)
    if plan is None:
        return _already(dataset, window, standing)
    return _work(lake, ledger, topic, plan)


def _already(dataset: str, window: Window, standing: Standing) -> Outcome:
    return Outcome(dataset, window, ALREADY, standing.state, Done(state=standing.state), standing.is_ended)


def _topic(dataset: str) -> Topic:
    if (topic := topic_of(dataset)) is None:
        known = ", ".join(topic.dataset for topic in TOPICS.values())
        raise UsageError(f"No topic becomes the dataset {dataset!r}.", hint=f"There are {known}.")
    return topic


def _plan(lake: Lake, ledger: Ledger, topic: Topic, window: Window, standing: Standing, *, again: bool) -> Plan | None:
    """The slice to work on: the one that is under way, or a new one; None when an open window has nothing new."""
    if standing.is_under_way and standing.plan is not None:
        return standing.plan
    if again:
        if standing.plan is None:
            raise UsageError(
                f"The window {window} of {topic.dataset} was never loaded.", hint="Run it without --again."
            )
        rework.refuse_if_raw_rows_are_gone(lake, topic.dataset, window)
        last = standing.plan
        return ledger.plan(replace(last, number=last.number + 1, mode="again"))
    closes = now() >= window.end + timedelta(seconds=lake.settings.lake_grace_seconds)
    spans = capped(extract.plan(lake.settings, topic.name, window, standing.known), standing.ceiling)
    if not closes and not any(span.count or span.expired for span in spans):
        return None
    return ledger.plan(Plan(topic.dataset, window, standing.number + 1, "add", closes, spans))


def _work(lake: Lake, ledger: Ledger, topic: Topic, plan: Plan) -> Outcome:
    from schoolhouse.lake.work import Work  # and with it Numba: half of a second that a loaded window does not need

    with _staging(lake, plan) as directory:
        work = Work(lake, topic, plan, directory)
        try:
            with mapped_reads(f"the lake or of {lake.settings.staging_dir.name}"):
                done = work.run()
            ledger.done(plan, done)
        except SchoolhouseError as error:
            work.done.error = f"{error.code}: {error.message}"
            work.done.state = "failed"
            alerts.window_failed(lake.settings, plan, error)
            _remember_failure(ledger, plan, work.done)
            raise
    log.info(
        "loaded a window",
        extra={"dataset": plan.dataset, "window": str(plan.window), "rows": done.rows, "state": done.state},
    )
    alerts.window_done(lake.settings, plan, done)
    if plan.closes and plan.window.end.hour == 0:
        _join_day(lake, plan)
    return Outcome(plan.dataset, plan.window, DID, done.state, done, plan.closes)


def _join_day(lake: Lake, plan: Plan) -> None:
    """The last hour of a day joins the day's small files: so a window costs the same however many there are."""
    try:
        upkeep.join_day(lake, plan.dataset, plan.window)
    except SchoolhouseError as error:
        log.warning("a day's files were not joined", extra={"dataset": plan.dataset, "reason": error.message})


def _remember_failure(ledger: Ledger, plan: Plan, done: Done) -> None:
    try:
        ledger.failed(plan, done)
    except SchoolhouseError:
        log.warning("the failure could not be recorded", extra={"dataset": plan.dataset, "window": str(plan.window)})


@contextmanager
def _staging(lake: Lake, plan: Plan) -> Iterator[Path]:
    """A directory for the slice's files, gone afterwards."""
    root = lake.settings.staging_dir
    root.mkdir(parents=True, exist_ok=True)
    directory = Path(tempfile.mkdtemp(prefix=f"{plan.dataset}-{plan.window}-", dir=root))
    try:
        yield directory
    finally:
        shutil.rmtree(directory, ignore_errors=True)
