"""Makes the embedded warehouse that SCHOOLHOUSE_DATA_DIR names, and loads the small campus into it."""

from __future__ import annotations

from schoolhouse.settings import load_settings
from schoolhouse.warehouse import migrations
from schoolhouse.warehouse.connection import open_warehouse
from tests.given import load, small_campus

if __name__ == "__main__":
    with open_warehouse(load_settings(), who="tests", must_exist=False) as warehouse:
        migrations.up(warehouse)
        load(warehouse, small_campus())
