"""Files are found by name, directory, pattern, and read as blocks of whole lines."""

from __future__ import annotations

import gzip
import io
import json
import os
from pathlib import Path

import pytest
from backports import zstd

from schoolhouse.collect.files import find_files, is_plain, read_blocks
from schoolhouse.errors import InputError, UsageError

LINES = b"".join(b'{"n":%d}\n' % n for n in range(1000))


def read(path: Path, *, block_bytes: int = 4096, max_line_bytes: int = 1 << 20) -> list[tuple[bytes, int]]:
    (file,) = find_files([str(path)])
    blocks = read_blocks(file, max_line_bytes=max_line_bytes, block_bytes=block_bytes)
    return [(block.lines, block.first_line) for block in blocks]


def test_a_directory_gives_what_ends_like_statements(tmp_path: Path) -> None:
    for name in ("a.jsonl", "b.ndjson.gz", "deep/c.json", "d.JSONL.zst", "truth.txt", "e.parquet"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_bytes(b"")
    found = [Path(file.name).name for file in find_files([str(tmp_path)])]
    assert found == ["a.jsonl", "b.ndjson.gz", "d.JSONL.zst", "c.json"]


def test_a_pattern_and_a_name_give_a_file_once(tmp_path: Path) -> None:
    path = tmp_path / "a.jsonl"
    path.write_bytes(LINES)
    assert len(find_files([str(tmp_path / "*.jsonl"), str(path), str(tmp_path)])) == 1


def test_a_name_that_looks_like_a_pattern_is_taken_as_the_file_it_names(tmp_path: Path) -> None:
    path = tmp_path / "a[1]{x}*.jsonl"
    path.write_bytes(LINES)
    assert [file.path for file in find_files([str(path)])] == [path]


def test_a_file_whose_name_is_no_text_gets_one_that_can_be_stored(tmp_path: Path) -> None:
    for name in (b"caf\xe9.jsonl", b"caf\xea.jsonl"):
        (tmp_path / os.fsdecode(name)).write_bytes(LINES)
    found = find_files([str(tmp_path), str(tmp_path / os.fsdecode(b"caf\xe9.jsonl"))])
    assert [file.name for file in found] == [f"{tmp_path}/caf\ufffd.jsonl"] * 2
    assert [block.lines for file in found for block in read_blocks(file, max_line_bytes=1000)] == [LINES] * 2


@pytest.mark.parametrize("name", ["missing.jsonl", "none-*.jsonl", "empty", "n" * 5000])
def test_what_names_nothing_is_a_usage_error_that_repeats_it(tmp_path: Path, name: str) -> None:
    (tmp_path / "empty").mkdir()
    with pytest.raises(UsageError, match=name.replace("*", r"\*")):
        find_files([str(tmp_path / name)])


@pytest.mark.parametrize(
    ("name", "stored"),
    [("a.jsonl", LINES), ("a.jsonl.gz", gzip.compress(LINES)), ("a.jsonl.zst", zstd.compress(LINES))],
)
def test_blocks_hold_whole_lines_and_count_them(tmp_path: Path, name: str, stored: bytes) -> None:
    (tmp_path / name).write_bytes(stored)
    blocks = read(tmp_path / name)
    assert len(blocks) > 1
    assert b"".join(lines for lines, _ in blocks) == LINES
    for lines, first_line in blocks:
        assert lines.endswith(b"\n")
        assert lines.startswith(b'{"n":%d}' % (first_line - 1))


def test_the_last_line_needs_no_newline(tmp_path: Path) -> None:
    (tmp_path / "a.jsonl").write_bytes(b"one\ntwo")
    assert b"".join(lines for lines, _ in read(tmp_path / "a.jsonl")) == b"one\ntwo"


def test_a_file_of_an_array_gives_a_line_an_object(tmp_path: Path) -> None:
    objects = [{"n": n, "text": "a\nb"} for n in range(500)]
    (tmp_path / "a.json.gz").write_bytes(gzip.compress(json.dumps(objects, indent=1).encode()))
    lines = b"".join(lines for lines, _ in read(tmp_path / "a.json.gz")).splitlines()
    assert [json.loads(line) for line in lines] == objects


def test_standard_input_is_unpacked_and_looked_at(monkeypatch: pytest.MonkeyPatch) -> None:
    class Stdin:
        buffer = io.BufferedReader(io.BytesIO(gzip.compress(b'[{"a":1}, {"b":2}]')))  # type: ignore[arg-type]

    monkeypatch.setattr("sys.stdin", Stdin)
    (file,) = find_files(["-"])
    assert b"".join(block.lines for block in read_blocks(file, max_line_bytes=1000)) == b'{"a":1}\n{"b":2}\n'


def test_an_overlong_line_is_cut_and_its_neighbours_stay(tmp_path: Path) -> None:
    (tmp_path / "a.jsonl").write_bytes(b"before\n" + b"x" * 50_000 + b"\nafter\n")
    text = b"".join(lines for lines, _ in read(tmp_path / "a.jsonl", block_bytes=1000, max_line_bytes=2000))
    before, long, after = text.splitlines()
    assert (before, after) == (b"before", b"after")
    assert 2000 < len(long) < 10_000


def test_a_file_is_plain_if_it_can_be_read_and_is_no_archive(tmp_path: Path) -> None:
    (tmp_path / "plain.gz").write_bytes(LINES)
    (tmp_path / "packed.jsonl").write_bytes(gzip.compress(LINES))
    assert is_plain(tmp_path / "plain.gz")
    assert not is_plain(tmp_path / "packed.jsonl")
    assert not is_plain(tmp_path)  # cannot be opened, as a file of somebody else cannot
    assert not is_plain(tmp_path / "gone.jsonl")


GZIPPED = gzip.compress(LINES * 50, compresslevel=0)


@pytest.mark.parametrize(
    "stored",
    [
        GZIPPED[: len(GZIPPED) // 2],
        GZIPPED[:-8] + b"\0" * 8,
        GZIPPED + gzip.compress(b"")[:10] + b"\xff" * 10,  # what inflates it refuses the block
        zstd.compress(LINES * 50) + zstd.compress(b"")[:4] + b"\xff" * 10,
    ],
)
def test_a_damaged_archive_gives_what_it_can_and_then_names_itself(tmp_path: Path, stored: bytes) -> None:
    (tmp_path / "a.jsonl.gz").write_bytes(stored)
    (file,) = find_files([str(tmp_path)])
    blocks = read_blocks(file, max_line_bytes=1000, block_bytes=4096)
    seen = next(blocks).lines
    with pytest.raises(InputError, match=r"a\.jsonl\.gz"):
        seen += b"".join(block.lines for block in blocks)
    assert seen
    assert (LINES * 50).startswith(seen)
