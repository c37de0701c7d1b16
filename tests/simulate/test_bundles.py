"""A run as bundles with OLI Torus's keys, and runs that go on where they were cut off."""

from __future__ import annotations

import json
import os
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from schoolhouse.collect.bundles import bundle_id, parse_key
from schoolhouse.errors import UsageError
from schoolhouse.etl.handler import Handler
from schoolhouse.simulate import Format, Imperfections, write_statements
from schoolhouse.simulate.into_warehouse import load_with_truth
from schoolhouse.simulate.to_bundles import write_bundles
from schoolhouse.warehouse.connection import Warehouse
from tests.cli.shell import Shell
from tests.simulate.lines import FLAWS, event_type_of, section_of, small_plan, text_of, time_of

DIALECTS = pytest.mark.parametrize("dialect", ["torus", "openedx"])
embedded = pytest.mark.parametrize("handle", ["embedded"], indirect=True)


def bundles_in(directory: Path) -> dict[str, bytes]:
    return {str(path.relative_to(directory)): path.read_bytes() for path in directory.rglob("*.jsonl")}


@DIALECTS
def test_the_bundles_hold_the_lines_of_the_run(tmp_path: Path, dialect: str) -> None:
    plan = small_plan(dialect, flaws=FLAWS)
    text, truth = text_of(plan)
    done = write_bundles(plan, str(tmp_path), size=50)
    bundles = bundles_in(tmp_path)
    lines = Counter(line for body in bundles.values() for line in body.split(b"\n"))
    assert lines == Counter(text.splitlines())
    assert json.loads((tmp_path / "truth.json").read_text()) == truth
    assert (done.lines, done.size_bytes) == (truth["lines"], sum(map(len, bundles.values())))
    assert max(body.count(b"\n") + 1 for body in bundles.values()) == 50


def test_a_bundle_that_is_told_twice_is_written_twice(tmp_path: Path) -> None:
    plan = small_plan("torus", statements=600, flaws=Imperfections(duplicates=1.0))
    done = write_bundles(plan, str(tmp_path), size=1)
    assert done.lines == sum(body.count(b"\n") + 1 for body in bundles_in(tmp_path).values()) == 1_200


@DIALECTS
def test_a_key_says_section_category_time_and_content(tmp_path: Path, dialect: str) -> None:
    write_bundles(small_plan(dialect), str(tmp_path), size=100)
    categories = set()
    for name, body in bundles_in(tmp_path).items():
        key = parse_key(name)
        assert key is not None
        statements = [json.loads(line) for line in body.split(b"\n")]
        assert {str(section_of(one)) for one in statements} == {key.section_id}
        assert time_of(statements[-1]) == key.timestamp
        assert bundle_id(body) == key.bundle_id
        told = {event_type_of(one) for one in statements}
        attempts = {"part_attempt", "activity_attempt", "page_attempt"}
        assert told == {key.group.category} or (key.group.category == "attempt_evaluated" and told <= attempts)
        categories.add(key.group.category)
    assert categories >= ({"attempt_evaluated", "page_viewed", "video"} if dialect == "torus" else {"problem", "video"})


@embedded
def test_bundles_on_s3_are_loaded_in_bulk(bucket: str, ministack: str, tables: Warehouse) -> None:
    plan = small_plan("torus", statements=3_000, flaws=FLAWS)
    write_bundles(plan, f"s3://{bucket}/run", size=500)
    settings = tables.settings.model_copy(update={"aws_endpoint_url": ministack, "s3_bucket": bucket})
    with Handler(settings) as handler:
        answer = handler.handle({"mode": "bulk", "s3_prefix": "run/"})
    truth = text_of(plan)[1]
    assert answer["success"]
    assert (answer["events_new"], answer["events_duplicate"]) == (truth["statements"], truth["duplicates"])
    assert answer["rejected_by_reason"] == truth["rejects"]


@pytest.fixture
def cut_off(monkeypatch: pytest.MonkeyPatch) -> Callable[[int, int], None]:
    """Ends a run after its second chunk, as Ctrl-C would; how far it came is remembered at every chunk."""
    monkeypatch.setattr("schoolhouse.simulate.resuming._SAVE_SECONDS", -1)
    chunks: list[int] = []

    def on_progress(lines: int, size_bytes: int) -> None:
        chunks.append(lines)
        if len(chunks) == 2:
            raise KeyboardInterrupt

    return on_progress


