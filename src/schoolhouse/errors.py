"""Every error that Schoolhouse raises, on one page.

    SchoolhouseError
    ├── UsageError               bad arguments (exit 2)
    │   ├── SettingsError        a setting is missing or wrong (exit 2)
    │   └── PayloadError         an event that no mode understands (exit 2)
    ├── InputError               a file or stream could not be read
    │   ├── InvalidStatement       a statement breaks the rules of xAPI (400)
    │   ├── StatementConflict      an id is taken by another statement (409)
    │   ├── BodyTooLarge           a request's body or a statement is over the limit (413)
    │   └── InventoryError         a manifest or data file of S3 Inventory is not what it should be
    ├── StorageError             S3 or SQS said no
    │   ├── ObjectMissing          the object, its bucket or the queue is not there
    │   ├── ObjectTooLarge         more bytes than the settings allow
    │   └── StorageUnavailable     cannot be reached, or timed out; trying again may help
    ├── LoadUnfinished           objects of an event are not loaded; deliver the event again
    ├── NotSignedIn              a request without valid credentials (401)
    ├── IdentityProviderError    the OpenID Connect provider cannot be reached or does not make sense (502)
    ├── TooManyAttempts          too many wrong passwords, or questions at once; wait (429)
    ├── NotSupported             understood, and not built yet (501)
    ├── UploadFailed             a bundle could not be delivered; it stays in the spool and is tried again
    │   └── SpoolFull              nothing more is accepted until bundles have been delivered
    ├── NotFound                 nothing has this name or address
    ├── AccessRefused            the caller did not show who they are, or may not do this
    ├── DatabaseError            the app's own database (accounts, runs) cannot be used
    ├── LakeError                a window, a Delta table or an object of the lake failed
    │   ├── LakeUnavailable        Kafka or the lake's storage does not answer; trying again may help
    │   └── WindowBusy             somebody else changed the same rows over and over; trying again will help
    ├── DeliveryError            a target did not take all that was sent to it
    ├── TransitionRefused        a run or batch cannot do this in the state it is in (409)
    ├── LeaseLost                another worker holds what this one was working on
    └── WarehouseError           ClickHouse said no
        ├── WarehouseUnavailable   cannot be reached, or timed out; trying again may help
        ├── WarehouseBusy          the embedded warehouse is open in another process
        ├── WarehouseNotReady      the tables are missing or older than this program
        ├── MigrationError         a migration is broken, was changed, or failed
        └── QueryError             the question itself is wrong
            ├── QueryRefused         not allowed on this handle
            ├── QuestionRefused      custom SQL that may not be asked, with the place
            ├── QuestionFailed       custom SQL that the engine does not understand, with the place
            └── QueryLimitExceeded   stopped by a limit (time, rows, bytes, memory)

What a caller needs is in attributes, not in the text: `code` (stable, for machines), `http_status`, `is_retryable`
and `exit_code`. Messages name the thing and the value; `hint` says what to do next. Neither ever holds a
secret or a learner's identifier.
"""

from __future__ import annotations

from typing import ClassVar


def install_hint(extras: str) -> str:
    """How to install what optional parts (`s3`, `kafka,lake`) need, for a `hint`."""
    return f"In the repository: pip install '.[{extras}]'."


class SchoolhouseError(Exception):
    """The root. `message` says what happened, `hint` what to do about it (may be empty)."""

    code: ClassVar[str] = "error"
    http_status: ClassVar[int] = 500
    is_retryable: ClassVar[bool] = False
    exit_code: ClassVar[int] = 1

    def __init__(self, message: str, *, hint: str = "") -> None:
        super().__init__(message)
        self.message = message
        self.hint = hint

    def __str__(self) -> str:
        return f"{self.message} {self.hint}".strip()


class UsageError(SchoolhouseError):
    """The caller's arguments make no sense together or name something that is not there."""

    code = "usage"
    http_status = 400
    exit_code = 2


class SettingsError(UsageError):
    """A setting is missing, malformed, or contradicts another."""

    code = "settings"
    http_status = 500


class PayloadError(UsageError):
    """An event or message that no mode understands: not JSON, no object named, a malformed date."""

    code = "payload"


class InputError(SchoolhouseError):
    """A file or stream of statements could not be read."""

    code = "input"
    http_status = 400


class StorageError(SchoolhouseError):
    """S3 or SQS refused: no right, a wrong name, an object that is too large."""

    code = "storage"
    http_status = 502


class ObjectMissing(StorageError):
    """The object, the bucket it should be in, or the queue is not there."""

    code = "object_missing"
    http_status = 404


class ObjectTooLarge(StorageError):
    """The object has more bytes than the settings allow."""

    code = "object_too_large"
    http_status = 413


class StorageUnavailable(StorageError):
    """S3 or SQS cannot be reached, is overloaded, or broke off in the middle of an answer."""

    code = "storage_unavailable"
    http_status = 503
    is_retryable = True


class InvalidStatement(InputError):
    """A statement breaks the rules of xAPI; the message names the property."""

    code = "invalid_statement"


class StatementConflict(InputError):
    """The id of a statement belongs to another one that is stored already."""

    code = "statement_conflict"
    http_status = 409


