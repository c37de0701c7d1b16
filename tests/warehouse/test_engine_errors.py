"""Every error that the driver raises becomes one of ours."""

from __future__ import annotations

import pytest
from clickhouse_connect.driver import exceptions

from schoolhouse.errors import (
    QueryError,
    QueryLimitExceeded,
    QueryRefused,
    WarehouseError,
    WarehouseUnavailable,
)
from schoolhouse.warehouse.engine_errors import mapped

DRIVER_ERRORS = [
    kind
    for kind in vars(exceptions).values()
    if isinstance(kind, type) and issubclass(kind, Exception) and kind.__module__ == exceptions.__name__
]

FROM_A_SERVER = (
    "Received ClickHouse exception, code: 47, server response: Code: 47. DB::Exception: Unknown name. "
    "(UNKNOWN_IDENTIFIER) (version 26.9.2.1 (official build)) (for url http://db.example:8123)"
)


def test_one_class_is_the_root_of_the_drivers_errors() -> None:
    outside = {kind.__name__ for kind in DRIVER_ERRORS if not issubclass(kind, exceptions.ClickHouseError)}
    assert outside == {"StreamCompleteException"}  # the driver's own sign of an end, never raised to callers


@pytest.mark.parametrize("kind", DRIVER_ERRORS, ids=lambda kind: kind.__name__)
def test_every_class_of_the_driver_is_mapped(kind: type[Exception]) -> None:
    error = kind() if kind is exceptions.StreamClosedError else kind("went wrong")
    ours = mapped(error)
    assert isinstance(ours, WarehouseError)
    assert ours.message
    lost_connection = issubclass(kind, exceptions.OperationalError | exceptions.InterfaceError)
    assert isinstance(ours, WarehouseUnavailable) is lost_connection


@pytest.mark.parametrize(
    ("kind", "codes"),
    [
        (QueryLimitExceeded, (158, 159, 160, 241, 307, 396)),
        (QueryRefused, (164, 452, 497)),
        (WarehouseUnavailable, (202, 203, 209, 210, 225, 242, 252, 279, 319, 425, 745, 999)),
        (WarehouseError, (192, 193, 194, 516)),
        (QueryError, (6, 27, 46, 47, 50, 60, 62, 81, 115, 394, 456, 457)),
    ],
)
def test_the_engines_number_decides(kind: type[WarehouseError], codes: tuple[int, ...]) -> None:
    for code in codes:
        ours = mapped(exceptions.DatabaseError(f"Code: {code}. DB::Exception: No. (NAME)", code=code, name="NAME"))
        assert (type(ours), ours.engine_code) == (kind, code)


@pytest.mark.parametrize(
    "text",
    [
        "Code: 47. DB::Exception: Unknown name. (UNKNOWN_IDENTIFIER)",
        "Code: 47. DB::Exception: Code: 47. DB::Exception: Unknown name. (UNKNOWN_IDENTIFIER)",
        "Code: 47. DB::Exception: Unknown name. (UNKNOWN_IDENTIFIER). (UNKNOWN_IDENTIFIER)",
        FROM_A_SERVER,
        "Code: 47. DB::Exception: Unknown name. (UNKNOWN_IDENTIFIER): While processing x. Stack trace: 0. somewhere",
        "Code: 47. DB::Exception: Unknown name. (UNKNOWN_IDENTIFIER). In scope SELECT x FROM t WHERE user_id = 'a'.",
    ],
)
def test_a_message_is_the_engines_sentence_alone(text: str) -> None:
    assert mapped(exceptions.DatabaseError(text, code=47)).message == "Unknown name. (UNKNOWN_IDENTIFIER)"


def test_quoted_data_is_left_out_of_what_parsing_and_inserting_say() -> None:
    text = "Code: {}. DB::Exception: Cannot read 'learner-1' in \"learner-2\" and `learner-3`\nRow 2: learner-4"
    parsing = mapped(exceptions.DatabaseError(text.format(27), code=27))
    inserting = mapped(exceptions.DatabaseError(text.format(53), code=53), hides_data=True)
    assert parsing.message == inserting.message == "Cannot read … in … and …"


def test_a_value_of_the_wrong_type_is_named_and_not_shown() -> None:
    text = (
        "Code: 457. DB::Exception: Value learner-1 cannot be parsed as Array(UInt64) for query parameter 'ids' because "
        "it isn't parsed completely: only 0 of 9 bytes was parsed: . (BAD_QUERY_PARAMETER)"
    )
    assert (
        mapped(exceptions.DatabaseError(text, code=457)).message == "The value of 'ids' is not of type Array(UInt64)."
    )


def test_credentials_are_redacted() -> None:
    text = "Code: 499. DB::Exception: Not allowed: secret_access_key='wJalrXUtn', token=abc, by a@b.example. (S3_ERROR)"
    message = mapped(exceptions.DatabaseError(text, code=499)).message
    assert not [secret for secret in ("wJalrXUtn", "abc", "a@b") if secret in message]


@pytest.mark.parametrize("status", [429, 502, 503, 504])
def test_a_gateways_refusal_is_worth_another_try(status: int) -> None:
    error = exceptions.DatabaseError(f"HTTP driver received HTTP status {status}, server response: <html>")
    assert mapped(error).is_retryable
