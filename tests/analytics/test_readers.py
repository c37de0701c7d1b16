"""The pool lends read-only handles, one to a caller, with limits."""

from __future__ import annotations

from pathlib import Path

import pytest

from schoolhouse.analytics.readers import Readers
from schoolhouse.errors import QueryLimitExceeded, QueryRefused, WarehouseNotReady, WarehouseUnavailable
from schoolhouse.settings import Settings, load_settings


def test_a_handle_comes_back_and_is_lent_again(campus_settings: Settings) -> None:
    readers = Readers(campus_settings, size=1)
    with readers.lend("first") as handle:
        assert handle.who == "first"
    with readers.lend("second") as again:
        assert again is handle
        assert again.who == "second"
    readers.close()


def test_who_waits_too_long_hears_that_all_are_busy(campus_settings: Settings) -> None:
    readers = Readers(campus_settings, size=1, wait_seconds=0)
    with readers.lend("first"), pytest.raises(WarehouseUnavailable, match="busy"), readers.lend("second"):
        pass
    assert readers.ask("SELECT 1", who="third", why="tests").value() == 1
    readers.close()


def test_readers_cannot_write(campus_settings: Settings) -> None:
    readers = Readers(campus_settings)
    with pytest.raises(QueryRefused):
        readers.ask("INSERT INTO loads (load_id) VALUES (1)", who="tests", why="tests")
    assert readers.ask("SELECT count() FROM loads WHERE load_id = 1", who="tests", why="tests").value() == 0
    readers.close()


def test_an_answer_longer_than_the_limit_is_an_error(campus_settings: Settings) -> None:
    readers = Readers(campus_settings)
    with pytest.raises(QueryLimitExceeded):
        readers.ask("SELECT number FROM numbers(200000)", who="tests", why="tests")
    readers.close()


def test_a_handle_that_comes_back_after_the_end_is_closed(campus_settings: Settings) -> None:
    readers = Readers(campus_settings)
    with readers.lend("tests"):
        readers.close()
    assert readers._idle == []


def test_a_missing_warehouse_is_not_made(tmp_path: Path) -> None:
    readers = Readers(load_settings(data_dir=tmp_path / "nowhere"))
    with pytest.raises(WarehouseNotReady):
        readers.ask("SELECT 1", who="tests", why="tests")
    assert not (tmp_path / "nowhere").exists()