class BodyTooLarge(InputError):
    """The body of a request, or one statement in it, is larger than the settings allow."""

    code = "body_too_large"
    http_status = 413


class InventoryError(InputError):
    """A manifest or data file of S3 Inventory is malformed, or differs from its checksum."""

    code = "inventory"


class NotSignedIn(SchoolhouseError):
    """A request without valid credentials."""

    code = "not_signed_in"
    http_status = 401


class NotSupported(SchoolhouseError):
    """The request is understood, and what it asks for is not built yet."""

    code = "not_supported"
    http_status = 501


class UploadFailed(SchoolhouseError):
    """A bundle could not be delivered: the store is away, refuses, or is full."""

    code = "upload_failed"
    http_status = 503
    is_retryable = True


class LoadUnfinished(SchoolhouseError):
    """Some objects of an event could not be loaded now. Raised so that the sender delivers the event again."""

    code = "load_unfinished"
    http_status = 503
    is_retryable = True


class SpoolFull(UploadFailed):
    """The spool holds as much as it may: accept nothing more until bundles have been delivered."""

    code = "spool_full"


class NotFound(SchoolhouseError):
    """Nothing has the name or address that was asked for."""

    code = "not_found"
    http_status = 404


class AccessRefused(SchoolhouseError):
    """The caller did not show who they are, or may not do this."""

    code = "access_refused"
    http_status = 403


class DeliveryError(SchoolhouseError):
    """A target did not take what was sent, after all retries; the message says what is missing there."""

    code = "delivery"
    http_status = 502


class WarehouseError(SchoolhouseError):
    """ClickHouse refused or failed. `engine_code` is its numeric error code, 0 when there is none."""

    code = "warehouse"

    def __init__(self, message: str, *, hint: str = "", engine_code: int = 0) -> None:
        super().__init__(message, hint=hint)
        self.engine_code = engine_code


class WarehouseUnavailable(WarehouseError):
    """The server cannot be reached, is overloaded, or did not answer in time."""

    code = "warehouse_unavailable"
    http_status = 503
    is_retryable = True


class WarehouseBusy(WarehouseError):
    """Another process holds the embedded warehouse: it opens for one process at a time."""

    code = "warehouse_busy"
    http_status = 503
    is_retryable = True


class WarehouseNotReady(WarehouseError):
    """The warehouse lacks tables, or migrations are pending."""

    code = "warehouse_not_ready"
    http_status = 503


class MigrationError(WarehouseError):
    """A migration file is malformed, differs from what was applied, or failed while it ran."""

    code = "migration"


class QueryError(WarehouseError):
    """The question is wrong: syntax, an unknown name, a type that does not fit."""

    code = "query"
    http_status = 400


class QueryRefused(QueryError):
    """The question is understood and not allowed on this handle (it writes, or reaches outside)."""

    code = "query_refused"
    http_status = 403


class QueryLimitExceeded(QueryError):
    """A limit stopped the question: time, rows, bytes or memory."""

    code = "query_limit"
    http_status = 422


class DatabaseError(SchoolhouseError):
    """The app's own database cannot be reached or refuses us."""

    code = "database_unavailable"
    http_status = 503
    is_retryable = True


class TransitionRefused(SchoolhouseError):
    """A run or batch cannot do this in the state it is in."""

    code = "transition_refused"
    http_status = 409


class LeaseLost(SchoolhouseError):
    """Another worker holds the run or batch by now; what this one still wanted to write is dropped."""

    code = "lease_lost"
    http_status = 409


class TooManyAttempts(SchoolhouseError):
    """Too many failed attempts to sign in, or questions of one person at once: nothing goes on for a while."""

    code = "too_many_attempts"
    http_status = 429
    is_retryable = True


class QuestionRefused(QueryError):
    """Custom SQL that may not be asked. `place` is line and column, from 1."""

    code = "question_refused"

    def __init__(
        self, message: str, *, hint: str = "", engine_code: int = 0, place: tuple[int, int] | None = None
    ) -> None:
        super().__init__(_with_place(message, place), hint=hint, engine_code=engine_code)
        self.place = place


class QuestionFailed(QueryError):
    """Custom SQL that the engine does not understand. `place` is line and column, from 1."""

    code = "question_failed"

    def __init__(
        self, message: str, *, hint: str = "", engine_code: int = 0, place: tuple[int, int] | None = None
    ) -> None:
        super().__init__(_with_place(message, place), hint=hint, engine_code=engine_code)
        self.place = place


def _with_place(message: str, place: tuple[int, int] | None) -> str:
    return f"Line {place[0]}, column {place[1]}: {message}" if place else message


class LakeError(SchoolhouseError):
    """A window, a Delta table or an object of the lake failed."""

    code = "lake"


class LakeUnavailable(LakeError):
    """Kafka or the storage of the lake does not answer."""

    code = "lake_unavailable"
    http_status = 503
    is_retryable = True


class WindowBusy(LakeError):
    """Other writers changed the same rows at every try."""

    code = "window_busy"
    http_status = 503
    is_retryable = True


class IdentityProviderError(SchoolhouseError):
    """The OpenID Connect provider cannot be reached, or its answers do not make sense."""

    code = "identity_provider"
    http_status = 502
    is_retryable = True
