"""ClickHouse tables over the lake: SQL and charts join the datasets with `raw_events`.

Nothing is copied. A table is a view with the engine's Delta reader inside, so it is always as new as the lake. A local
lake is read from its directory: by the embedded engine of a process that runs in a directory above it (it opens no
other files), or by a server that sees the same directory under its `user_files`. A lake in a bucket is read with the
credentials of a named collection, or of the server itself.
"""

from __future__ import annotations

from dataclasses import dataclass
from importlib.resources import files
from pathlib import Path
from typing import TYPE_CHECKING, Final

from schoolhouse.errors import NotSupported, UsageError
from schoolhouse.lake import upkeep

if TYPE_CHECKING:
    from schoolhouse.lake.tables import Table
    from schoolhouse.lake.zones import Lake
    from schoolhouse.warehouse.connection import Warehouse

_READ: Final = {"processed", "aggregated"}


@dataclass(frozen=True)
class View:
    """A ClickHouse view and the Delta table that it reads."""

    name: str
    address: str


def create(warehouse: Warehouse, lake: Lake) -> list[View]:
    """Make a view `lake_<dataset>` for each dataset of the processed and aggregated zones.

    Raises:
        UsageError: the lake has no tables yet, or is out of the embedded engine's reach.
    """
    if warehouse.settings.is_embedded and lake.directory is not None and Path.cwd() not in lake.directory.parents:
        raise UsageError(
            f"The embedded engine reads files under the working directory alone, and the lake is {lake.directory}.",
            hint=f"Run this, and what asks the tables, in {warehouse.settings.data_dir.resolve()}.",
        )
    tables = [table for table in upkeep.tables(lake) if table.zone in _READ]
    if not tables:
        raise UsageError("The lake has no tables yet.", hint="Load a window first: schoolhouse lake run.")
    made = []
    for table in tables:
        view = View(f"lake_{table.name}", table.address)
        warehouse.run(_statement(warehouse, table, view), why="make a view over the lake")
        made.append(view)
    return made


def _statement(warehouse: Warehouse, table: Table, view: View) -> str:
    cluster = warehouse.settings.clickhouse_cluster
    text = files("schoolhouse.lake").joinpath("sql", "create_view.sql").read_text(encoding="utf-8")
    on_cluster = f"ON CLUSTER `{cluster}` " if cluster else ""
    return text.replace("{{view}}", view.name).replace("{{cluster}}", on_cluster).replace("{{source}}", _source(table))


def _source(table: Table) -> str:
    """The table function that reads the Delta table. No credentials are in it."""
    settings = table.lake.settings
    path = f"{settings.lake_base_path}/{table.zone}/{table.name}"
    if settings.lake_provider == "local":
        return f"deltaLakeLocal({_quoted(table.address)})"
    if settings.lake_provider == "gcs":
        url = f"https://storage.googleapis.com/{settings.lake_bucket}/{path}/"
    elif settings.aws_endpoint_url:
        url = f"{settings.aws_endpoint_url.rstrip('/')}/{settings.lake_bucket}/{path}/"
    else:
        region = settings.lake_region or settings.aws_region
        url = f"https://{settings.lake_bucket}.s3.{region}.amazonaws.com/{path}/"
    if settings.clickhouse_s3_collection:
        return f"deltaLake({settings.clickhouse_s3_collection}, url = {_quoted(url)})"
    if settings.lake_provider == "gcs":
        raise NotSupported(
            "ClickHouse reads a lake in GCS with HMAC keys only.",
            hint="Put them into a named collection, and name it in CLICKHOUSE_S3_COLLECTION.",
        )
    return f"deltaLake({_quoted(url)})"


def _quoted(text: str) -> str:
    return "'" + text.replace("\\", "\\\\").replace("'", "\\'") + "'"
