"""What one question may take, and that only what it reads of its own section counts."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from schoolhouse.analytics.scoped_sql.asking import ScopedAnswer, ask_scoped, place_for
from schoolhouse.analytics.scoped_sql.scopes import LIMITS, section_scope
from schoolhouse.analytics.sections import Section
from schoolhouse.errors import QueryLimitExceeded, TooManyAttempts
from schoolhouse.settings import Settings
from schoolhouse.warehouse.connection import Warehouse
from tests.given import HOST

# The rows of section 1 fill many granules of the table; section 2 has a few.
ROWS = """
INSERT INTO raw_events (event_id, user_id, platform, section_id, timestamp, event_type, object_id)
SELECT generateUUIDv4(), 'u', '{host}', if(number < 200000, 1, 2), toDateTime64('2026-03-01 00:00:00', 3, 'UTC'),
    'page_viewed', repeat('x', 500)
FROM numbers(200100)
"""
WIDE = "SELECT max(object_id) AS longest FROM raw_events"


@pytest.fixture
def filled(tables: Warehouse) -> Settings:
    """A large section and a small one."""
    tables.run(ROWS.format(host=HOST), why="tests")
    return tables.settings


def _ask(settings: Settings, section: int, question: str, **limits: Any) -> ScopedAnswer:
    scope = section_scope(Section(HOST, section, str(section), "", None, f"{section}@torus.example"))
    return ask_scoped(settings, question, replace(scope, limits={**LIMITS, **limits}), who="tests")


def test_one_person_does_not_take_every_place() -> None:
    with place_for("ann"), place_for("ann"):
        with pytest.raises(TooManyAttempts, match="2 of your questions"), place_for("ann"):
            pass
        with place_for("bo"):
            pass
    with place_for("ann"):
        pass


@pytest.mark.parametrize(
    ("limits", "says"),
    [
        ({"max_rows_to_read": 100_000}, "reads more rows than one question may read"),
        ({"max_bytes_to_read": 10_000_000}, "reads more bytes than one question may read"),
    ],
)
def test_what_is_read_counts_for_the_own_section_alone(filled: Settings, limits: dict[str, float], says: str) -> None:
    with pytest.raises(QueryLimitExceeded, match=says):
        _ask(filled, 1, WIDE, **limits)
    answer = _ask(filled, 2, WIDE, **limits)
    assert answer.rows == [["x" * 500]]
    assert answer.read_rows < 50_000


@pytest.mark.parametrize(
    ("question", "limits", "says"),
    [
        ("SELECT repeat(toString(number), 300) AS x FROM numbers(1000)", {"max_result_bytes": 100_000}, "larger than"),
        ("SELECT number FROM numbers(1000)", {"max_result_rows": 999}, "more than 100,000 rows"),
        ("SELECT groupArray(number) AS x FROM numbers(20000000)", {"max_memory_usage": 50_000_000}, "more memory"),
        ("SELECT sum(sin(sin(sin(number)))) AS x FROM numbers(49000000)", {"max_execution_time": 0.2}, "longer"),
    ],
)
def test_each_limit_is_told_in_words(filled: Settings, question: str, limits: dict[str, float], says: str) -> None:
    with pytest.raises(QueryLimitExceeded, match=says) as caught:
        _ask(filled, 2, question, **limits)
    assert caught.value.hint
