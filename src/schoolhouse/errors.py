"""Every error that Schoolhouse raises, on one page.

    SchoolhouseError
    ├── UsageError               bad arguments (exit 2)
    │   └── SettingsError        a setting is missing or wrong (exit 2)
    ├── InputError               a file or stream could not be read
    ├── NotFound                 nothing has this name or address
    ├── AccessRefused            the caller did not show who they are, or may not do this
    ├── DeliveryError            a target did not take all that was sent to it
    └── WarehouseError           ClickHouse said no
        ├── WarehouseUnavailable   cannot be reached, or timed out; trying again may help
        ├── WarehouseBusy          the embedded warehouse is open in another process
        ├── WarehouseNotReady      the tables are missing or older than this program
        ├── MigrationError         a migration is broken, was changed, or failed
        └── QueryError             the question itself is wrong
            ├── QueryRefused         not allowed on this handle
            └── QueryLimitExceeded   stopped by a limit (time, rows, bytes, memory)

What a caller needs is in attributes, not in the text: `code` (stable, for machines), `http_status`, `is_retryable`
and `exit_code`. Messages name the thing and the value; `hint` says what to do next. Neither ever holds a
secret or a learner's identifier.
"""

from __future__ import annotations

from typing import ClassVar


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


class InputError(SchoolhouseError):
    """A file or stream of statements could not be read."""

    code = "input"
    http_status = 400


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
