"""Cuts a stream of JSON text into its objects, one a line, without parsing them.

An array around the objects is taken off. Bytes inside the objects stay as they are, but for line breaks, which JSON
allows only between tokens and which become blanks. What is not JSON comes out as it is, for the mapping to reject.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import IO, Final

_STRUCTURE: Final = re.compile(rb'["{}\[\]]')
_STRING_END: Final = re.compile(rb'(?:[^"\\]|\\.)*+"', re.DOTALL)
_BREAKS: Final = bytes.maketrans(b"\r\n", b"  ")
_SEPARATORS: Final = b" \t\r\n,"
_LONGEST_BYTES: Final = 64 * 1024 * 1024


def json_values(stream: IO[bytes], block_bytes: int) -> Iterator[bytes]:
    """Blocks of lines, each line one value of the array (or the values that simply follow one another)."""
    text = b""
    in_array = False
    is_start = True
    while True:
        chunk = stream.read(block_bytes)
        text += chunk
        if is_start:
            text = text.lstrip(b"\xef\xbb\xbf \t\r\n")
            if not text and chunk:
                continue
            in_array = text.startswith(b"[")
            text = text[1:] if in_array else text
            is_start = False
        values, text = _cut(text)
        if values:
            yield b"".join(values)
        if not chunk:
            break
        if len(text) > _LONGEST_BYTES:  # a bracket that never closes must not gather the whole file
            yield text.translate(_BREAKS) + b"\n"
            text = b""
    rest = text.strip(_SEPARATORS)
    if in_array:
        rest = rest.removesuffix(b"]").strip(_SEPARATORS)
    if rest:
        yield rest.translate(_BREAKS) + b"\n"


def _cut(text: bytes) -> tuple[list[bytes], bytes]:
    """The whole objects at the head of `text` as lines, and what is left."""
    values: list[bytes] = []
    start = position = depth = 0
    opened = 0
    while match := _STRUCTURE.search(text, position):
        position = match.end()
        sign = match[0]
        if sign == b'"':
            end = _STRING_END.match(text, position)
            if not end:
                break
            position = end.end()
        elif sign in b"{[":
            opened = opened if depth else match.start()
            depth += 1
        else:
            depth -= 1
            if depth == 0:  # what stands before the bracket is no object, and must not spoil this one
                parts = (text[start:opened].strip(_SEPARATORS), text[opened:position])
                values += [part.translate(_BREAKS) + b"\n" for part in parts if part]
                start = position
            elif depth < 0:  # the end of the array, or one bracket too many
                break
    return values, text[start:]
