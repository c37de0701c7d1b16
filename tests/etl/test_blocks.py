"""Lines on their way from S3: cut where lines end, bounded, and not changed by a byte."""

from __future__ import annotations

import pytest

from schoolhouse.etl.objects import blocks

BODY = b"first\nsecond\r\n\n" + b"x" * 90 + b"\nafter\rthe same line\nlast without an end"


@pytest.mark.parametrize("piece_bytes", [1, 5, 16, 1000])
@pytest.mark.parametrize(("max_rows", "max_bytes"), [(1, 1000), (2, 1000), (100, 20), (100, 1000)])
@pytest.mark.parametrize("body", [BODY, BODY + b"\n", b"\n", b""])
def test_blocks_are_whole_lines_within_bounds(body: bytes, piece_bytes: int, max_rows: int, max_bytes: int) -> None:
    pieces = [body[start : start + piece_bytes] for start in range(0, len(body), piece_bytes)]
    found = list(blocks(pieces, max_rows=max_rows, max_bytes=max_bytes, max_line_bytes=1000))
    assert b"".join(found) == body
    assert all(block.endswith(b"\n") for block in found[:-1])
    for block in found:
        lines = block.count(b"\n") + (not block.endswith(b"\n"))
        assert 1 <= lines <= max_rows
        assert len(block) <= max_bytes or lines == 1


def test_a_piece_that_is_small_enough_is_passed_on_as_it_is() -> None:
    assert list(blocks([b"a\nb\nc", b"c\nd\n"], max_rows=10, max_bytes=100, max_line_bytes=100)) == [
        b"a\nb\n",
        b"cc\nd\n",
    ]


def test_a_line_however_long_is_held_as_far_as_it_is_seen_to_be_too_long() -> None:
    body = (b"short\n", *[b"x" * 60] * 10_000, b"end\nnext\n", *[b"y" * 60] * 10_000)
    found = list(blocks(body, max_rows=10, max_bytes=100, max_line_bytes=100))
    lines = b"".join(found).split(b"\n")
    assert (lines[0], lines[2]) == (b"short", b"next")
    assert [100 < len(lines[place]) <= 300 for place in (1, 3)] == [True, True]
    assert (lines[1][:100], lines[1][-3:]) == (b"x" * 100, b"end")
