"""Warehouses with tables in them: `tables` for one test alone, `shared_tables` for all tests of a module.

Making the tables takes two seconds, so tests that look only at rows of their own loads share a warehouse.
"""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from schoolhouse.warehouse import migrations
from schoolhouse.warehouse.connection import Warehouse, open_warehouse
from tests.conftest import settings_on


@pytest.fixture
def tables(warehouse: Warehouse) -> Warehouse:
    """A writer on a migrated warehouse of the test's own."""
    migrations.up(warehouse)
    return warehouse


@pytest.fixture(scope="module", params=["embedded", "server"])
def shared_tables(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Warehouse]:
    """A writer on a migrated warehouse that the module's tests share."""
    settings = settings_on(request.param, request, data_dir=tmp_path_factory.mktemp("shared"))
    with open_warehouse(settings, who="tests", must_exist=False) as warehouse:
        migrations.up(warehouse)
        yield warehouse
        warehouse.run(f"DROP DATABASE `{warehouse.database}` SYNC", why="tidy up after a module")
