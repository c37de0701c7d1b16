"""`chart` and `export`, as somebody types them."""

from __future__ import annotations

import json
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from schoolhouse.analytics.catalogue import catalogue
from schoolhouse.settings import Settings
from tests.cli.shell import Shell

SECTION = ("--section", "43@torus.example")
PROJECT = ("--project", "7@torus.example")


@pytest.fixture(scope="module")
def shell(campus_settings: Settings, tmp_path_factory: pytest.TempPathFactory) -> Shell:
    """A shell over the campus that tests share."""
    return Shell(
        tmp_path_factory.mktemp("charts"),
        SCHOOLHOUSE_DATA_DIR=str(campus_settings.data_dir),
        CLICKHOUSE_DATABASE=campus_settings.clickhouse_database,
    )


def test_chart_without_a_name_lists_the_catalogue(shell: Shell) -> None:
    listed = shell.json("chart")
    assert [each["chart"] for each in listed] == [chart.name for chart in catalogue()]
    assert "video_completion" in shell.run("chart").stdout


def test_chart_answers_as_table_and_json_with_filters(shell: Shell) -> None:
    [row] = shell.json("chart", "event_summary", *SECTION)
    assert (row["event_type"], row["events"], row["learners"]) == ("page_viewed", 200, 20)
    assert "page_viewed" in shell.run("chart", "event_summary", *SECTION).stdout
    assert len(shell.json("chart", "page_engagement", *SECTION, "--filter", "top=3")) == 3
    assert shell.json("chart", "event_summary", *SECTION, "--until", "2026-01-01") == []
    assert "No event" in shell.run("chart", "event_summary", *SECTION, "--until", "2026-01-01").stdout


@pytest.mark.parametrize(
    ("name", "begins"),
    [
        ("a.csv", b'"event_type"'),
        ("a.parquet", b"PAR1"),
        ("a.arrow", b"\xff\xff\xff\xff"),
        ("a.json", b"[\n"),
        ("a.png", b"\x89PNG"),
        ("a.svg", b"<svg"),
    ],
)
def test_chart_writes_what_the_files_name_says(shell: Shell, name: str, begins: bytes) -> None:
    assert f"Wrote {name}" in shell.run("chart", "event_summary", *SECTION, "--out", name).stderr
    assert (shell.folder / name).read_bytes().startswith(begins)


@pytest.mark.parametrize("scope", [SECTION, PROJECT])
@pytest.mark.parametrize("form", ["csv", "parquet", "arrow", "json"])
def test_export_writes_every_chart_of_the_scope(shell: Shell, scope: tuple[str, str], form: str) -> None:
    folder = f"{form}-{scope[0][2:]}"
    written = shell.json("export", folder, *scope, "--format", form)
    kind = scope[0].removeprefix("--")
    assert [each["chart"] for each in written] == [chart.name for chart in catalogue() if kind in chart.scopes]
    for each in written:
        assert (shell.folder / each["file"]).stat().st_size == each["size_bytes"]
    assert _events(shell.folder / folder / f"event_summary.{form}") == 200 + (3 if kind == "project" else 0)


def _events(path: Path) -> int:
    """The sum of the column `events` of a file of any form."""
    content = path.read_bytes()
    if path.suffix == ".json":
        return sum(row["events"] for row in json.loads(content))
    if path.suffix == ".csv":
        return sum(int(line.split(b",")[1]) for line in content.splitlines()[1:])
    table = pq.read_table(path) if path.suffix == ".parquet" else pa.ipc.open_stream(content).read_all()
    return sum(table.column("events").to_pylist())


@pytest.mark.parametrize(
    ("words", "says"),
    [
        (("chart", "nonsense", *SECTION), "There is no chart 'nonsense'"),
        (("chart", "event_summary"), "Name a section or a project"),
        (("chart", "event_summary", *SECTION, *PROJECT), "Name a section or a project"),
        (("chart", "event_summary", *SECTION, "--filter", "top"), "is no filter"),
        (("chart", "event_summary", *SECTION, "--filter", "colour=red"), "There is no filter 'colour'"),
        (("chart", "event_summary", *SECTION, "--out", "a.xls"), "cannot be written as a.xls"),
        (("export", "out", *SECTION, "--format", "xls"), "There is no format 'xls'"),
        (("export", "out"), "Name a section or a project"),
    ],
)
def test_bad_usage_is_named(shell: Shell, words: tuple[str, ...], says: str) -> None:
    exit_code = 1 if "nonsense" in words else 2
    assert says in shell.run(*words, exit_code=exit_code).stderr
    assert not (shell.folder / "out").exists()
