"""Readers that ask as pages do: on a warehouse of the test's own, or on the campus that tests share."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from schoolhouse.analytics.readers import Readers
from schoolhouse.settings import Settings
from schoolhouse.warehouse.connection import Warehouse


@pytest.fixture
def readers(tables: Warehouse) -> Iterator[Readers]:
    """On a warehouse of the test's own, which it may change."""
    opened = Readers(tables.settings)
    yield opened
    opened.close()


@pytest.fixture
def campus(campus_settings: Settings) -> Iterator[Readers]:
    """On the campus that tests share."""
    opened = Readers(campus_settings)
    yield opened
    opened.close()
