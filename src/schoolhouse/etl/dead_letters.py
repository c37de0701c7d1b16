"""Messages that can't be processed: to the dead-letter queue once, with their reason, and back again.

"Once" means that the message is then done: it is not returned to its queue, which would copy it again at each delivery.
(A process killed between the two leaves a second copy, and loading it twice counts nothing twice.)

A worker beside a redrive may bury again at once what is put back. Such a message was sent after the redrive began, by
the queue's own clock, and stays where it is: a redrive puts back what was dead when it began, and ends.
"""

from __future__ import annotations

import time
from email.utils import parsedate_to_datetime
from typing import Any, Final

from schoolhouse.errors import SettingsError
from schoolhouse.etl.aws import mapped_errors
from schoolhouse.observe import redact
from schoolhouse.settings import Settings

_LONGEST_REASON: Final = 256
_AT_ONCE: Final = 10  # what SQS gives and takes in one call
_HIDDEN_SECONDS: Final = 300  # longer than a look through the queue takes, or it would never end
# Our own words about a message; they are not sent back with it.
_OURS: Final = ("OriginalMessageId", "FailureReason")


def bury(sqs: Any, queue_url: str, *, body: str, message_id: str, reason: str) -> None:
    """Send a message to the dead-letter queue with its reason.

    Raises:
        StorageError: the queue did not take it, so the message must stay where it is.
    """
    words = {"OriginalMessageId": message_id or "none", "FailureReason": redact(reason)[:_LONGEST_REASON]}
    with mapped_errors("the dead-letter queue"):
        sqs.send_message(
            QueueUrl=queue_url,
            MessageBody=body or "{}",
            MessageAttributes={
                name: {"DataType": "String", "StringValue": value or "unknown"} for name, value in words.items()
            },
        )


def redrive(sqs: Any, settings: Settings, *, limit: int = 0, dry_run: bool = False) -> list[dict[str, str]]:
    """Put the messages that are dead by now back into the queue; returns each with its reason.

    A message leaves the dead-letter queue only after the queue has taken it. With `dry_run` nothing moves, and the
    messages seen can be received again at once.
    """
    if not settings.failure_queue_url or not (settings.queue_url or dry_run):
        raise SettingsError("Redriving needs two queues.", hint="Set FAILURE_DLQ_URL and XAPI_QUEUE_URL.")
    found: list[dict[str, Any]] = []
    hidden: list[dict[str, Any]] = []
    began_ms = 0
    try:
        while not limit or len(found) < limit:
            messages, now_ms = _receive(sqs, settings, min(_AT_ONCE, limit - len(found)) if limit else _AT_ONCE)
            began_ms = began_ms or now_ms
            if not messages:
                break
            for message in messages:
                is_newer = _sent_ms(message) > began_ms
                if is_newer or dry_run:
                    hidden.append(message)
                else:
                    _put_back(sqs, settings, message)
                if not is_newer:
                    found.append(message)
    finally:
        _unhide(sqs, settings, hidden)
    return [_described(message) for message in found]


def _receive(sqs: Any, settings: Settings, at_most: int) -> tuple[list[dict[str, Any]], int]:
    """Some messages, and the queue's time at the end of the second of its answer, in milliseconds of Unix time."""
    with mapped_errors("the dead-letter queue"):
        answer = sqs.receive_message(
            QueueUrl=settings.failure_queue_url,
            MaxNumberOfMessages=at_most,
            AttributeNames=["SentTimestamp"],
            MessageAttributeNames=["All"],
            VisibilityTimeout=_HIDDEN_SECONDS,
            WaitTimeSeconds=1,
        )
    messages: list[dict[str, Any]] = answer.get("Messages", [])
    told = answer.get("ResponseMetadata", {}).get("HTTPHeaders", {}).get("date")
    now = parsedate_to_datetime(told).timestamp() if told else time.time()
    return messages, int(now * 1000) + 999


def _sent_ms(message: dict[str, Any]) -> int:
    return int(message.get("Attributes", {}).get("SentTimestamp", 0))


def _unhide(sqs: Any, settings: Settings, messages: list[dict[str, Any]]) -> None:
    for first in range(0, len(messages), _AT_ONCE):
        entries = [
            {"Id": str(number), "ReceiptHandle": message["ReceiptHandle"], "VisibilityTimeout": 0}
            for number, message in enumerate(messages[first : first + _AT_ONCE])
        ]
        with mapped_errors("the dead-letter queue"):
            sqs.change_message_visibility_batch(QueueUrl=settings.failure_queue_url, Entries=entries)


def _put_back(sqs: Any, settings: Settings, message: dict[str, Any]) -> None:
    attributes = {
        name: {"DataType": value["DataType"], "StringValue": value["StringValue"]}
        for name, value in message.get("MessageAttributes", {}).items()
        if name not in _OURS and "StringValue" in value
    }
    with mapped_errors("the queue"):
        sqs.send_message(QueueUrl=settings.queue_url, MessageBody=message["Body"], MessageAttributes=attributes)
        sqs.delete_message(QueueUrl=settings.failure_queue_url, ReceiptHandle=message["ReceiptHandle"])


def _described(message: dict[str, Any]) -> dict[str, str]:
    attributes = message.get("MessageAttributes", {})
    return {
        "message_id": message["MessageId"],
        "reason": attributes.get("FailureReason", {}).get("StringValue", "the queue gave up on it"),
        "body": message["Body"],
    }
