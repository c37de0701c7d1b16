"""The app's own database, on SQLite and on Debian's Postgres."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from sqlalchemy import Column, Integer, Table, inspect, text

from schoolhouse.database import metadata, open_database
from schoolhouse.errors import DatabaseError, SettingsError
from schoolhouse.settings import load_settings


@pytest.fixture
def notes() -> Table:
    """A table that only this module knows."""
    table = Table("notes_of_a_test", metadata, Column("id", Integer, primary_key=True), extend_existing=True)
    yield table
    metadata.remove(table)


def test_without_a_url_it_lies_in_the_data_directory(tmp_path: Path, notes: Table) -> None:
    engine = open_database(load_settings(data_dir=tmp_path / "data"))
    with engine.begin() as connection:
        connection.execute(notes.insert().values(id=7))
        assert connection.scalar(text("PRAGMA journal_mode")) == "wal"
    engine.dispose()
    assert (tmp_path / "data" / "schoolhouse.sqlite").is_file()


def test_many_may_open_it_at_once(tmp_path: Path, notes: Table) -> None:
    settings = load_settings(data_dir=tmp_path)

    def tables(_: int) -> list[str]:
        engine = open_database(settings)
        names = inspect(engine).get_table_names()
        engine.dispose()
        return names

    with ThreadPoolExecutor(4) as pool:
        assert all(notes.name in names for names in pool.map(tables, range(8)))


def test_postgres_holds_it_as_well(postgres_url: str, notes: Table) -> None:
    engine = open_database(load_settings(database_url=postgres_url))
    assert notes.name in inspect(engine).get_table_names()
    engine.dispose()


def test_a_database_that_is_away_is_named_without_its_password(notes: Table) -> None:
    with pytest.raises(DatabaseError) as caught:
        open_database(load_settings(database_url="postgresql://somebody:secret-word@127.0.0.1:1/nothing"))
    assert "127.0.0.1:1/nothing" in str(caught.value)
    assert "secret-word" not in str(caught.value)


def test_why_a_file_cannot_be_the_database_is_told(tmp_path: Path, notes: Table) -> None:
    with pytest.raises(DatabaseError, match=r"unable to open database file\. Check that its disk"):
        open_database(load_settings(database_url=f"sqlite:///{tmp_path}/no such directory/x.sqlite"))


def test_a_password_with_an_at_sign_or_among_the_options_is_not_told(notes: Table) -> None:
    for url in (
        "postgresql://a:b@secret-word@127.0.0.1:1/nothing",
        "postgresql://127.0.0.1:1/nothing?password=secret-word",
    ):
        with pytest.raises(DatabaseError) as caught:
            open_database(load_settings(database_url=url))
        assert "127.0.0.1:1/nothing" in str(caught.value)
        assert "secret-word" not in str(caught.value)


@pytest.mark.parametrize("url", ["nonsense", "nosuchthing://host/name", "postgresql://host:port/name"])
def test_a_url_of_something_else_is_a_wrong_setting(url: str) -> None:
    with pytest.raises(SettingsError, match="DATABASE_URL"):
        open_database(load_settings(database_url=url))
