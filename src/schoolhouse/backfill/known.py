"""Which objects the warehouse has already."""

from __future__ import annotations

from schoolhouse.backfill.patterns import Source
from schoolhouse.warehouse.bound_values import portions, text_bytes
from schoolhouse.warehouse.connection import Warehouse
from schoolhouse.warehouse.statements import statement


def known_objects(warehouse: Warehouse, sources: list[Source], *, why: str) -> dict[tuple[str, str], str]:
    """The names of the loads that brought some of these objects, by URI and ETag; other versions of them too."""
    sql = statement("list_known_objects", "schoolhouse.backfill.sql")
    known: dict[tuple[str, str], str] = {}
    for uris in portions((source.uri for source in sources), text_bytes):
        rows = warehouse.ask(sql, {"sources": uris}, why=why).rows
        known |= {(uri, etag): brought_by for uri, etag, brought_by in rows}
    return known
