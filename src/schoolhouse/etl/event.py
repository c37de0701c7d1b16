"""Event mode: the objects that an event names, loaded; each message answered for itself.

A message is done when all its objects are loaded. One that can't be processed, however often it comes, goes to the
dead-letter queue once with its reason; any other is delivered again. Objects of it that were loaded meanwhile load
again, and count once.
"""

from __future__ import annotations

import logging
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final, Literal

from schoolhouse.errors import LoadUnfinished, PayloadError, SchoolhouseError
from schoolhouse.etl.answers import Tally, section_of
from schoolhouse.etl.aws import sqs_client
from schoolhouse.etl.dead_letters import bury
from schoolhouse.etl.objects import ObjectLoader, Outcome, TimeLeft, no_end
from schoolhouse.etl.payloads import Message, Sender, messages_of, sender_of
from schoolhouse.settings import Settings

log = logging.getLogger(__name__)

_LOGGED: Final = (
    "success",
    "section_id",
    "messages",
    "files_processed",
    "files_failed",
    "events_processed",
    "events_rejected",
)


@dataclass(frozen=True)
class Verdict:
    """How one message ended: done, to be delivered again, or dead for a reason."""

    message: Message
    state: Literal["done", "again", "dead"]
    reason: str = ""


def run_event(payload: Mapping[str, Any], loader: ObjectLoader, *, time_left: TimeLeft = no_end) -> dict[str, Any]:
    """Load what an event names and answer with the counts.

    Raises:
        LoadUnfinished: an event of S3, SNS or EventBridge must be delivered again (their senders read no answer).
    """
    sender = sender_of(payload)
    messages = messages_of(payload)
    refs = {ref.uri: ref for message in messages for ref in message.objects}
    tally = Tally()
    outcomes: dict[str, Outcome] = {}
    for outcome in loader.load_all(refs.values(), time_left=time_left):
        outcomes[outcome.ref.uri] = outcome
        tally.add(outcome)
    verdicts = [_verdict(message, outcomes, loader.settings) for message in messages]
    for verdict in verdicts:
        if verdict.message.problem:
            tally.add_error(verdict.message.message_id or "the event", PayloadError.code, verdict.reason)
    if sender != "direct":
        verdicts = [_buried(verdict, loader.settings) if verdict.state == "dead" else verdict for verdict in verdicts]
    answer = {
        "success": all(verdict.state == "done" for verdict in verdicts),
        "processing_mode": "event",
        "section_id": section_of(refs.values()),
        **tally.counts(),
        "files_skipped": sum(message.skipped for message in messages),
        "messages": len(messages),
        "messages_dead": sum(verdict.state == "dead" for verdict in verdicts),
        "environment": loader.settings.environment,
    }
    log.info("answered an event", extra={name: answer[name] for name in _LOGGED})
    return _told(answer, sender, [verdict for verdict in verdicts if verdict.state == "again"])


def _told(answer: dict[str, Any], sender: Sender, again: list[Verdict]) -> dict[str, Any]:
    """The answer, with what must come again told in the sender's way."""
    names = sorted({verdict.message.message_id for verdict in again})
    if again and (sender == "notification" or (sender == "sqs" and not all(names))):
        raise LoadUnfinished(f"Not all objects of the event are loaded: {again[0].reason}")
    if sender == "sqs":
        answer["batchItemFailures"] = [{"itemIdentifier": name} for name in names]
    return answer


def _verdict(message: Message, outcomes: Mapping[str, Outcome], settings: Settings) -> Verdict:
    if message.problem:
        return Verdict(message, "dead", message.problem)
    mine = [outcomes[ref.uri] for ref in message.objects]
    failed = [outcome for outcome in mine if outcome.error]
    passing = next((outcome.error for outcome in failed if not outcome.is_final), None)
    is_last = 0 < settings.etl_max_receives <= message.receives
    if passing and not is_last:
        return Verdict(message, "again", passing.message)
    if any(outcome.state == "untouched" for outcome in mine):
        return Verdict(message, "again", "there was no time left")
    if failed:
        return Verdict(message, "dead", "; ".join(outcome.error.message for outcome in failed if outcome.error))
    return Verdict(message, "done")


def _buried(verdict: Verdict, settings: Settings) -> Verdict:
    """Dead and in the dead-letter queue; where that cannot be, to be delivered again: the queue gives up by itself."""
    if not settings.failure_queue_url:
        return Verdict(verdict.message, "again", verdict.reason)
    message = verdict.message
    try:
        bury(
            sqs_client(settings),
            settings.failure_queue_url,
            body=message.body,
            message_id=message.message_id,
            reason=verdict.reason,
        )
    except SchoolhouseError as error:
        log.warning("the dead-letter queue did not take a message", extra={"reason": error.message})
        return Verdict(message, "again", verdict.reason)
    log.warning("a message is dead", extra={"message_id": message.message_id, "reason": verdict.reason})
    return verdict
