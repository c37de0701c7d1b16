"""Runs over real parts: MiniStack, the warehouse, SQLite or Postgres; and inventories as AWS writes them."""

from __future__ import annotations

import csv
import gzip
import hashlib
import io
import json
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any
from urllib.parse import quote_plus

import pyarrow as pa
import pytest
from pyarrow import orc, parquet
from sqlalchemy import Engine

import schoolhouse.backfill.tables  # noqa: F401 - declares the tables
from schoolhouse.backfill.requests import read_request
from schoolhouse.backfill.runs import create_run, read_run
from schoolhouse.backfill.worker import Worker
from schoolhouse.database import open_database
from schoolhouse.settings import Settings
from schoolhouse.warehouse.connection import Warehouse
from tests.ministack import Aws

INVENTORY = "inventories/daily"
DAY = "2024-06-01"


@dataclass(frozen=True)
class Lab:
    """A run's surroundings, and short ways to make and do runs."""

    engine: Engine
    settings: Settings
    bucket: str

    def create(self, kind: Any, **values: Any) -> dict[str, Any]:
        if kind == "inventory" and "manifest_url" not in values:
            values.setdefault("inventory_date", DAY)
        return create_run(self.engine, self.settings, read_request(kind, values), initiated_by="tests")

    def work(self, *, threads: int = 1) -> None:
        Worker(self.engine, self.settings, threads=threads).run(until_idle=True)

    def run(self, kind: Any, **values: Any) -> dict[str, Any]:
        """Make a run, do it, and give what became of it."""
        made = self.create(kind, **values)
        self.work()
        return read_run(self.engine, kind, made["id"])


@pytest.fixture
def warehouse(tables: Warehouse) -> Warehouse:
    """The migrated warehouse that the runs load into."""
    return tables


@pytest.fixture
def backfill_settings(aws: Aws, bucket: str, migrated_settings: Settings, tmp_path: Any) -> Settings:
    """Settings of runs over the test's own bucket, the migrated warehouse, and a database of the test's own."""
    return migrated_settings.model_copy(
        update={
            "aws_endpoint_url": aws.url,
            "s3_bucket": bucket,
            "database_url": type(migrated_settings.database_url)(f"sqlite:///{tmp_path}/app.sqlite"),
            "backfill_inventory_bucket": bucket,
            "backfill_inventory_prefix": INVENTORY,
            "backfill_lease_seconds": 2,
            "backfill_outage_seconds": 0,
            "backfill_local_dirs": str(tmp_path),
        }
    )


@pytest.fixture
def lab(backfill_settings: Settings, bucket: str) -> Iterator[Lab]:
    engine = open_database(backfill_settings)
    yield Lab(engine, backfill_settings, bucket)
    engine.dispose()


@pytest.fixture
def put_inventory(aws: Aws, bucket: str) -> Callable[..., str]:
    """Writes an inventory of keys, split into data files; gives the manifest's key."""

    def _put(
        files: Sequence[Sequence[str]], *, form: str = "CSV", has_etags: bool = True, day: str = DAY, spoil: str = ""
    ) -> str:
        listed = _listed(aws, bucket) if has_etags else {}
        base = f"{INVENTORY}/{day}T01-00Z"
        facts = []
        for number, keys in enumerate(files):
            body = data_file([(bucket, key, *listed.get(key, ("", ""))) for key in keys], form, has_etags=has_etags)
            name = f"{INVENTORY}/data/{day}-{number}.{form.lower()}"
            aws.s3.put_object(Bucket=bucket, Key=name, Body=body + (b"x" if spoil == "data" else b""))
            digest = hashlib.md5(body).hexdigest()
            facts.append({"key": name, "size": len(body), "MD5checksum": digest})
        manifest = manifest_of(bucket, form, facts, has_etags=has_etags)
        aws.s3.put_object(Bucket=bucket, Key=f"{base}/manifest.json", Body=manifest)
        checksum = hashlib.md5(manifest + (b"x" if spoil == "manifest" else b"")).hexdigest()
        aws.s3.put_object(Bucket=bucket, Key=f"{base}/manifest.checksum", Body=checksum.encode())
        return f"{base}/manifest.json"

    return _put


def _listed(aws: Aws, bucket: str) -> dict[str, tuple[str, str]]:
    pages = aws.s3.get_paginator("list_objects_v2").paginate(Bucket=bucket)
    return {
        entry["Key"]: (str(entry["Size"]), entry["ETag"].strip('"')) for page in pages for entry in page["Contents"]
    }


def manifest_of(bucket: str, form: str, files: list[dict[str, Any]], *, has_etags: bool) -> bytes:
    """A manifest.json as AWS documents it."""
    columns = "Bucket, Key, Size, ETag" if has_etags else "Bucket, Key"
    schema = columns if form == "CSV" else "message s3.inventory { required binary bucket (STRING); … }"
    return json.dumps(
        {
            "sourceBucket": bucket,
            "destinationBucket": f"arn:aws:s3:::{bucket}",
            "version": "2016-11-30",
            "creationTimestamp": "1717200000000",
            "fileFormat": form,
            "fileSchema": schema,
            "files": files,
        }
    ).encode()


def data_file(rows: list[tuple[str, ...]], form: str, *, has_etags: bool) -> bytes:
    """A data file of an inventory: CSV has no head, quotes everything, and encodes its keys."""
    if form == "CSV":
        text = io.StringIO()
        writer = csv.writer(text, quoting=csv.QUOTE_ALL)
        for name, key, *rest in rows:
            writer.writerow([name, quote_plus(key, safe="/"), *(rest if has_etags else [])])
        return gzip.compress(text.getvalue().encode())
    columns: dict[str, Any] = {"bucket": [row[0] for row in rows], "key": [row[1] for row in rows]}
    if has_etags:
        columns |= {"size": [int(row[2] or -1) for row in rows], "e_tag": [row[3] for row in rows]}
    sink = io.BytesIO()
    if form == "Parquet":
        parquet.write_table(pa.table(columns), sink)
    else:
        orc.write_table(pa.table(columns), sink)
    return sink.getvalue()
