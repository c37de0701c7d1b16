"""Loads account for every line, whichever way it comes; one that was cut off is put right by running it again."""

from __future__ import annotations

import gzip
import pickle
import random
import signal
import subprocess
import sys
import time
import uuid
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from backports import zstd

from schoolhouse.errors import QueryError, SchoolhouseError, WarehouseError
from schoolhouse.warehouse import merges
from schoolhouse.warehouse.connection import Warehouse, open_warehouse
from schoolhouse.warehouse.health import run_checks
from schoolhouse.warehouse.loads import can_read_itself, id_slices, start_load
from tests.conftest import ROOT
from tests.warehouse.loading import Line, as_bytes, load_block, load_file, load_lines, rows, statement, value

TORUS = "http://oli.cmu.edu/extensions/"
on_embedded = pytest.mark.parametrize("handle", ["embedded"], indirect=True)

MIXED: list[Line] = [
    statement(mark=1),
    "",
    statement(mark=2),
    statement(mark=1),
    "not json",
    " \t\r",
    statement(verb=...),
    statement(mark=3, id="9dc99b37-e920-4a68-a066-917faca28949"),
    statement(mark=4, id="9dc99b37-e920-4a68-a066-917faca28949"),
]


def test_a_load_accounts_for_every_line(shared_tables: Warehouse) -> None:
    block = b"\n".join(as_bytes(line) for line in MIXED) + b"\n"
    summary = load_block(shared_tables, block, source="mixed.jsonl").summary
    expected = {
        "lines": 9,
        "blank": 2,
        "accepted": 5,
        "new": 3,
        "duplicate": 1,
        "conflict": 1,
        "rejected": {"missing_verb": 1, "not_json": 1},
        "bytes": len(block),
    }
    said = summary.as_dict()
    assert {name: said[name] for name in expected} == expected
    assert said["seconds"] > 0
    assert said["statements_per_second"] == round(5 / summary.seconds, 1)


def test_a_load_has_its_row(shared_tables: Warehouse) -> None:
    before = datetime.now(UTC) - timedelta(seconds=1)
    with start_load(shared_tables, route="s3", source="s3://bucket/row.jsonl", etag="abc") as load:
        started = shared_tables.ask(
            "SELECT * FROM loads FINAL WHERE load_id = {load:UInt64}", {"load": load.load_id}, why="x"
        )
        assert (started.first()["finished_at"], started.first()["lines"]) == (None, 0)
        load.add_lines(
            b"".join(as_bytes(line) + b"\n" for line in [statement(mark="row"), "x"]), source_file="f", first_line=1
        )
    row = shared_tables.ask(
        "SELECT * FROM loads FINAL WHERE load_id = {load:UInt64}", {"load": load.load_id}, why="x"
    ).first()
    assert (row["route"], row["source"], row["etag"], row["error"]) == ("s3", "s3://bucket/row.jsonl", "abc", "")
    counts = ("lines", "blank", "accepted", "new", "duplicate", "conflict", "rejected")
    assert [row[name] for name in counts] == [2, 0, 1, 1, 0, 0, 1]
    assert before <= row["started_at"] <= row["finished_at"] <= datetime.now(UTC)


def test_a_load_that_fails_says_so_and_has_not_finished(shared_tables: Warehouse) -> None:
    sql = "SELECT error, finished_at, lines FROM loads FINAL WHERE load_id = {load:UInt64}"
    with pytest.raises(QueryError), start_load(shared_tables, route="direct", source="fails") as load:
        load.add_select("INSERT INTO ingest (line) SELECT no_such_column", {})
    failed = rows(shared_tables, sql, load=load.load_id)
    assert failed[0][0] != ""
    assert failed[0][1:] == (None, 0)
    with (
        pytest.raises(ValueError, match="learner-1"),
        start_load(shared_tables, route="direct", source="fails") as load,
    ):
        raise ValueError("learner-1")  # not ours: its text may hold anything, so only its kind is kept
    assert rows(shared_tables, sql, load=load.load_id) == [("ValueError", None, 0)]


def test_an_empty_load_is_no_error(shared_tables: Warehouse, tmp_path: Path) -> None:
    empty = tmp_path / "empty.jsonl"
    empty.write_bytes(b"")
    for summary in (load_block(shared_tables, b"", source="").summary, load_file(shared_tables, empty).summary):
        assert (summary.lines, summary.accepted, summary.rejected) == (0, 0, {})


