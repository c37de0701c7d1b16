"""`serve.json` is private, goes with its process, and lets another process ask."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from schoolhouse.errors import QueryError, QueryRefused, SchoolhouseError
from schoolhouse.settings import load_settings
from schoolhouse.web.running import FILE_NAME, announced, ask_through_serve, find_running_serve
from tests.web.conftest import TOKEN, Site


def _dead_pid() -> int:
    child = subprocess.Popen([sys.executable, "-c", ""])
    child.wait()
    return child.pid


def test_the_file_is_its_owners_alone_and_goes_at_the_end(tmp_path: Path) -> None:
    settings = load_settings(data_dir=tmp_path / "data")
    with announced(settings, "http://127.0.0.1:1", "secret") as running:
        path = settings.data_dir / FILE_NAME
        assert path.stat().st_mode & 0o777 == 0o600
        assert find_running_serve(settings) == running
        assert "secret" not in repr(running)
    assert not path.exists()
    assert list(settings.data_dir.iterdir()) == []


def test_a_serve_that_ends_leaves_the_file_of_a_later_one(tmp_path: Path) -> None:
    settings = load_settings(data_dir=tmp_path)
    with announced(settings, "http://127.0.0.1:1", "older"):
        later = announced(settings, "http://127.0.0.1:2", "later")
        newer = later.__enter__()
    assert find_running_serve(settings) == newer
    later.__exit__(None, None, None)
    assert find_running_serve(settings) is None


@pytest.mark.parametrize("text", ["", "{", "[]", "{}", '{"address": 1, "pid": "x", "token": ""}', "null"])
def test_a_broken_file_names_nobody(tmp_path: Path, text: str) -> None:
    (tmp_path / FILE_NAME).write_text(text)
    assert find_running_serve(load_settings(data_dir=tmp_path)) is None


def test_nobody_is_asked_when_the_process_is_dead_or_does_not_listen(tmp_path: Path) -> None:
    settings = load_settings(data_dir=tmp_path)
    assert ask_through_serve(settings, "SELECT 1", "JSON") is None
    for pid in (_dead_pid(), os.getpid()):
        facts = {"address": "http://127.0.0.1:1", "pid": pid, "token": "t"}
        (tmp_path / FILE_NAME).write_text(json.dumps(facts))
        assert ask_through_serve(settings, "SELECT 1", "JSON") is None


def test_a_question_goes_through_the_running_serve(site: Site, tmp_path: Path) -> None:
    settings = load_settings(data_dir=tmp_path)
    with announced(settings, site.address, TOKEN):
        answer = ask_through_serve(settings, "SELECT count() AS n FROM raw_events FINAL", "JSONEachRow")
        assert answer is not None
        assert int(json.loads(answer)["n"]) == 205


def test_the_errors_there_are_the_errors_here(site: Site, tmp_path: Path) -> None:
    settings = load_settings(data_dir=tmp_path)
    with announced(settings, site.address, TOKEN):
        with pytest.raises(QueryRefused):
            ask_through_serve(settings, "DROP TABLE raw_events", "JSON")
        with pytest.raises(QueryError, match="no_such_table") as wrong:
            ask_through_serve(settings, "SELECT 1 FROM no_such_table", "JSON")
        assert wrong.value.exit_code == 1
    with announced(settings, site.address, "wrong"), pytest.raises(SchoolhouseError, match="token"):
        ask_through_serve(settings, "SELECT 1", "JSON")
