"""The same statements by every route at once: each of them stands in the warehouse once."""

from __future__ import annotations

import threading
import uuid
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from schoolhouse.collect.bundles import BundleGroup
from schoolhouse.collect.files import find_files
from schoolhouse.collect.ingest import ingest_files
from schoolhouse.collect.pipeline import Pipeline
from schoolhouse.collect.spool import Bundle, read_stats
from schoolhouse.etl.handler import Handler
from schoolhouse.settings import Settings
from schoolhouse.warehouse.connection import Warehouse, open_warehouse
from schoolhouse.warehouse.health import run_checks
from tests.collect.xapi_site import serving
from tests.etl.conftest import jsonl, notification, video
from tests.ministack import Aws

Put = Callable[..., str]
SECTION = 123
DIRECT, BY_S3 = "direct", "s3"


def statements() -> list[dict[str, Any]]:
    """Half with an id, half without; all valid xAPI."""
    return [
        video(number, section=SECTION)
        | ({"id": str(uuid.uuid5(uuid.NAMESPACE_URL, f"{number}"))} if number % 2 else {})
        for number in range(60)
    ]


@pytest.mark.parametrize(("handle", "reader"), [("server", "native")], indirect=True)
def test_statements_sent_by_all_routes_at_once_land_once_each(
    etl_settings: Settings, aws: Aws, bucket: str, put: Put, tables: Warehouse, tmp_path: Path
) -> None:
    sent = statements()
    group = BundleGroup("section", str(SECTION), "video")
    (tmp_path / "a.jsonl").write_bytes(jsonl(sent))
    put(f"section/{SECTION}/video/2024-01-01T12-00-00.000Z_native.jsonl", sent)
    put(f"parquet/section/{SECTION}/video/2024-01-01T12-00-00.000Z_parquet.jsonl", sent)
    put(f"bulk/section/{SECTION}/video/2024-01-01T12-00-00.000Z_bulk.jsonl", sent)

    def settings(**changes: Any) -> Settings:
        folder = tmp_path / uuid.uuid4().hex
        own = {"data_dir": folder, "batch_timeout_ms": 20, "drain_seconds": 60}
        return etl_settings.model_copy(update=own | changes)

    def event(reader: str, key: str) -> None:
        with Handler(settings(etl_reader=reader)) as handler:
            handler.handle(notification(bucket, key))

    def bulk() -> None:
        with Handler(settings()) as handler:
            handler.handle({"mode": "bulk", "section_id": SECTION, "s3_prefix": "bulk/"})

    def pipeline() -> None:
        with Pipeline(settings(etl_mode=DIRECT)) as opened:
            opened.send(Bundle(group, jsonl(sent)))

    def ingest() -> None:
        with open_warehouse(settings(), who="tests") as warehouse:
            ingest_files(warehouse, find_files([str(tmp_path / "a.jsonl")]))

    def xapi(mode: str) -> None:
        prefix = f"xapi-{mode}"
        own = settings(etl_mode=mode, bundle_prefix=prefix)
        with serving(own) as site:
            assert site.post(sent).status == 200
        if mode == BY_S3:  # its spool is empty now; nothing went through it if all other routes were quicker
            stats = read_stats(own.spool_file)
            assert stats.delivered == stats.accepted
            found = aws.s3.list_objects_v2(Bucket=bucket, Prefix=prefix).get("Contents", [])
            assert bool(found) == bool(stats.accepted)
            with Handler(settings()) as handler:
                for entry in found:
                    handler.handle(notification(bucket, entry["Key"]))

    key = "section/123/video/2024-01-01T12-00-00.000Z_{}.jsonl".format
    routes: list[Callable[[], None]] = [
        lambda: event("native", key("native")),
        lambda: event("parquet", f"parquet/{key('parquet')}"),
        bulk,
        pipeline,
        ingest,
        lambda: xapi(DIRECT),
        lambda: xapi(BY_S3),
    ]
    failures: list[BaseException] = []

    def run(route: Callable[[], None]) -> None:
        try:
            route()
        except BaseException as error:
            failures.append(error)

    threads = [threading.Thread(target=run, args=(route,)) for route in routes]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert failures == []
    rows = tables.ask(
        "SELECT count(), uniqExact(event_id), countIf(is_conflict) FROM raw_events FINAL", why="tests"
    ).rows
    assert rows == [(60, 60, 0)]
    by_route = "SELECT route, sum(accepted) FROM loads FINAL WHERE finished_at IS NOT NULL GROUP BY route"
    accepted = dict(tables.ask(by_route, why="tests").rows)
    assert sum(accepted.values()) >= 5 * 60  # xAPI leaves out what it finds stored already
    passed = {check.name: check.passed for check in run_checks(tables)}
    assert passed["duplicates"]
    assert passed["conflicts"]
    assert tables.ask("SELECT sum(conflict) FROM loads FINAL", why="tests").value() == 0