@pytest.mark.parametrize("source_bytes", [0.0, 1_000.0, 1e9])
def test_lines_that_a_statement_selects_are_a_load_too(shared_tables: Warehouse, source_bytes: float) -> None:
    line = as_bytes(statement(mark=f"selected {source_bytes}")).decode()
    sql = """
        SELECT
            {line:String} AS line, {source_file:String} AS source_file, {source_etag:String} AS source_etag,
            7 AS source_line, {load_id:UInt64} AS load_id, toDateTime64({received_at:String}, 9, 'UTC') AS received_at,
            {max_line_bytes:UInt32} AS max_line_bytes, 0 AS is_rebuild
    """
    with start_load(shared_tables, route="backfill", source="select") as load:
        load.add_select(sql, {"line": line}, source_file="s3://bucket/key", source_bytes=source_bytes)
    assert (load.summary.lines, load.summary.new) == (1, 1)
    where = "SELECT source_file, source_line FROM raw_events WHERE load_id = {load:UInt64}"
    assert rows(shared_tables, where, load=load.load_id) == [("s3://bucket/key", 7)]


ENDINGS = {"newlines": b"\n", "CRLF": b"\r\n"}


@on_embedded
@pytest.mark.parametrize("ends_with_newline", [True, False])
@pytest.mark.parametrize("ending", ENDINGS)
def test_a_file_and_its_bytes_are_the_same_load(
    tables: Warehouse, tmp_path: Path, ending: str, ends_with_newline: bool
) -> None:
    """The engine reads a plain file by itself; what it makes of it is what our own reading makes."""
    block = ENDINGS[ending].join(as_bytes(line) for line in MIXED)
    block += ENDINGS[ending] if ends_with_newline else b""
    found = []
    for name, pack in (("a.jsonl", bytes), ("b.jsonl.gz", gzip.compress), ("c.jsonl.zst", zstd.compress)):
        path = tmp_path / name
        path.write_bytes(pack(block))
        assert can_read_itself(tables, path)
        found.append(load_file(tables, path, source=name).summary)
    found.append(load_block(tables, block, source="d").summary)
    assert {(each.lines, each.blank, each.accepted, str(each.rejected)) for each in found} == {
        (9, 2, 5, str(found[0].rejected))
    }
    assert [each.new for each in found] == [3, 0, 0, 0]
    assert value(
        tables, "SELECT groupUniqArray(n) FROM (SELECT count() AS n FROM rejected_statements GROUP BY source_file)"
    ) == [2]
    places = "SELECT source_line, code FROM rejected_statements FINAL WHERE source_file = {source:String} ORDER BY 1"
    for source in ("a.jsonl", "b.jsonl.gz", "c.jsonl.zst", "d"):
        assert rows(tables, places, source=source) == [(5, "not_json"), (7, "missing_verb")]


@on_embedded
def test_a_file_whose_name_is_a_pattern_is_not_left_to_the_engine(tables: Warehouse, tmp_path: Path) -> None:
    for name in ("a*.jsonl", "b?.jsonl", "c{1,2}.jsonl", "d[1].jsonl"):
        path = tmp_path / name
        path.write_bytes(as_bytes(statement(mark=name)))
        assert not can_read_itself(tables, path)
        assert load_file(tables, path).counts == (1, 0, 0)
    assert not can_read_itself(tables, tmp_path / "not-there.jsonl")


