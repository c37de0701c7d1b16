"""`shared_tables`: a warehouse that the tests of a module share, for tests that look only at their own loads' rows."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from schoolhouse.warehouse.connection import Warehouse, open_warehouse
from tests.conftest import settings_on
from tests.migrated import MigratedDatabases


@pytest.fixture(scope="module", params=["embedded", "server"])
def shared_tables(
    request: pytest.FixtureRequest, migrated_databases: MigratedDatabases, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Warehouse]:
    """A writer on a migrated warehouse, empty for the module's first test."""
    settings = settings_on(request.param, request, data_dir=tmp_path_factory.mktemp("shared"))
    with open_warehouse(migrated_databases.empty(f"{request.param}, a module", settings), who="tests") as warehouse:
        yield warehouse