@pytest.mark.parametrize("form", ["jsonl", "jsonl.gz", "jsonl.zst", "csv.gz", "native"])
def test_a_file_that_was_cut_off_is_finished_with_the_same_bytes(
    tmp_path: Path, cut_off: Callable[[int, int], None], form: Format
) -> None:
    plan = small_plan("torus", flaws=FLAWS, statements=3_000)
    whole = write_statements(plan, tmp_path / "whole/", form)
    with pytest.raises(KeyboardInterrupt):
        write_statements(plan, f"{tmp_path}/half/", form, on_progress=cut_off)
    half = tmp_path / "half" / f"statements.{form}"
    with half.open("ab") as stream:
        stream.write(b"the head of a chunk that was never finished")
    done = write_statements(plan, f"{tmp_path}/half/", form, resume=True)
    assert half.read_bytes() == Path(whole.out).read_bytes()
    assert (tmp_path / "half/truth.json").read_bytes() == Path(whole.truth).read_bytes()
    assert (done.lines, done.size_bytes, done.statements) == (whole.lines, whole.size_bytes, whole.statements)
    assert not (tmp_path / "half/resume.json").exists()


def test_a_run_that_writes_anew_what_another_left_cannot_be_mixed_with_it(
    tmp_path: Path, cut_off: Callable[[int, int], None], monkeypatch: pytest.MonkeyPatch
) -> None:
    plan, other = small_plan("torus", statements=3_000), small_plan("torus", statements=9_000, seed=8)
    with pytest.raises(KeyboardInterrupt):
        write_statements(plan, tmp_path, "jsonl", on_progress=cut_off)

    def at_once(*_: int) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr("schoolhouse.simulate.resuming._SAVE_SECONDS", 3_600)  # it is cut off before it is remembered
    with pytest.raises(KeyboardInterrupt):
        write_statements(other, tmp_path, "jsonl", on_progress=at_once)
    with pytest.raises(UsageError, match="no run to resume"):
        write_statements(plan, tmp_path, "jsonl", resume=True)


def test_bundles_that_were_cut_off_are_finished(tmp_path: Path, cut_off: Callable[[int, int], None]) -> None:
    plan = small_plan("openedx", flaws=FLAWS, statements=3_000)
    write_bundles(plan, f"{tmp_path}/whole", size=20)
    with pytest.raises(KeyboardInterrupt):
        write_bundles(plan, f"{tmp_path}/half", size=20, on_progress=cut_off)
    write_bundles(plan, f"{tmp_path}/half", size=20, resume=True)
    assert bundles_in(tmp_path / "half") == bundles_in(tmp_path / "whole")
    assert (tmp_path / "half/truth.json").read_bytes() == (tmp_path / "whole/truth.json").read_bytes()


@embedded
def test_a_load_that_was_cut_off_is_finished(
    tables: Warehouse, tmp_path: Path, cut_off: Callable[[int, int], None]
) -> None:
    plan = small_plan("torus", flaws=FLAWS, statements=3_000)
    with pytest.raises(KeyboardInterrupt):
        load_with_truth(tables, plan, str(tmp_path), on_progress=cut_off)
    load_with_truth(tables, plan, str(tmp_path), resume=True)
    truth = json.loads((tmp_path / "truth.json").read_text())
    assert truth == text_of(plan)[1]
    assert tables.ask("SELECT count() FROM raw_events FINAL", why="test").value() == truth["statements"]


def test_what_cannot_be_resumed_says_so(tmp_path: Path, cut_off: Callable[[int, int], None]) -> None:
    plan = small_plan("torus", statements=3_000)

    def resumed(**changes: Any) -> None:
        given: dict[str, Any] = {"plan": plan, "out": tmp_path / "x.jsonl", "form": "jsonl", **changes}
        write_statements(**given, resume=True)

    with pytest.raises(UsageError, match="no run to resume"):
        resumed()
    with pytest.raises(KeyboardInterrupt):
        write_statements(plan, tmp_path / "x.jsonl", "jsonl", on_progress=cut_off)
    with pytest.raises(UsageError, match="other options"):
        resumed(plan=small_plan("torus", statements=3_001))
    with pytest.raises(UsageError, match="Parquet"):
        resumed(form="parquet")
    with pytest.raises(UsageError, match="disk of this machine"):
        resumed(out="s3://bucket/x.jsonl")
    os.truncate(tmp_path / "x.jsonl", 10)
    with pytest.raises(UsageError, match="is not what the run"):
        resumed()


def test_the_command_writes_bundles(tmp_path: Path) -> None:
    words = ["simulate", "statements", "--statements", "2000", "--bundles", "100", "--out", str(tmp_path / "run")]
    facts = Shell(tmp_path).json(*words)
    assert facts["written"] == f"{tmp_path}/run/"
    assert len(bundles_in(tmp_path / "run")) > 20
    assert "no run to resume" in Shell(tmp_path).run(*words, "--resume", exit_code=2).stderr