@on_embedded
def test_a_broken_file_is_an_error_and_running_it_again_counts_once(tables: Warehouse, tmp_path: Path) -> None:
    lines = [as_bytes(statement(mark=place)) for place in range(20_000)]
    whole = gzip.compress(b"\n".join(lines))
    path = tmp_path / "broken.jsonl.gz"
    path.write_bytes(whole[: len(whole) // 2])
    with pytest.raises(SchoolhouseError):
        load_file(tables, path)
    path.write_bytes(whole)
    assert load_file(tables, path).summary.accepted == 20_000
    assert value(tables, "SELECT count() FROM raw_events FINAL") == 20_000


def lines_file(directory: Path, name: str) -> Path:
    """A file of one new statement."""
    path = directory / name
    path.write_bytes(as_bytes(statement(id=str(uuid.uuid4()))) + b"\n")
    return path


def parts_of(warehouse: Warehouse) -> int:
    sql = "SELECT count() FROM system.parts WHERE active AND table = 'raw_events' AND database = currentDatabase()"
    return int(value(warehouse, sql))


@on_embedded
@pytest.mark.parametrize(("read_bytes", "waits"), [(1 << 30, True), (1 << 20, False), (1 << 40, True)])
def test_parts_are_merged_after_a_large_load_and_not_meanwhile(
    tables: Warehouse, tmp_path: Path, read_bytes: int, waits: bool
) -> None:
    with start_load(tables, route="file", source="large", read_bytes=read_bytes) as load:
        for number in range(2):
            load.add_file(lines_file(tmp_path, f"{number}.jsonl"), source_file="large", first_line=1 + number)
        if waits:
            with pytest.raises(SchoolhouseError):
                tables.run("OPTIMIZE TABLE raw_events FINAL", why="tests")
        else:
            tables.run("OPTIMIZE TABLE raw_events FINAL", why="tests")
    with pytest.raises(ValueError), start_load(tables, route="file", source="large", read_bytes=read_bytes) as load:  # noqa: PT012, PT011
        load.add_file(lines_file(tmp_path, "third.jsonl"), source_file="large", first_line=3)
        raise ValueError
    tables.run("OPTIMIZE TABLE raw_events FINAL", why="tests")
    assert parts_of(tables) == 1


@on_embedded
def test_a_load_that_goes_on_for_long_lets_parts_be_merged_in_between(
    tables: Warehouse, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    first = lines_file(tmp_path, "0.jsonl")
    monkeypatch.setattr(merges, "_PAUSE_BYTES", first.stat().st_size * 10 + 10)
    monkeypatch.setattr(merges, "_QUIET_SECONDS", 1)
    with start_load(tables, route="file", source="long", read_bytes=1 << 40) as load:
        counts = []
        for number in range(14):
            load.add_file(lines_file(tmp_path, f"{number}.jsonl"), source_file="long", first_line=1 + number)
            counts.append(parts_of(tables))
    assert counts[9] == 10
    assert counts[10] < 10  # what the first ten left was merged before the eleventh came
    assert load.summary.new == 14


@on_embedded
def test_a_file_that_is_too_large_to_put_merges_off_is_merged_meanwhile(
    tables: Warehouse, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(merges, "_MOST_BYTES", 10)
    with start_load(tables, route="file", source="large", read_bytes=1 << 40) as load:
        load.add_file(lines_file(tmp_path, "large.jsonl"), source_file="large", first_line=1)
        tables.run("OPTIMIZE TABLE raw_events FINAL", why="tests")
    assert load.summary.new == 1


def test_of_two_statements_that_came_at_one_moment_under_one_id_the_same_one_stands_always(tables: Warehouse) -> None:
    one = statement(id=str(uuid.uuid4()))
    other = one | {"timestamp": "2026-09-01T12:00:00Z"}
    standing = []
    for first, second in ((one, other), (other, one), (one, other)):
        with start_load(tables, route="file", source="both") as load:
            load.add_lines(as_bytes(first), source_file="a", first_line=1)
            load.add_lines(as_bytes(second), source_file="b", first_line=1)
        standing.append(rows(tables, "SELECT toString(timestamp) FROM raw_events FINAL"))
        tables.run("OPTIMIZE TABLE statement_ids FINAL", why="tests")
    assert len(standing[0]) == 1
    assert standing == [standing[0]] * 3


def test_a_failed_load_is_a_fault_until_its_source_is_loaded(tables: Warehouse) -> None:
    def offenders() -> int:
        return {check.name: check.offenders for check in run_checks(tables)}["unfinished_loads"]

    with pytest.raises(ValueError), start_load(tables, route="file", source="a.jsonl"):  # noqa: PT011
        raise ValueError
    load_lines(tables, [statement()], source="b.jsonl")
    assert offenders() == 1
    load_lines(tables, [statement()], source="a.jsonl")
    assert offenders() == 0


def test_blocks_of_a_load_keep_their_places(shared_tables: Warehouse) -> None:
    lines = [as_bytes(statement(mark=f"block {place}")) for place in range(10)]
    with start_load(shared_tables, route="file", source="blocks") as load:
        assert load.add_lines(b"\n".join(lines[:4]) + b"\n", source_file="blocks", first_line=1) == 4
        assert load.add_lines(b"", source_file="blocks", first_line=5) == 0
        assert load.add_lines(b"\n".join(lines[4:]), source_file="blocks", first_line=5) == 6
    sql = "SELECT source_line, statement FROM raw_events WHERE load_id = {load:UInt64} ORDER BY source_line"
    found = rows(shared_tables, sql, load=load.load_id)
    assert found == [(place, line.decode()) for place, line in enumerate(lines, start=1)]


def test_conflicts_that_a_cut_off_load_left_are_hidden_by_the_next_of_its_source(tables: Warehouse) -> None:
    """Its rows were merged with those of the load that follows, whose own are gone: it looks at both loads' ids."""
    mine = str(uuid.uuid4())
    block = b"\n".join(
        as_bytes(statement(id=mine, context={"extensions": {TORUS + "section_id": section}})) for section in (1, 2)
    )
    cut_off = start_load(tables, route="file", source="cut.jsonl").__enter__()
    cut_off.add_lines(block, source_file="cut.jsonl", first_line=1)  # and then the process died
    assert value(tables, "SELECT count() FROM raw_events FINAL") == 2
    with start_load(tables, route="file", source="cut.jsonl") as again:
        again.add_lines(block, source_file="cut.jsonl", first_line=1)
        tables.run("OPTIMIZE TABLE statement_ids FINAL", why="merge before the load is counted")
    assert (again.summary.accepted, again.summary.new) == (2, 0)
    assert rows(tables, "SELECT section_id FROM raw_events FINAL") == [(1,)]
    unfinished = "SELECT load_id FROM loads FINAL WHERE finished_at IS NULL"
    assert rows(tables, unfinished) == [(cut_off.load_id,)]


def test_lines_that_do_not_arrive_are_missed_even_if_the_engine_keeps_silent(tables: Warehouse) -> None:
    """A view that fails in a streamed insert fails without a word in chDB."""
    block = b"\n".join(as_bytes(statement(mark=place)) for place in range(30_000))
    starved = tables.settings.model_copy(update={"clickhouse_max_memory_bytes": 40_000_000})
    with open_warehouse(starved, who="tests") as warehouse, pytest.raises(WarehouseError, match=r"memory|30,000 lines"):
        load_block(warehouse, block, source="starved.jsonl")
    assert value(tables, "SELECT count() FROM loads FINAL WHERE finished_at IS NOT NULL") == 0
    assert load_block(tables, block, source="starved.jsonl").summary.accepted == 30_000
    assert value(tables, "SELECT count() FROM raw_events FINAL") == 30_000


STORM_LINES = 30_000
STORM_SCRIPT = """
import sys
from pathlib import Path
from schoolhouse.settings import load_settings
from schoolhouse.warehouse.connection import open_warehouse
from schoolhouse.warehouse.loads import start_load
with open_warehouse(load_settings(data_dir=sys.argv[1], clickhouse_host="")) as warehouse:
    print("open", flush=True)
    for _ in range(int(sys.argv[3])):
        with start_load(warehouse, route="file", source="storm.jsonl") as load:
            load.add_file(Path(sys.argv[2]), source_file="storm.jsonl")
"""


def storm_lines() -> list[bytes]:
    """Statements of two years, some twice, some bad, and every hundredth in conflict with the one before it."""
    chance = random.Random(11)
    lines: list[bytes] = []
    for place in range(STORM_LINES):
        when = datetime(2024, 1, 1, tzinfo=UTC) + timedelta(minutes=35 * place)
        parts: dict[str, Any] = {"timestamp": when.isoformat(), "mark": place}
        if place % 2:
            parts["id"] = str(uuid.UUID(int=chance.getrandbits(128), version=4))
        line = as_bytes(statement(**parts, context={"extensions": {TORUS + "section_id": place % 7 + 1}}))
        lines.append(line)
        if place % 100 == 1:
            lines.append(line.replace(b"learner-1", b"learner-2"))
        if place % 50 == 0:
            lines += [line, b"", b'{"actor":', line + b"\r"]
    return lines


def state_of(warehouse: Warehouse) -> dict[str, list[tuple[Any, ...]]]:
    """All tables that a load fills, but for load ids, arrival times and what follows from them."""
    leave_out = "EXCEPT (load_id, event_version, inserted_at)"
    events = f"SELECT * {leave_out} FROM raw_events FINAL ORDER BY event_id"
    return {
        "raw_events": list(rows(warehouse, f"SELECT count(), sum(cityHash64(*)) FROM ({events})")),
        "conflicts": list(
            rows(warehouse, "SELECT DISTINCT event_id, user_id FROM raw_events WHERE is_conflict ORDER BY 1")
        ),
        "rejects": list(rows(warehouse, "SELECT source_line, code, line FROM rejected_statements FINAL ORDER BY 1")),
        "ids": list(
            rows(
                warehouse,
                "SELECT count(), sum(cityHash64(event_id, section_id, user_id, content_hash)) FROM statement_ids FINAL",
            )
        ),
        "sections": list(rows(warehouse, "SELECT * FROM sections FINAL ORDER BY section_id")),
    }


@pytest.mark.slow
@on_embedded
def test_a_load_killed_at_ten_moments_and_run_again_is_the_truth(tables: Warehouse, tmp_path: Path) -> None:
    file = tmp_path / "storm.jsonl"
    lines = storm_lines()
    file.write_bytes(b"\n".join(lines))
    truth_summary = load_file(tables, file, source="storm.jsonl").summary
    truth = state_of(tables)
    assert truth["raw_events"][0][0] == STORM_LINES

    settings = tables.settings.model_copy(update={"data_dir": tmp_path / "killed", "clickhouse_database": "default"})
    prepare = (
        "import sys; from schoolhouse.settings import load_settings; from schoolhouse.warehouse import migrations; "
    )
    prepare += "from schoolhouse.warehouse.connection import open_warehouse; "
    prepare += (
        "migrations.up(open_warehouse(load_settings(data_dir=sys.argv[1], clickhouse_host=''), must_exist=False))"
    )
    subprocess.run([sys.executable, "-c", prepare, str(settings.data_dir)], check=True, cwd=ROOT, timeout=120)

    chance = random.Random(5)
    for _ in range(10):
        command = [sys.executable, "-c", STORM_SCRIPT, str(settings.data_dir), str(file), "1000"]
        with subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE) as process:
            assert process.stdout is not None
            assert process.stdout.readline() == b"open\n"
            time.sleep(chance.uniform(0.05, 2.5))
            process.send_signal(signal.SIGKILL)
            assert process.wait(timeout=60) == -signal.SIGKILL
    command = [sys.executable, "-c", STORM_SCRIPT, str(settings.data_dir), str(file), "1"]
    subprocess.run(command, check=True, cwd=ROOT, timeout=300)

    dump = """
import pickle, sys
from schoolhouse.settings import load_settings
from schoolhouse.warehouse.connection import open_warehouse
from tests.warehouse.test_loads import state_of
with open_warehouse(load_settings(data_dir=sys.argv[1], clickhouse_host="")) as warehouse:
    last = "SELECT lines, accepted, rejected, finished_at IS NULL FROM loads FINAL ORDER BY load_id DESC LIMIT 1"
    sys.stdout.buffer.write(pickle.dumps((state_of(warehouse), warehouse.ask(last, why="look").rows)))
"""
    done = subprocess.run(
        [sys.executable, "-c", dump, str(settings.data_dir)], check=True, cwd=ROOT, stdout=subprocess.PIPE, timeout=120
    )
    state, last = pickle.loads(done.stdout)
    assert state == truth
    assert last == [(truth_summary.lines, truth_summary.accepted, sum(truth_summary.rejected.values()), 0)]


@pytest.mark.parametrize("statements", [1, 250_000, 4_000_000])
def test_every_id_lies_in_one_slice(tables: Warehouse, statements: int) -> None:
    ids = [uuid.UUID(int=0), uuid.UUID(int=2**128 - 1), uuid.UUID(int=2**127), *(uuid.uuid4() for _ in range(200))]
    slices = id_slices(statements)
    found = [
        tables.ask(
            "SELECT arrayJoin({ids:Array(UUID)}) AS id WHERE id >= {first_id:UUID} "
            "AND (empty({end_id:UUID}) OR id < {end_id:UUID})",
            {"ids": ids, **each},
            why="tests",
        ).rows
        for each in slices
    ]
    assert len(slices) == 1 + statements // 250_000
    assert sorted(row[0] for some in found for row in some) == sorted(ids)
