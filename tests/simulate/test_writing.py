"""Files: every format holds the same lines, whoever makes them; and the command that writes them."""

from __future__ import annotations

import csv
import gzip
import io
import json
import resource
import subprocess
import sys
from pathlib import Path

import pytest
from pyarrow import parquet

from schoolhouse.cli import app
from schoolhouse.cli.console import guarded
from schoolhouse.errors import DeliveryError, InputError, UsageError
from schoolhouse.settings import Settings
from schoolhouse.simulate import FORMATS, Format, write_statements
from schoolhouse.simulate.on_disk import writing_to
from schoolhouse.simulate.writing import estimate, targets
from schoolhouse.warehouse.connection import open_warehouse
from tests.collect.parts import wait_until
from tests.simulate.lines import FLAWS, small_plan, text_of

ALL = pytest.mark.parametrize("dialect", ["torus", "openedx"])


def lines_in(path: Path) -> list[bytes]:
    """The statements in a file of any of our formats but Native."""
    data = path.read_bytes()
    if path.name.endswith(".zst"):
        from backports import zstd

        data = zstd.decompress(data)
    if path.name.endswith(".gz"):
        data = gzip.decompress(data)
    if path.name.endswith(".csv.gz"):
        return [row[2].encode() for row in csv.reader(io.StringIO(data.decode(), newline=""))]
    if path.name.endswith(".parquet"):
        return [line.encode() for line in parquet.read_table(path)["event"].to_pylist()]
    return data.splitlines()


@ALL
@pytest.mark.parametrize("form", [form for form in FORMATS if form != "native"])
def test_every_format_holds_the_same_lines(tmp_path: Path, dialect: str, form: Format) -> None:
    plan = small_plan(dialect, flaws=FLAWS)
    done = write_statements(plan, tmp_path, form)
    text, truth = text_of(plan)
    path = Path(done.out)
    assert path == tmp_path / f"statements.{form}"
    assert lines_in(path) == text.splitlines()
    assert json.loads((tmp_path / "truth.json").read_text()) == truth
    assert done.size_bytes == pytest.approx(path.stat().st_size, rel=0.02)  # but for Parquet's footer they are equal
    assert (done.statements, done.lines) == (truth["statements"], truth["lines"])


@ALL
def test_the_engine_reads_native_files(tmp_path: Path, dialect: str, warehouse_settings: Settings) -> None:
    plan = small_plan(dialect, flaws=FLAWS)
    done = write_statements(plan, tmp_path / "x.native", "native")
    block = Path(done.out).read_bytes()
    with open_warehouse(warehouse_settings, must_exist=False) as warehouse:
        table = f"{warehouse.database}.native_{dialect}"
        if not warehouse.is_embedded:
            warehouse.run(f"CREATE DATABASE IF NOT EXISTS {warehouse.database}", why="test")
        columns = "number UInt64 MATERIALIZED rowNumberInAllBlocks(), event_id UUID, emission_time DateTime64(6)"
        warehouse.run(f"CREATE TABLE {table} ({columns}, event String) ENGINE = Memory", why="test")
        warehouse.insert_bytes(
            table, block, input_format="Native", columns=("event_id", "emission_time", "event"), why="test"
        )
        rows = warehouse.ask(f"SELECT toString(event_id), toString(emission_time), event FROM {table}", why="test").rows
        warehouse.run(f"DROP TABLE {table}", why="test")
    assert sorted(row[2].encode() for row in rows) == sorted(text_of(plan)[0].splitlines())
    if dialect == "openedx":
        whole = [(row[0], row[1], json.loads(row[2])) for row in rows if row[2].endswith("}")]
        good = [(a, b, one) for a, b, one in whole if {"id", "timestamp"} <= one.keys() and one["timestamp"][0] == "2"]
        assert len(good) >= 9_000
        assert all(one["id"] == a for a, _, one in good)
        assert all(one["timestamp"] == f"{b.replace(' ', 'T')}+00:00" for _, b, one in good)


