"""`learner erase`, `warehouse setup --pseudonymous` and `query --section`, as somebody types them."""

from __future__ import annotations

import io
import json
from pathlib import Path
from typing import Any

import pytest

from schoolhouse.cli import main
from schoolhouse.settings import Settings
from schoolhouse.warehouse.connection import open_warehouse
from tests.given import HOST, load, page_viewed, small_campus

pytestmark = pytest.mark.parametrize("handle", ["embedded"], indirect=True)


def run(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, *words: str, typed: str = ""
) -> tuple[int, Any]:
    monkeypatch.setattr("sys.argv", ["schoolhouse", *words])
    monkeypatch.setattr("sys.stdin", io.StringIO(typed))
    with pytest.raises(SystemExit) as stop:
        main()
    said = capsys.readouterr()
    code = stop.value.code or 0
    assert isinstance(code, int)
    return code, json.loads(said.out) if "--json" in words and code == 0 else said.out + said.err


@pytest.fixture
def filled(warehouse_environment: Settings, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Settings:
    monkeypatch.setenv("DATABASE_URL", f"sqlite:///{tmp_path / 'app.sqlite'}")
    monkeypatch.setenv("XAPI_SPOOL_DIR", str(tmp_path))
    monkeypatch.setattr("sys.argv", ["schoolhouse", "warehouse", "setup"])
    with pytest.raises(SystemExit):
        main()
    with open_warehouse(warehouse_environment, who="tests") as warehouse:
        load(warehouse, small_campus())
    return warehouse_environment


def test_a_learner_is_erased_with_proof(
    filled: Settings, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    code, said = run(capsys, monkeypatch, "learner", "erase", "901", "--yes")
    assert code == 2
    assert "Several platforms" in said
    words = ("learner", "erase", "-", "--platform", HOST, "--yes", "--json")
    code, report = run(capsys, monkeypatch, *words, typed="901\n")
    assert code == 0
    found = {each["table"]: (each["found"] > 0, each["left"]) for each in report}
    assert found["raw_events"] == found["statement_ids"] == (True, 0)
    assert run(capsys, monkeypatch, "learner", "erase", "901", "--yes")[0] == 0  # only the other platform has one now
    code, said = run(capsys, monkeypatch, "learner", "erase", "901", "--yes")
    assert code == 2
    assert "No platform" in said


def test_a_learner_is_not_named_where_the_warehouse_has_no_tables(
    warehouse_environment: Settings, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    assert run(capsys, monkeypatch, "warehouse", "migrate", "down", "--steps", "99", "--yes")[0] == 0
    code, said = run(capsys, monkeypatch, "learner", "erase", "learner-4711", "--yes")
    assert (code, "learner-4711" in said) == (1, False)
    assert "warehouse setup" in said


def test_query_can_be_held_to_one_section_or_project(
    filled: Settings, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    question = "SELECT uniq(section_id) AS sections, count() AS events FROM raw_events WHERE 1 OR section_id = 43"
    _, rows = run(capsys, monkeypatch, "query", question, "--section", "42@torus.example", "--json")
    assert rows == [{"sections": 1, "events": 3}]
    _, rows = run(capsys, monkeypatch, "query", question, "--project", "7@other.example", "--json")
    assert rows == [{"sections": 1, "events": 1}]
    code, said = run(capsys, monkeypatch, "query", "SELECT * FROM loads", "--section", "43")
    assert code == 1
    assert "Line 1, column 15: There is no table loads here." in said
    assert run(capsys, monkeypatch, "query", question, "--section", "43", "--project", "7")[0] == 2


def test_setup_can_choose_pseudonyms_before_the_first_statement(
    warehouse_environment: Settings,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("LEARNER_PSEUDONYM_KEY", "k" * 40)
    _, facts = run(capsys, monkeypatch, "warehouse", "setup", "--pseudonymous", "--json")
    assert facts["pseudonymous"] is True
    Path("statements.jsonl").write_text(json.dumps(page_viewed(42, 901, "2026-03-01T10:00:00Z")) + "\n")
    assert run(capsys, monkeypatch, "ingest", "statements.jsonl")[0] == 0
    _, rows = run(capsys, monkeypatch, "query", "SELECT user_id FROM raw_events", "--json")
    assert len(rows) == 1
    assert rows[0]["user_id"].startswith("p-")
