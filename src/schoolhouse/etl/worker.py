"""The worker: the handler fed from SQS by long polling, for people without AWS Lambda.

Threads receive batches and hand each to a handler of their own, in the shape that Lambda would. One more thread extends
the visibility of what they hold, so that nothing is delivered twice while it is worked on. `stop` ends the receiving;
batches under way are finished. A worker that is killed loses nothing: its messages become visible again.
"""

from __future__ import annotations

import logging
import threading
from collections import Counter
from collections.abc import Callable, Iterator
from typing import Any, Final

from schoolhouse.errors import SchoolhouseError, SettingsError
from schoolhouse.etl.aws import mapped_errors, sqs_client
from schoolhouse.etl.handler import Handler
from schoolhouse.settings import Settings

log = logging.getLogger(__name__)

_POLL_SECONDS: Final = 20
_AT_ONCE: Final = 10  # what SQS gives and takes in one call
_BATCH: Final = 100
_LONGEST_WAIT_SECONDS: Final = 60.0

OnBatch = Callable[[dict[str, Any]], None]


class Worker:
    """Runs until `stop`, or until the queue is empty if told so."""

    def __init__(self, settings: Settings, *, threads: int = 2, on_batch: OnBatch | None = None) -> None:
        if not settings.queue_url:
            raise SettingsError("The worker has no queue.", hint="Set XAPI_QUEUE_URL.")
        self.settings = settings
        self.totals: Counter[str] = Counter()
        self._threads = threads
        self._on_batch = on_batch
        self._sqs = sqs_client(settings)
        self._stopping = threading.Event()
        self._finished = threading.Event()
        self._lock = threading.Lock()
        self._held: dict[str, str] = {}  # message id: receipt handle
        self._crash: BaseException | None = None

    def stop(self) -> None:
        """Receive no more; `run` returns when what is under way is done."""
        self._stopping.set()

    def run(self, *, until_empty: bool = False) -> Counter[str]:
        """Work; returns the totals: messages, done, events, files, batches.

        Raises:
            StorageError, WarehouseError: with `until_empty`, what waiting does not mend: a queue that is not there.
        """
        workers = [
            threading.Thread(target=self._work_or_stop, args=(until_empty,), name=f"etl-{number}")
            for number in range(self._threads)
        ]
        extender = threading.Thread(target=self._extend_until_finished, name="etl-visibility")
        for thread in (extender, *workers):
            thread.start()
        for thread in workers:
            while thread.is_alive():  # with a time-out, so that the main thread can take signals
                thread.join(timeout=0.5)
        self._finished.set()
        extender.join()
        if self._crash:
            raise self._crash
        return self.totals

    def _work_or_stop(self, until_empty: bool) -> None:
        """A fault in one thread stops them all, and `run` raises it."""
        try:
            self._work(until_empty)
        except BaseException as error:
            self._crash = error
            self.stop()

    def _work(self, until_empty: bool) -> None:
        wait = 1.0
        with Handler(self.settings, who="etl worker") as handler:
            while not self._stopping.is_set():
                try:
                    messages = self._gather(wait_seconds=1 if until_empty else _POLL_SECONDS)
                    if not messages and until_empty:
                        return
                    is_well = not messages or self._process(handler, messages)
                except SchoolhouseError as error:
                    if until_empty and not error.is_retryable:
                        raise  # somebody waits for the end; a service goes on, as what is missing may yet come
                    log.warning("the worker waits", extra={"reason": error.message, "seconds": wait})
                    is_well = False
                wait = 1.0 if is_well else min(wait * 2, _LONGEST_WAIT_SECONDS)
                if not is_well:
                    self._stopping.wait(wait)

    def _gather(self, *, wait_seconds: int) -> list[dict[str, Any]]:
        """Messages for one batch: SQS gives ten at a time, and an insert takes the bundles of a hundred as readily."""
        messages = received = self._receive(wait_seconds)
        while len(received) == _AT_ONCE and len(messages) < _BATCH and not self._stopping.is_set():
            received = self._receive(0)
            messages = messages + received
        return messages

    def _receive(self, wait_seconds: int) -> list[dict[str, Any]]:
        with mapped_errors("the queue of XAPI_QUEUE_URL"):
            answer = self._sqs.receive_message(
                QueueUrl=self.settings.queue_url,
                MaxNumberOfMessages=_AT_ONCE,
                WaitTimeSeconds=wait_seconds,
                VisibilityTimeout=self.settings.etl_visibility_seconds,
                AttributeNames=["ApproximateReceiveCount"],
            )
        messages: list[dict[str, Any]] = answer.get("Messages", [])
        return messages

    def _process(self, handler: Handler, messages: list[dict[str, Any]]) -> bool:
        """Hand a batch to the handler and delete what is done; whether all of it was."""
        handles = {message["MessageId"]: message["ReceiptHandle"] for message in messages}
        with self._lock:
            self._held.update(handles)
        try:
            answer = handler.handle({"Records": [_as_record(message) for message in messages]})
            failed = {failure["itemIdentifier"] for failure in answer["batchItemFailures"]}
            self._delete({name: handle for name, handle in handles.items() if name not in failed})
        finally:
            with self._lock:
                for name in handles:
                    self._held.pop(name, None)
        with self._lock:
            self.totals.update(
                batches=1,
                messages=len(messages),
                messages_done=len(messages) - len(failed),
                files=answer["files_processed"],
                events=answer["events_processed"],
                events_new=answer["events_new"],
            )
        if self._on_batch:
            self._on_batch(answer)
        return not failed

    def _delete(self, handles: dict[str, str]) -> None:
        for some in _tens(list(handles.values())):
            entries = [{"Id": str(place), "ReceiptHandle": handle} for place, handle in enumerate(some)]
            with mapped_errors("the queue"):
                self._sqs.delete_message_batch(QueueUrl=self.settings.queue_url, Entries=entries)

    def _extend_until_finished(self) -> None:
        """Every third of the visibility, extend what is held; a failure is made good by the next round."""
        seconds = self.settings.etl_visibility_seconds
        while not self._finished.wait(seconds / 3):
            with self._lock:
                handles = list(self._held.values())
            for some in _tens(handles):
                entries = [
                    {"Id": str(place), "ReceiptHandle": handle, "VisibilityTimeout": seconds}
                    for place, handle in enumerate(some)
                ]
                try:
                    with mapped_errors("the queue"):
                        self._sqs.change_message_visibility_batch(QueueUrl=self.settings.queue_url, Entries=entries)
                except SchoolhouseError as error:
                    log.warning("visibility was not extended", extra={"reason": error.message})


def _tens(handles: list[str]) -> Iterator[list[str]]:
    """In portions that SQS takes in one call."""
    for start in range(0, len(handles), _AT_ONCE):
        yield handles[start : start + _AT_ONCE]


def _as_record(message: dict[str, Any]) -> dict[str, Any]:
    """A message as Lambda would get it."""
    return {
        "eventSource": "aws:sqs",
        "messageId": message["MessageId"],
        "receiptHandle": message["ReceiptHandle"],
        "body": message["Body"],
        "attributes": message.get("Attributes", {}),
    }