@pytest.mark.slow
@ALL
def test_any_number_of_workers_makes_equal_bytes(tmp_path: Path, dialect: str) -> None:
    plan = small_plan(dialect, statements=200_000, learners=400, flaws=FLAWS)
    made = []
    for workers in (1, 2, 3):
        write_statements(plan, tmp_path / str(workers) / "x.jsonl.gz", "jsonl.gz", workers=workers)
        made.append([(tmp_path / str(workers) / name).read_bytes() for name in ("x.jsonl.gz", "truth.json")])
    assert made[0] == made[1] == made[2]


def test_progress_is_told(tmp_path: Path) -> None:
    seen: list[tuple[int, int]] = []
    done = write_statements(small_plan("torus"), tmp_path, "jsonl", on_progress=lambda *now: seen.append(now))
    assert len(seen) == 3
    assert seen[-1] == (done.lines, done.size_bytes)


def test_an_estimate_is_near_what_is_written(tmp_path: Path) -> None:
    plan = small_plan("openedx")
    guess, done = estimate(plan, str(tmp_path), "jsonl"), write_statements(plan, tmp_path, "jsonl")
    assert (guess.out, guess.statements) == (done.out, done.statements)
    assert guess.size_bytes == pytest.approx(done.size_bytes, rel=0.05)


def test_an_estimate_of_parquet_is_of_what_is_compressed(tmp_path: Path) -> None:
    plan = small_plan("torus")
    guess, done = estimate(plan, str(tmp_path), "parquet"), write_statements(plan, tmp_path, "parquet")
    assert guess.size_bytes == pytest.approx(done.size_bytes, rel=0.25)


def test_an_estimate_is_not_judged_by_a_section_without_statements(tmp_path: Path) -> None:
    guess = estimate(small_plan("torus", sections=50, statements=20), str(tmp_path), "jsonl")
    assert (guess.statements, guess.lines) == (20, 20)
    assert guess.size_bytes > 20 * 500


def test_targets_are_files_directories_or_addresses(tmp_path: Path) -> None:
    assert targets(str(tmp_path), "jsonl") == (f"{tmp_path}/statements.jsonl", f"{tmp_path}/truth.json")
    assert targets("s3://b/run/", "csv.gz") == ("s3://b/run/statements.csv.gz", "s3://b/run/truth.json")
    assert targets("s3://b/run/x.gz", "csv.gz") == ("s3://b/run/x.gz", "s3://b/run/truth.json")
    assert targets("new/x.gz", "csv.gz") == ("new/x.gz", "new/truth.json")


def test_a_target_that_cannot_be_written_is_an_error(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(InputError, match="Cannot write"):
        write_statements(small_plan("torus"), tmp_path / "file" / "x.jsonl", "jsonl")
    with pytest.raises(UsageError, match="no format"):
        write_statements(small_plan("torus"), tmp_path, "xml")  # type: ignore[arg-type]


@pytest.mark.parametrize("form", ["jsonl.gz", "parquet"])
def test_a_disk_that_is_full_is_an_error(tmp_path: Path, form: Format) -> None:
    most = resource.getrlimit(resource.RLIMIT_FSIZE)
    plan = small_plan("torus")
    resource.setrlimit(resource.RLIMIT_FSIZE, (100_000, most[1]))  # no file may grow beyond it
    try:
        with pytest.raises(InputError, match=f"Cannot write {tmp_path}/statements.{form}: File too large."):
            write_statements(plan, tmp_path, form)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, most)


def test_a_store_that_refuses_half_way_is_an_error() -> None:
    from botocore.exceptions import ClientError

    with pytest.raises(DeliveryError, match="Cannot write s3://b/x: ClientError"), writing_to("s3://b/x"):
        raise ClientError({"Error": {"Code": "AccessDenied"}}, "UploadPart")


def run(monkeypatch: pytest.MonkeyPatch, *arguments: str) -> int:
    monkeypatch.setattr("sys.argv", ["schoolhouse", "--quiet", "simulate", "statements", *arguments])
    return guarded(app)


