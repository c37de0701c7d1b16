"""Files of statements end in the warehouse once each, and every line is accounted for."""

from __future__ import annotations

import gzip
import json
import os
from pathlib import Path
from random import Random

import pytest

from schoolhouse.collect.files import find_files
from schoolhouse.collect.ingest import ingest_files
from schoolhouse.warehouse.connection import Warehouse
from tests.warehouse.conftest import shared_tables  # noqa: F401 (a fixture)
from tests.warehouse.loading import statement, value

BAD = [b"{", b"[]", b"", b'{"actor":{"mbox":"mailto:a@example.org"}}']


def lines(first: int, count: int) -> bytes:
    """Statements whose ids are theirs alone: each test starts at another number."""
    return b"".join(
        json.dumps(statement(object={"id": f"https://lms.example/{n}"})).encode() + b"\n"
        for n in range(first, first + count)
    )


def count(warehouse: Warehouse, folder: Path) -> int:
    sql = "SELECT count() FROM raw_events FINAL WHERE startsWith(source_file, {folder:String})"
    return int(value(warehouse, sql, folder=str(folder)))


@pytest.fixture
def tables(shared_tables: Warehouse) -> Warehouse:  # noqa: F811 (the fixture above)
    return shared_tables


def test_files_of_every_kind_load_with_one_command(tables: Warehouse, tmp_path: Path) -> None:
    (tmp_path / "a.jsonl").write_bytes(lines(0, 10))
    (tmp_path / "b.jsonl.gz").write_bytes(gzip.compress(lines(10, 10)))
    array = [statement(object={"id": f"https://lms.example/{n}"}) for n in range(20, 30)]
    (tmp_path / "c.json").write_text(json.dumps(array, indent=2))
    report = ingest_files(tables, find_files([str(tmp_path)]))
    assert (report.files, report.summary.lines, report.summary.new, count(tables, tmp_path)) == (3, 30, 30, 30)
    sources = tables.ask("SELECT DISTINCT source_file FROM raw_events", why="look").rows
    here = {Path(source) for (source,) in sources if source.startswith(str(tmp_path))}
    assert {path.name for path in here} == {"a.jsonl", "b.jsonl.gz", "c.json"}


def test_loading_again_reports_duplicates_and_changes_no_count(tables: Warehouse, tmp_path: Path) -> None:
    (tmp_path / "a.jsonl").write_bytes(lines(100, 50) + b"\n".join(BAD))
    first = ingest_files(tables, find_files([str(tmp_path)])).summary
    again = ingest_files(tables, find_files([str(tmp_path)])).summary
    assert (first.lines, first.blank, first.accepted, first.new) == (54, 1, 50, 50)
    assert first.rejected == {"not_json": 1, "not_object": 1, "missing_verb": 1}
    assert (again.new, again.duplicate, again.conflict) == (0, 50, 0)
    assert again.rejected == first.rejected
    assert count(tables, tmp_path) == 50
    kept = "SELECT count() FROM rejected_statements FINAL WHERE startsWith(source_file, {folder:String})"
    assert value(tables, kept, folder=str(tmp_path)) == 3


def test_a_large_file_goes_the_engines_way_with_progress(tables: Warehouse, tmp_path: Path) -> None:
    (tmp_path / "large.jsonl").write_bytes(lines(100_000, 60_000))
    seen: list[int] = []
    files = find_files([str(tmp_path)])
    report = ingest_files(tables, files, on_progress=lambda _, size: seen.append(size))
    assert report.summary.new == 60_000
    assert sum(seen) == files[0].size_bytes
    numbers = "SELECT uniqExact(source_line) FROM raw_events FINAL WHERE startsWith(source_file, {folder:String})"
    assert value(tables, numbers, folder=str(tmp_path)) == 60_000


def test_a_large_archive_without_its_ending_is_read_as_what_it_is(tables: Warehouse, tmp_path: Path) -> None:
    path = tmp_path / "archive.jsonl"
    random = Random(1)
    padded = [
        statement(object={"id": f"https://lms.example/{n}"}, mark=random.randbytes(4096).hex()) for n in range(2500)
    ]
    path.write_bytes(gzip.compress(b"".join(json.dumps(one).encode() + b"\n" for one in padded), compresslevel=1))
    assert path.stat().st_size > 8 * 1024 * 1024  # large enough for the engine to read it by itself
    summary = ingest_files(tables, find_files([str(path)])).summary
    assert (summary.accepted, summary.rejected) == (2500, {})


def test_a_damaged_file_is_reported_and_stops_no_other(tables: Warehouse, tmp_path: Path) -> None:
    whole = gzip.compress(lines(2000, 2000), compresslevel=0)
    (tmp_path / "a-damaged.jsonl.gz").write_bytes(whole[: len(whole) // 2])
    (tmp_path / "a-inflates-no-further.jsonl.gz").write_bytes(whole[:10] + b"\xff" * 10)
    (tmp_path / "b.jsonl").write_bytes(lines(5000, 10))
    report = ingest_files(tables, find_files([str(tmp_path)]))
    assert len(report.unreadable) == 2
    assert "a-damaged.jsonl.gz" in report.unreadable[0]
    assert "a-inflates-no-further.jsonl.gz" in report.unreadable[1]
    assert value(tables, "SELECT count() FROM raw_events FINAL WHERE source_file LIKE '%/b.jsonl'") == 10


def test_files_whose_names_are_no_text_load_whatever_their_size(tables: Warehouse, tmp_path: Path) -> None:
    (tmp_path / os.fsdecode(b"caf\xe9.jsonl")).write_bytes(lines(7000, 10))
    (tmp_path / os.fsdecode(b"large-\xe9.jsonl")).write_bytes(lines(7010, 10) + b" " * (9 << 20))
    report = ingest_files(tables, find_files([str(tmp_path)]))
    assert (report.summary.new, report.unreadable) == (20, [])
    sources = (
        "SELECT arraySort(groupUniqArray(source_file)) FROM raw_events FINAL"
        " WHERE startsWith(source_file, {folder:String})"
    )
    assert value(tables, sources, folder=str(tmp_path)) == [
        f"{tmp_path}/{name}\ufffd.jsonl" for name in ("caf", "large-")
    ]


def test_a_large_file_that_may_not_be_read_is_reported_and_stops_no_other(tables: Warehouse, tmp_path: Path) -> None:
    large = tmp_path / "a-large.jsonl"
    large.write_bytes(b" " * (9 << 20))
    (tmp_path / "b.jsonl").write_bytes(lines(6000, 10))
    files = find_files([str(tmp_path)])
    large.chmod(0)
    if os.access(large, os.R_OK):
        pytest.skip("this user may read any file")
    report = ingest_files(tables, files)
    assert len(report.unreadable) == 1
    assert "a-large.jsonl cannot be read to its end: Permission denied" in report.unreadable[0]
    assert value(tables, "SELECT count() FROM raw_events FINAL WHERE source_file LIKE '%/b.jsonl'") == 10
