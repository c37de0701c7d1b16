"""JSON text of any layout becomes one object a line."""

from __future__ import annotations

import io
import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from schoolhouse.collect.json_values import json_values


def cut(text: bytes, block_bytes: int = 1 << 20) -> list[bytes]:
    return b"".join(json_values(io.BytesIO(text), block_bytes)).splitlines()


@pytest.mark.parametrize(
    ("text", "lines"),
    [
        (b'[{"a":1},\n{"b":"x]}\\"{"}]', [b'{"a":1}', b'{"b":"x]}\\"{"}']),
        (b'{\r\n"a": [1,\n2]\n}', [b'{  "a": [1, 2] }']),
        (b'{"a":1}\n{"b":2}', [b'{"a":1}', b'{"b":2}']),
        (b'\xef\xbb\xbf[ {"a":"\xc3\xa9"} ] ', [b'{"a":"\xc3\xa9"}']),
        (b"  \n", []),
        (b"[]", []),
    ],
    ids=["array", "pretty object", "objects in a row", "byte order mark", "blank", "empty array"],
)
@pytest.mark.parametrize("block_bytes", [1, 3, 1000])
def test_objects_come_out_one_a_line(text: bytes, lines: list[bytes], block_bytes: int) -> None:
    assert cut(text, block_bytes) == lines


@pytest.mark.parametrize(
    ("text", "lines"),
    [
        (b'[{"a":1},{"b":', [b'{"a":1}', b'{"b":']),
        (b'[1, "x", {"a":1}]', [b'1, "x"', b'{"a":1}']),
        (b'[{"a":1}] trailing', [b'{"a":1}', b"] trailing"]),
        (b'{"a":1}}{"b":2}', [b'{"a":1}', b'}{"b":2}']),
        (b"not json", [b"not json"]),
    ],
    ids=["cut off", "scalars", "behind the end", "one brace too many", "no JSON"],
)
def test_what_is_no_object_comes_out_as_it_is_and_spoils_no_neighbour(text: bytes, lines: list[bytes]) -> None:
    assert cut(text) == lines


VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=20),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=8,
)


@given(
    objects=st.lists(st.dictionaries(st.text(max_size=5), VALUES, max_size=4), max_size=6),
    indent=st.sampled_from([None, 0, 2]),
    block_bytes=st.integers(1, 200),
)
def test_any_array_of_objects_comes_out_whole(objects: list[object], indent: int | None, block_bytes: int) -> None:
    text = json.dumps(objects, indent=indent).encode()
    assert [json.loads(line) for line in cut(text, block_bytes)] == objects
