"""What an event says: which mode it asks for, which messages it holds, which objects they name.

In: the decoded JSON of an invocation. Out: plain values. Nothing here needs a library or a network.

The surprising facts: S3 writes keys URL-encoded (spaces as `+`) into its notifications, but EventBridge and people do
not; and a message may hold several objects, or, like `s3:TestEvent`, none.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Final, Literal
from urllib.parse import unquote_plus

from schoolhouse.collect.bundles import SUFFIX
from schoolhouse.errors import PayloadError

Mode = Literal["event", "bulk", "health_check", "diagnostics"]
Sender = Literal["sqs", "notification", "direct"]

_BULK_PARAMETERS: Final = frozenset(
    {"section_id", "start_date", "end_date", "s3_bucket", "s3_prefix", "dry_run", "force_reprocess"}
)
_DEEPEST: Final = 4  # EventBridge in SNS in SQS is three


@dataclass(frozen=True)
class ObjectRef:
    """One object of S3. `etag` (without quotes) and `size_bytes` are empty and -1 where the event doesn't tell."""

    bucket: str
    key: str
    etag: str = ""
    size_bytes: int = -1

    @property
    def uri(self) -> str:
        """`s3://bucket/key`."""
        return f"s3://{self.bucket}/{self.key}"


@dataclass(frozen=True)
class Message:
    """One message of an event and the objects it names; `problem` says why it can't be processed, if it can't.

    `skipped` counts objects that are no bundles: other suffixes, deletions.
    """

    objects: tuple[ObjectRef, ...] = ()
    skipped: int = 0
    problem: str = ""
    message_id: str = ""
    body: str = ""
    receives: int = 1


def mode_of(payload: Any) -> Mode:
    """The mode that a payload asks for.

    Raises:
        PayloadError: no mode understands it.
    """
    if not isinstance(payload, Mapping):
        raise PayloadError(f"An event is a JSON object, not {type(payload).__name__}.")
    if payload.get("health_check") is True:
        return "health_check"
    if payload.get("diagnostics") is True:
        return "diagnostics"
    named = payload.get("mode")
    if named == "bulk":
        return "bulk"
    if named not in (None, "event"):
        raise PayloadError(f"There is no mode {str(named)[:40]!r}.", hint="Modes are event and bulk.")
    if _is_event(payload):
        return "event"
    if named is None and _BULK_PARAMETERS & payload.keys():
        return "bulk"
    raise PayloadError(
        "The event names no object and asks for nothing.",
        hint='Send an S3 notification, {"bucket", "key"}, {"mode": "bulk", …} or {"health_check": true}.',
    )


def sender_of(payload: Mapping[str, Any]) -> Sender:
    """Who sent an event, and so how failures are told.

    `sqs` reads `batchItemFailures`; `notification` (S3, SNS, EventBridge) tries again when the handler raises;
    `direct` reads the answer.
    """
    records = payload.get("Records")
    if isinstance(records, list):
        is_queue = any(isinstance(record, Mapping) and record.get("eventSource") == "aws:sqs" for record in records)
        return "sqs" if is_queue else "notification"
    return "notification" if "detail" in payload or "Message" in payload else "direct"


def messages_of(payload: Mapping[str, Any]) -> list[Message]:
    """The messages of an event: one for each SQS record, else one for the whole event."""
    if sender_of(payload) == "sqs":
        return [_queue_message(record) for record in payload["Records"]]
    return [_message(payload)]


def _is_event(payload: Mapping[str, Any]) -> bool:
    return (
        isinstance(payload.get("Records"), list)
        or "detail" in payload
        or "Message" in payload
        or _is_test(payload)
        or ("bucket" in payload and "key" in payload)
    )


def _is_test(payload: Mapping[str, Any]) -> bool:
    return payload.get("Event") == "s3:TestEvent"


def _queue_message(record: Any) -> Message:
    """A record of SQS; whatever is wrong with its body is a problem of this message alone."""
    if not isinstance(record, Mapping):
        return Message(problem="A record is not an object.")
    body = record.get("body")
    attributes = record.get("attributes")
    count = attributes.get("ApproximateReceiveCount") if isinstance(attributes, Mapping) else None
    return _message(
        body,
        message_id=str(record.get("messageId") or ""),
        body=body if isinstance(body, str) else json.dumps(body),
        receives=int(count) if isinstance(count, str) and count.isdecimal() else 1,
    )


