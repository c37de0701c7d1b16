"""Portions of texts that a server takes in one bound value."""

from __future__ import annotations

from clickhouse_connect.driver.binding import format_bind_value
from hypothesis import given
from hypothesis import strategies as st

from schoolhouse.warehouse.bound_values import portions, text_bytes

SERVER_TAKES = 131_072


@given(st.lists(st.text() | st.text("'`\\\n\t\x00").map(lambda text: text * 1000), max_size=60))
def test_no_portion_is_more_than_a_server_takes_and_no_text_is_lost(texts: list[str]) -> None:
    found = list(portions(texts, text_bytes))
    assert [text for portion in found for text in portion] == texts
    for portion in found:
        if len(portion) > 1:
            assert len(format_bind_value(portion).encode()) <= sum(map(text_bytes, portion)) + 2 < SERVER_TAKES


def test_portions_are_as_large_as_may_be_and_what_is_too_large_is_alone() -> None:
    found = list(portions(["a" * 50_000, "b" * 50_000, "c" * 50_000, "d" * 200_000, "e"], text_bytes))
    assert [[text[0] for text in portion] for portion in found] == [["a", "b"], ["c"], ["d"], ["e"]]
