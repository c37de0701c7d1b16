"""`schoolhouse user`, `token` and `flag`, as somebody types them."""

from __future__ import annotations

import io
import json
from pathlib import Path
from typing import Any

import pytest

from schoolhouse.cli import main


@pytest.fixture(autouse=True)
def own_data_dir(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("SCHOOLHOUSE_DATA_DIR", str(tmp_path))


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


def test_accounts_are_added_listed_changed_and_removed(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    def schoolhouse(*words: str, typed: str = "") -> tuple[int, Any]:
        return run(capsys, monkeypatch, *words, typed=typed)

    code, added = schoolhouse(
        "user", "add", "Ann", "--section", "42@https://torus.example", "--password-stdin", "--json",
        typed="correct horse battery\n",
    )  # fmt: skip
    assert (code, added["name"], added["sections"]) == (0, "ann", ["42@https://torus.example"])
    assert added["may_see_learner_identifiers"] is True
    assert schoolhouse("user", "add", "root", "--role", "admin", "--no-password")[0] == 0
    code, changed = schoolhouse("user", "role", "ann", "author", "--project", "7@https://torus.example", "--json")
    assert (code, changed["sections"], changed["projects"]) == (0, [], ["7@https://torus.example"])
    assert schoolhouse("user", "passwd", "ann", "--password-stdin", typed="another long one\n")[0] == 0
    assert [each["name"] for each in schoolhouse("user", "list", "--json")[1]] == ["ann", "root"]
    assert schoolhouse("user", "remove", "ann")[0] == 0
    code, said = schoolhouse("user", "remove", "root")
    assert code == 2
    assert "last admin" in said


def test_bad_names_passwords_and_sections_are_bad_usage(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    for words, says in (
        (("user", "add", "two words", "--no-password"), "cannot be called"),
        (("user", "add", "x", "--password-stdin"), "10 to 1,000 characters"),
        (("user", "add", "x", "--role", "king", "--no-password"), "no role"),
        (("user", "add", "x", "--section", "course-v1:a", "--no-password"), "names no section"),
    ):
        code, said = run(capsys, monkeypatch, *words, typed="short\n")
        assert code == 2
        assert says in said
        assert "Traceback" not in said


@pytest.mark.parametrize("typed", ["", "\n"])
def test_an_empty_line_is_no_password(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, typed: str
) -> None:
    code, said = run(capsys, monkeypatch, "user", "add", "x", "--role", "admin", "--password-stdin", typed=typed)
    assert code == 2
    assert "standard input is empty" in said
    assert run(capsys, monkeypatch, "user", "list", "--json")[1] == []


def test_a_token_is_shown_once(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    run(capsys, monkeypatch, "user", "add", "root", "--role", "admin", "--no-password")
    _, made = run(capsys, monkeypatch, "token", "create", "root", "--name", "nightly", "--days", "30", "--json")
    assert made["token"].startswith("sht_")
    _, listed = run(capsys, monkeypatch, "token", "list", "--json")
    assert [(token["account"], token["name"], token["last_used_at"]) for token in listed] == [("root", "nightly", None)]
    assert made["token"] not in json.dumps(listed)
    assert run(capsys, monkeypatch, "token", "revoke", str(listed[0]["id"]))[0] == 0
    assert run(capsys, monkeypatch, "token", "list", "--json")[1] == []


def test_flags_are_listed_and_set(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    words = ("flag", "set", "section-analytics", "--share", "5", "--on", "42@https://torus.example")
    assert run(capsys, monkeypatch, *words)[0] == 0
    _, listed = run(capsys, monkeypatch, "flag", "list", "--json")
    [flag] = [each for each in listed if each["flag"] == "section-analytics"]
    assert (flag["share_percent"], flag["on_for"]) == (5, ["42@https://torus.example"])
    assert run(capsys, monkeypatch, "flag", "set", "no-such-flag", "--share", "5")[0] == 2


def test_a_flag_is_switched_for_the_section_and_the_account_that_are_looked_up(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    code, said = run(capsys, monkeypatch, "flag", "set", "section-analytics", "--off", "course-v1:a")
    assert (code, "names no section" in said) == (2, True)
    assert run(capsys, monkeypatch, "flag", "set", "clickhouse-olap", "--off", "Ann")[0] == 0
    _, listed = run(capsys, monkeypatch, "flag", "list", "--json")
    assert {each["flag"]: each["off_for"] for each in listed if each["off_for"]} == {"clickhouse-olap": ["ann"]}


@pytest.mark.parametrize("number", ["99999999999999999999", "0"])
@pytest.mark.parametrize(
    "words", [("token", "revoke"), ("backfill", "manual", "show"), ("backfill", "inventory", "cancel")]
)
def test_a_number_that_no_row_can_have_is_bad_usage(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, words: tuple[str, ...], number: str
) -> None:
    code, said = run(capsys, monkeypatch, *words, number)
    assert (code, "Invalid value" in said) == (2, True)
