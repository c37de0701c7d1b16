"""Two warehouses, on both handles."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from schoolhouse.warehouse.connection import open_warehouse
from tests.analytics.scoped_sql.questions import TwoWarehouses, fill
from tests.conftest import settings_on


@pytest.fixture(scope="session", params=["embedded", "server"])
def two(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[TwoWarehouses]:
    """A warehouse of many sections, and one of section 42 alone."""
    made = [settings_on(request.param, request, data_dir=tmp_path_factory.mktemp("scoped")) for _ in range(2)]
    fill(*made)
    with open_warehouse(made[0], role="reader", who="tests"):  # keeps the engine up between questions
        yield TwoWarehouses(*made)
    for settings in made:
        with open_warehouse(settings, who="tests") as warehouse:
            warehouse.run(f"DROP DATABASE `{settings.clickhouse_database}` SYNC", why="tidy up after tests")