def test_the_command_writes_a_campus(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    arguments = ["--dialect", "openedx", "--statements", "2000", "--learners", "30", "--sections", "2", "--out", "run/"]
    arguments += ["--format", "jsonl", "--malformed", "0.05", "--rate", "drop_out=0.5", "--json"]
    assert run(monkeypatch, *arguments) == 0
    facts = json.loads(capsys.readouterr().out)
    truth = json.loads(Path("run/truth.json").read_text())
    assert facts["statements"] == truth["statements"] == 2_000
    assert len(Path("run/statements.jsonl").read_bytes().splitlines()) == truth["lines"] == facts["lines"] > 2_000
    assert truth["plan"]["rates"]["drop_out"] == 0.5


def test_a_dry_run_writes_nothing(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(monkeypatch, "--statements", "2000", "--out", "run/", "--dry-run", "--json") == 0
    assert json.loads(capsys.readouterr().out)["statements"] == 2_000
    assert run(monkeypatch, "--statements", "2000", "--out", "run", "--bundles", "9", "--dry-run", "--json") == 0
    assert json.loads(capsys.readouterr().out)["would write"] == "run/"
    assert run(monkeypatch, "--statements", "2000", "--out", "run", "--into-warehouse", "--dry-run", "--json") == 0
    facts = json.loads(capsys.readouterr().out)
    assert facts["would write"] == "warehouse"
    assert facts["bytes"] > 2_000 * 500  # as they are loaded, not compressed
    assert not Path("run").exists()


@pytest.mark.parametrize(
    ("arguments", "complaint"),
    [
        (["--dialect", "latin"], "no dialect 'latin'"),
        (["--format", "xml"], "no format 'xml'"),
        (["--start", "9999-12-20"], "not wholly between 1990-01-01 and 2298-12-31"),
        (["--host", "campus"], "address of the platform is 'campus'"),
        (["--host", ""], "address of the platform is ''"),
        (["--rate", "joy=1"], "no rate 'joy'"),
        (["--rate", "drop_out=much"], "no number for the rate drop_out"),
        (["--rate", "drop_out=2"], "drop_out is 2.0, outside 0.0 to 0.99"),
    ],
)
def test_bad_usage_is_named(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], arguments: list[str], complaint: str
) -> None:
    assert run(monkeypatch, "--out", "run/", *arguments) == 2
    assert complaint in capsys.readouterr().err


@ALL
def test_the_command_loads_the_warehouse(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], dialect: str, warehouse_environment: Settings
) -> None:
    arguments = ["--dialect", dialect, "--statements", "1500", "--into-warehouse", "--out", "run/", "--json"]
    assert run(monkeypatch, *arguments) == 0
    assert json.loads(capsys.readouterr().out)["statements"] == 1_500
    with open_warehouse(warehouse_environment) as warehouse:
        assert warehouse.ask("SELECT count() FROM raw_events FINAL", why="test").value() == 1_500


@pytest.mark.skipif(not Path("/proc/self/task").is_dir(), reason="reads who belongs to whom from Linux's /proc")
def test_a_run_that_is_killed_takes_its_workers_along(tmp_path: Path) -> None:
    words = ["simulate", "statements", "--statements", "3000000", "--workers", "2", "--out", str(tmp_path / "c.jsonl")]
    with subprocess.Popen([sys.executable, "-m", "schoolhouse", *words], stdout=subprocess.DEVNULL) as run:
        wait_until(lambda: len(workers_of(run.pid)) == 2)
        workers = workers_of(run.pid)
        run.kill()
    wait_until(lambda: not any(is_running(pid) for pid in workers))


def workers_of(pid: int) -> list[int]:
    """The processes that make chunks for a run."""
    children = map(int, Path(f"/proc/{pid}/task/{pid}/children").read_text().split())
    return [child for child in children if b"spawn_main" in Path(f"/proc/{child}/cmdline").read_bytes()]


def is_running(pid: int) -> bool:
    """Whether the process is there, and not only waits to be counted out by its parent."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except OSError:
        return False
