"""The mapping in one statement, for loads whose lines ClickHouse reads by itself.

Lines that are sent enter by the table `ingest`, and each view behind it gathers its blocks anew. Where the engine reads
a file or objects itself, the SELECTs of the same views (from the same migration files) stand in one INSERT instead:
small blocks, which stay in the processor's cache, go through the mapping, and large ones into the tables. On 400,000
statements of 1.8 kB that took about half the CPU and half the memory (docs/decisions/0001).

Many small objects are the exception: the engine gives each its own block, and a block costs the mapping milliseconds
however few rows it has. The door gathers them first.
"""

from __future__ import annotations

import re
from functools import cache
from typing import Any, Final

from schoolhouse.warehouse.migrations import available

MAPPED_SETTINGS: Final[dict[str, Any]] = {
    # Through the mapping: blocks of some 15 MB.
    "max_block_size": 8_192,
    "max_insert_block_size": 8_192,
    "input_format_max_block_size_bytes": 33_554_432,
    # Into the views behind it: each plans its SELECT anew for every block, 25 ms of CPU together.
    "min_insert_block_size_rows": 32_768,
    "min_insert_block_size_bytes": 83_886_080,
    # Into the tables: parts large enough to be merged seldom.
    "min_insert_block_size_rows_for_materialized_views": 32_768,
    "min_insert_block_size_bytes_for_materialized_views": 83_886_080,
    # Splitting lines is cheap: one thread does it, in order, without a queue of blocks in memory.
    "input_format_parallel_parsing": 0,
    "storage_file_read_method": "pread",  # a file mapped into memory would count as memory of ours
}

_CREATES: Final = re.compile(
    r"\ACREATE (?:TABLE (?P<name>\w+)|MATERIALIZED VIEW (?P<view>\w+) TO \w+ AS)\n(?P<rest>.*)\Z", re.DOTALL
)
_COLUMN: Final = re.compile(r"^    (\w+) ", re.MULTILINE)
_COMMENT: Final = re.compile(r"(?:--[^\n]*\n)+")


SMALL_SOURCE_BYTES: Final = 8 << 20  # fewer than about a block of MAPPED_SETTINGS


def door_insert(lines: str) -> str:
    """An INSERT of the rows of `lines` by way of the door, which gathers the blocks of small sources."""
    head, select = _parted(lines)
    columns = ", ".join(_COLUMN.findall(_created("ingest")))
    return f"{head}INSERT INTO ingest ({columns})\nSELECT {columns}\nFROM\n(\n{select}\n)"


def mapped_insert(lines: str) -> str:
    """An INSERT of the rows of `lines` into `parsed_statements`, by way of the whole mapping.

    Args:
        lines: a SELECT that names all columns of `ingest`; the comment at its head moves to the head of the INSERT.
    """
    head, select = _parted(lines)
    extracted = _reading_from(_created("extract_fields"), "ingest", select)
    parsed = _reading_from(_created("parse_ingest"), "extracted_lines", extracted)
    columns = ", ".join(_COLUMN.findall(_created("parsed_statements")))
    return f"{head}INSERT INTO parsed_statements ({columns})\nSELECT {columns}\nFROM\n(\n{parsed}\n)"


def _parted(lines: str) -> tuple[str, str]:
    """The comment at the head of a SELECT, and the rest."""
    comment = _COMMENT.match(lines)
    head = comment[0] if comment else ""
    return head, lines.removeprefix(head)


@cache
def _created(name: str) -> str:
    """What the newest migration of a table or view says after its name (and, for a view, after AS)."""
    for migration in reversed(available()):
        found = _CREATES.match(migration.up)
        if found and name in (found["name"], found["view"]):
            return found["rest"]
    raise LookupError(f"no migration creates {name}")


def _reading_from(select: str, table: str, source: str) -> str:
    kept, found, rest = select.rpartition(f"\nFROM {table}")
    if not found or rest.strip():
        raise LookupError(f"the view does not end in FROM {table}")
    return f"{kept}\nFROM\n(\n{source.strip()}\n)"
