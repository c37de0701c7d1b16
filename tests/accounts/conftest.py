"""The app's own database, on SQLite and on Postgres."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from sqlalchemy import Engine

from schoolhouse.database import open_database
from schoolhouse.settings import load_settings


@pytest.fixture(params=["sqlite", "postgres"])
def engine(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Engine]:
    """An empty database."""
    url = request.getfixturevalue("postgres_url") if request.param == "postgres" else ""
    opened = open_database(load_settings(data_dir=tmp_path, database_url=url))
    yield opened
    opened.dispose()
