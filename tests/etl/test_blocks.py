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
    found = list(blocks(pieces, max_rows=max_rows, max_bytes=max_bytes))
    assert b"".join(found) == body
    assert all(block.endswith(b"\n") for block in found[:-1])
    for block in found:
        lines = block.count(b"\n") + (not block.endswith(b"\n"))
        assert 1 <= lines <= max_rows
        assert len(block) <= max_bytes or lines == 1


def test_a_piece_that_is_small_enough_is_passed_on_as_it_is() -> None:
    assert list(blocks([b"a\nb\nc", b"c\nd\n"], max_rows=10, max_bytes=100)) == [b"a\nb\n", b"cc\nd\n"]