def _message(content: Any, **origin: Any) -> Message:
    objects: list[ObjectRef] = []
    skipped = 0
    try:
        for found in _objects(content, depth=0):
            if found is None or not found.key.endswith(SUFFIX):
                skipped += 1
            elif found not in objects:
                objects.append(found)
    except PayloadError as error:
        return Message(problem=error.message, **{"body": json.dumps(content), **origin})
    return Message(objects=tuple(objects), skipped=skipped, **{"body": json.dumps(content), **origin})


def _objects(content: Any, *, depth: int) -> Iterator[ObjectRef | None]:
    """The objects that a message names, whatever it is wrapped in; None for each that is no new object."""
    if depth > _DEEPEST:
        raise PayloadError("The message is wrapped too deeply.")
    if isinstance(content, str):
        content = _decoded(content)
    if not isinstance(content, Mapping):
        raise PayloadError("The message is not a JSON object.")
    if _is_test(content):
        return
    if isinstance(content.get("Records"), list):
        for record in content["Records"]:
            yield from _record_objects(record, depth=depth)
    elif "Message" in content:
        yield from _objects(content["Message"], depth=depth + 1)
    elif isinstance(content.get("detail"), Mapping):
        yield _bridge_object(content)
    elif "bucket" in content and "key" in content:
        yield _named(content["bucket"], content["key"], content)
    else:
        raise PayloadError("The message names no object.")


def _decoded(text: str) -> Any:
    try:
        return json.loads(text)
    except ValueError:
        raise PayloadError("The message is not JSON.") from None
    except RecursionError:
        raise PayloadError("The message is nested too deeply.") from None


def _record_objects(record: Any, *, depth: int) -> Iterator[ObjectRef | None]:
    if not isinstance(record, Mapping):
        raise PayloadError("A record is not an object.")
    if isinstance(record.get("s3"), Mapping):
        yield _notified(record)
    elif isinstance(record.get("Sns"), Mapping):
        yield from _objects(record["Sns"], depth=depth + 1)
    elif "body" in record:
        yield from _objects(record["body"], depth=depth + 1)
    else:
        raise PayloadError("A record names no object.")


def _notified(record: Mapping[str, Any]) -> ObjectRef | None:
    """The object of an S3 notification; its key is URL-encoded."""
    if "ObjectCreated" not in str(record.get("eventName", "ObjectCreated")):
        return None
    bucket, found = record["s3"].get("bucket"), record["s3"].get("object")
    if not isinstance(bucket, Mapping) or not isinstance(found, Mapping):
        raise PayloadError("A notification lacks its bucket or object.")
    key = found.get("key")
    return _named(bucket.get("name"), unquote_plus(key) if isinstance(key, str) else key, found)


def _bridge_object(content: Mapping[str, Any]) -> ObjectRef | None:
    """The object of an EventBridge event; its key is as it is."""
    detail = content["detail"]
    if content.get("detail-type", "Object Created") != "Object Created":
        return None
    bucket, found = detail.get("bucket"), detail.get("object")
    if not isinstance(bucket, Mapping) or not isinstance(found, Mapping):
        raise PayloadError("An event of EventBridge lacks its bucket or object.")
    return _named(bucket.get("name"), found.get("key"), found)


def _named(bucket: Any, key: Any, facts: Mapping[str, Any]) -> ObjectRef:
    if not (isinstance(bucket, str) and bucket and isinstance(key, str) and key):
        raise PayloadError("A bucket or key is missing or is no text.")
    etag = str(facts.get("eTag") or facts.get("etag") or "")
    size = facts.get("size")
    try:
        f"{bucket}{key}{etag}".encode()
    except UnicodeEncodeError:  # JSON can write half a character, and no service takes it
        raise PayloadError("A bucket, key or ETag is no Unicode.") from None
    return ObjectRef(
        bucket=bucket,
        key=key,
        etag=etag.strip('"'),
        size_bytes=size if isinstance(size, int) and not isinstance(size, bool) else -1,
    )
