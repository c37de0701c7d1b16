"""Reads a manifest and makes the batches of an inventory run: one for each data file, with the objects that it holds.

Every data file is fetched once, its checksum verified and its keys counted through the run's filters, page by page. The
batches then stand in one transaction, so a worker that dies while it plans leaves nothing behind.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from sqlalchemy import Engine, delete, insert, select

from schoolhouse.backfill.chunks import ChunkLoader, LoadSpec, NothingStops
from schoolhouse.backfill.estimate import Tally, estimate
from schoolhouse.backfill.inventory import KeyFilter, Manifest, fetched, find_manifest, pages, read_manifest
from schoolhouse.backfill.places import Place, place_of
from schoolhouse.backfill.queue import Lease, held, move, settle_run
from schoolhouse.backfill.states import Act, State
from schoolhouse.backfill.tables import batches, clock, moment, transaction
from schoolhouse.errors import SettingsError
from schoolhouse.etl.aws import s3_client
from schoolhouse.settings import Settings

GoOn = Callable[[], None]


def plan(engine: Engine, lease: Lease, settings: Settings, run: dict[str, Any], go_on: GoOn) -> None:
    """Plan a run; a dry run ends here, with its estimate.

    Raises:
        InventoryError: a manifest or data file is not what it should be.
        StorageError: S3 does not give them.
    """
    place = _located(run, settings)
    settings = place.settings(settings)
    s3 = s3_client(settings)
    manifest = read_manifest(s3, place.bucket, place.key)
    tally = Tally(int(run["id"]))
    planned: list[dict[str, Any]] = []
    spec = LoadSpec(run["format"], run["clickhouse_settings"], run["options"], bool(run["force"]))
    loader = ChunkLoader(settings, spec, NothingStops()) if run["dry_run"] else None
    try:
        for sequence, file in enumerate(manifest.files, start=1):
            objects = filtered = 0
            with fetched(s3, manifest.bucket, file) as path:
                for page in pages(path, manifest, key_filter(run), page_size=int(run["manifest_page_size"])):
                    go_on()
                    objects += len(page.sources)
                    filtered += page.filtered
                    tally.add([source for _, source in page.sources], loader)
            planned.append(
                {
                    "sequence": sequence,
                    "parquet_key": file.key,
                    "checksum": file.md5,
                    "object_count": objects,
                    "filtered_objects": filtered,
                }
            )
        facts = (
            estimate(engine, loader, tally, spec, int(run["batch_chunk_size"]), int(run["max_simultaneous_batches"]))
            if loader
            else {}
        )
    finally:
        if loader:
            loader.close()
    _store(engine, lease, place, manifest, planned, tally, facts)


def _store(
    engine: Engine,
    lease: Lease,
    place: Place,
    manifest: Manifest,
    planned: list[dict[str, Any]],
    tally: Tally,
    facts: dict[str, Any],
) -> None:
    with transaction(engine) as connection:
        row = held(connection, lease)
        if row["status"] != State.PREPARING:
            return
        now = clock(connection)
        details = {
            "manifest": {
                "source_bucket": manifest.source_bucket,
                "format": manifest.file_format,
                "created": manifest.created,
                "files": len(manifest.files),
            }
        }
        values: dict[str, Any] = {
            "manifest_url": _address(place),
            "manifest_bucket": manifest.bucket,
            "metadata": {**row["metadata"], **details, **({"estimate": facts} if facts else {})},
            "total_objects": tally.files,
            "total_bytes": tally.bytes,
            "filtered_objects": sum(batch["filtered_objects"] for batch in planned),
            "lease_owner": "",
            "lease_until": 0.0,
        }
        connection.execute(delete(batches).where(batches.c.run_id == lease.id))
        if facts or not planned:
            done = {"finished_at": moment(now), "total_batches": len(planned), "rows_read": facts.get("rows", 0)}
            move(connection, "inventory", row, Act.COMPLETE, **values, **done)
            return
        connection.execute(
            insert(batches),
            [{**batch, "run_id": lease.id, "status": State.PENDING, "created_at": moment(now)} for batch in planned],
        )
        move(connection, "inventory", row, Act.PLANNED, **values)
        settle_run(connection, lease.id, now)


def has_plan(connection: Any, run_id: int) -> bool:
    """Whether the batches of a run stand."""
    return connection.execute(select(batches.c.id).where(batches.c.run_id == run_id).limit(1)).first() is not None


def manifest_place(run: dict[str, Any], settings: Settings) -> Place:
    """Where a planned run's manifest is; its address is checked again."""
    return place_of(run["manifest_url"], settings)


def inventory_prefix(run: dict[str, Any], settings: Settings) -> str:
    """The address under which the inventories of a run lie.

    Raises:
        SettingsError: neither the run nor the settings name one.
    """
    if run["inventory_prefix"]:
        return str(run["inventory_prefix"])
    if not settings.backfill_inventory_bucket:
        raise SettingsError(
            "No inventory is named.",
            hint="Give the manifest's address or a prefix, or set BACKFILL_INVENTORY_BUCKET and …_PREFIX.",
        )
    return f"s3://{settings.backfill_inventory_bucket}/{settings.backfill_inventory_prefix or '/'}"


def _located(run: dict[str, Any], settings: Settings) -> Place:
    if run["manifest_url"]:
        return place_of(run["manifest_url"], settings)
    prefix = place_of(inventory_prefix(run, settings), settings)
    key = find_manifest(s3_client(prefix.settings(settings)), prefix.bucket, prefix.key, run["inventory_date"])
    return Place(prefix.bucket, key, prefix.endpoint_url)


def _address(place: Place) -> str:
    start = f"{place.endpoint_url}/" if place.endpoint_url else "s3://"
    return f"{start}{place.bucket}/{place.key}"


def key_filter(run: dict[str, Any]) -> KeyFilter:
    """Which keys a run wants."""
    endings = (".parquet",) if run["format"] == "parquet" else (".jsonl", ".ndjson", ".json")
    return KeyFilter(
        prefix=run["key_prefix"],
        section_ids=frozenset(run["section_ids"]),
        since=run["date_range_start"],
        until=run["date_range_end"],
        endings=endings,
    )
