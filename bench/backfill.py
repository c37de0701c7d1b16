"""How fast an inventory run brings objects in, beside one plain INSERT … SELECT FROM s3(glob); and what the rest costs.

    python -m bench.backfill [--objects 1000] [--keys 1000000 10000000] [--only plan]

Both load the same objects of 1 MB into fresh databases of the embedded engine, from MiniStack on this machine, whose
own CPU is part of both. The plain way neither counts nor records anything. Also: the CPU that leases, logs and
positions cost a chunk (the threads' own, without the load), and how long the plans of large inventories take, with the
memory of each, in a process of its own.
"""

from __future__ import annotations

import argparse
import gzip
import hashlib
import io
import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

import boto3
import pyarrow as pa
from pyarrow import parquet
from tests.ministack import running_ministack

from bench.etl import BUNDLE_BYTES, PLAIN, bundles, lines
from schoolhouse.backfill import tables
from schoolhouse.backfill.chunks import Chunk, ChunkResult
from schoolhouse.backfill.jobs import do
from schoolhouse.backfill.patterns import Source
from schoolhouse.backfill.queue import beat, claim
from schoolhouse.backfill.records import Ended, record_chunk
from schoolhouse.backfill.requests import read_request
from schoolhouse.backfill.runs import create_run, read_run
from schoolhouse.backfill.tables import clock, moment, transaction
from schoolhouse.backfill.worker import Worker
from schoolhouse.database import open_database
from schoolhouse.settings import Settings, load_settings
from schoolhouse.warehouse import migrations
from schoolhouse.warehouse.connection import Warehouse, open_warehouse
from schoolhouse.warehouse.statements import statement

PROMISED = {"ratio": 0.75, "orchestration_cpu_ms_a_chunk": 5, "plan_seconds": 60, "plan_megabytes": 500}
BUCKET = "bench-backfill"
KEYS_OF_A_FILE = 500_000
Row = tuple[str, int, str]  # key, size, ETag


class Inventories:
    """Writes inventories as AWS does, one data file at a time."""

    def __init__(self, s3: Any) -> None:
        self._s3 = s3

    def put(self, name: str, files: Iterable[list[Row]], *, form: str = "CSV") -> str:
        """An inventory; gives the manifest's address."""
        facts = []
        for number, rows in enumerate(files):
            body = _csv(rows) if form == "CSV" else _parquet(rows)
            key = f"{name}/data/{number}.{form.lower()}"
            self._s3.put_object(Bucket=BUCKET, Key=key, Body=body)
            facts.append({"key": key, "size": len(body), "MD5checksum": hashlib.md5(body).hexdigest()})
        manifest = {
            "sourceBucket": BUCKET,
            "destinationBucket": f"arn:aws:s3:::{BUCKET}",
            "fileFormat": form,
            "fileSchema": "Bucket, Key, Size, ETag",
            "files": facts,
        }
        self._s3.put_object(Bucket=BUCKET, Key=f"{name}/manifest.json", Body=json.dumps(manifest).encode())
        return f"s3://{BUCKET}/{name}/manifest.json"


def _csv(rows: list[Row]) -> bytes:
    return gzip.compress("".join(f'"{BUCKET}","{key}","{size}","{etag}"\n' for key, size, etag in rows).encode(), 1)


def _parquet(rows: list[Row]) -> bytes:
    keys, sizes, etags = zip(*rows, strict=True)
    sink = io.BytesIO()
    columns = {"bucket": [BUCKET] * len(rows), "key": keys, "size": sizes, "e_tag": etags}
    parquet.write_table(pa.table(columns), sink)
    return sink.getvalue()


def made_up_keys(count: int) -> Iterator[list[Row]]:
    """Keys of bundles of 400 sections over a year, as many as a data file holds at a time."""
    days = [f"2023-{1 + n % 12:02}-{1 + n % 28:02}T{n % 24:02}-{n % 60:02}-00.000Z" for n in range(2000)]
    for start in range(0, count, KEYS_OF_A_FILE):
        yield [
            (f"section/{n % 400}/video/{days[n % 2000]}_{n:x}.jsonl", 1000, f"{n:032x}")
            for n in range(start, min(start + KEYS_OF_A_FILE, count))
        ]


def planning(url: str, s3: Any, directory: Path, keys: int, form: str) -> dict[str, Any]:
    """Seconds, CPU and peak memory of the plan of a large inventory, in a process of its own."""
    manifest = Inventories(s3).put(f"plan-{form}-{keys}", made_up_keys(keys), form=form)
    command = [sys.executable, "-m", "bench.backfill", "--plan", url, manifest, str(directory / f"{form}-{keys}")]
    facts: dict[str, Any] = json.loads(subprocess.check_output(command, text=True))
    assert facts["keys"] == keys, facts
    return {"form": form, **facts}


def plan_here(url: str, manifest: str, directory: str) -> None:
    """Plan, and print what it took."""
    settings = load_settings(data_dir=directory, aws_endpoint_url=url)
    engine = open_database(settings)
    values = {"manifest_url": manifest, "date_range_start": "2023-02-01"}
    made = create_run(engine, settings, read_request("inventory", values), initiated_by="bench")
    started, started_cpu = time.perf_counter(), time.process_time()
    lease = claim(engine, "bench", seconds=600)
    assert lease is not None
    do(engine, lease, settings, must_end=lambda: False)
    seconds, cpu = time.perf_counter() - started, time.process_time() - started_cpu
    run = read_run(engine, "inventory", made["id"])
    facts = {
        "keys": run["total_objects"] + run["filtered_objects"],
        "seconds": round(seconds, 1),
        "cpu_seconds": round(cpu, 1),
        "megabytes": peak_megabytes(),
    }
    print(json.dumps(facts))


def orchestration(settings: Settings, chunks: int) -> float:
    """CPU milliseconds that a chunk of an inventory run costs beside its load: log, counts, position, heartbeat."""
    engine = open_database(settings)
    request = read_request("inventory", {"manifest_url": "s3://bucket/manifest.json"})
    create_run(engine, settings, request, initiated_by="bench")
    with transaction(engine) as connection:
        now = moment(clock(connection))
        connection.execute(tables.inventory_runs.update().values(status="running", started_at=now))
        batch = {"run_id": 1, "sequence": 1, "parquet_key": "data", "object_count": 10**6}
        connection.execute(tables.batches.insert().values(**batch, status="queued", created_at=now))
    lease = claim(engine, "bench", seconds=600)
    assert lease is not None
    sources = [Source("bucket", f"section/1/video/{number}.jsonl", "etag", 1) for number in range(25)]
    ended = Ended("completed", ChunkResult(loaded_objects=25, rows_read=1000))
    for index in range(1, chunks + 11):
        if index == 11:  # the first ones compile their statements
            started = time.process_time()
        chunk = Chunk(f"bench, chunk {index}", index, f"bench_{index}", sources, is_redone=False)
        record_chunk(engine, lease, chunk, ended, str(index * 25))
        beat(engine, lease, seconds=600)
    milliseconds = (time.process_time() - started) / chunks * 1000
    engine.dispose()
    return milliseconds


def peak_megabytes() -> int:
    """Peak memory of this process; what `getrusage` tells begins with the peak of the process that started it."""
    line = next(line for line in Path("/proc/self/status").read_text().splitlines() if line.startswith("VmHWM"))
    return int(line.split()[1]) // 1024


class Archive:
    """Objects of 1 MB in S3, and the ways to load them."""

    def __init__(self, settings: Settings, s3: Any, directory: Path, objects: int) -> None:
        self._settings = settings
        bodies = bundles(lines(objects * 700, directory), size_bytes=BUNDLE_BYTES)[:objects]
        listed: list[Row] = []
        for number, body in enumerate(bodies):
            key = f"section/1/video/{number:05}.jsonl"
            etag = s3.put_object(Bucket=BUCKET, Key=key, Body=body)["ETag"].strip('"')
            listed.append((key, len(body), etag))
        self.objects = len(bodies)
        self.statements = sum(body.count(b"\n") + 1 for body in bodies)
        self._manifest = Inventories(s3).put("loads", [listed[start::4] for start in range(4)])

    def plain(self, number: int) -> float:
        """Seconds of one plain INSERT … SELECT."""
        url = f"{self._settings.aws_endpoint_url}/{BUCKET}/section/1/video/*.jsonl"
        with self._database(f"plain_{number}") as warehouse:
            started = time.perf_counter()
            warehouse.run(PLAIN, {"url": url}, why="bench")
            return time.perf_counter() - started

    def by_run(self, number: int, chunk_size: int, simultaneous: int) -> tuple[float, int]:
        """Seconds of an inventory run from its claim to its end, and the events that stand."""
        values = {
            "manifest_url": self._manifest,
            "batch_chunk_size": chunk_size,
            "max_simultaneous_batches": simultaneous,
        }
        with self._database(f"ours_{number}") as warehouse:
            engine = open_database(warehouse.settings)
            made = create_run(engine, warehouse.settings, read_request("inventory", values), initiated_by="bench")
            Worker(engine, warehouse.settings, threads=2).run(until_idle=True)
            done = read_run(engine, "inventory", made["id"])
            engine.dispose()
            assert (done["status"], done["loaded_objects"]) == ("completed", self.objects), done
            events = int(warehouse.ask(statement("count_events"), why="bench").value())
            return done["duration_ms"] / 1000, events

    def _database(self, name: str) -> Warehouse:
        """A fresh, migrated database."""
        settings = self._settings.model_copy(update={"clickhouse_database": name})
        warehouse = open_warehouse(settings, who="bench", must_exist=False)
        migrations.up(warehouse)
        return warehouse


def loading(archive: Archive, chunk_sizes: list[int]) -> Iterator[dict[str, Any]]:
    """Rates of an inventory run by chunk size and simultaneous batches, each beside the plain insert."""
    for number, (size, simultaneous) in enumerate((size, batches) for batches in (2, 1) for size in chunk_sizes):
        plain = archive.plain(number)
        ours, events = archive.by_run(number, size, simultaneous)
        yield {
            "objects": archive.objects,
            "statements": archive.statements,
            "chunk_size": size,
            "simultaneous": simultaneous,
            "plain_statements_per_second": round(archive.statements / plain),
            "statements_per_second": round(archive.statements / ours),
            "events": events,
            "ratio": round(plain / ours, 2),
        }


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--only", choices=["orchestration", "plan", "load"], help="measure this alone")
    parser.add_argument("--objects", type=int, default=1000, help="objects of 1 MB")
    parser.add_argument("--keys", type=int, nargs="+", default=[1_000_000], help="keys of the inventories planned")
    parser.add_argument("--forms", nargs="+", default=["CSV", "Parquet"], choices=["CSV", "Parquet"])
    parser.add_argument("--chunk-sizes", type=int, nargs="+", default=[25, 100])
    parser.add_argument("--plan", nargs=3, metavar=("URL", "MANIFEST", "DIRECTORY"), help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    os.environ.update(AWS_ACCESS_KEY_ID="bench", AWS_SECRET_ACCESS_KEY="not-a-secret")
    if arguments.plan:
        plan_here(*arguments.plan)
        return
    with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as name, running_ministack(Path(name)) as url:
        directory = Path(name)
        s3 = boto3.client("s3", endpoint_url=url, region_name="us-east-1")
        s3.create_bucket(Bucket=BUCKET)
        settings = load_settings(data_dir=directory, aws_endpoint_url=url)
        tell({"promised": PROMISED})
        if arguments.only in (None, "orchestration"):
            apart = settings.model_copy(update={"data_dir": directory / "apart"})  # its batch stays held, never loaded
            apart.data_dir.mkdir()
            tell({"orchestration_cpu_ms_a_chunk": round(orchestration(apart, 300), 2)})
        if arguments.only in (None, "plan"):
            for keys in arguments.keys:
                for form in arguments.forms:
                    tell({"plan": planning(url, s3, directory, keys, form)})
        if arguments.only in (None, "load"):
            archive = Archive(settings, s3, directory, arguments.objects)
            for facts in loading(archive, arguments.chunk_sizes):
                tell({"load": facts})


def tell(facts: dict[str, Any]) -> None:
    """Print a figure when it is known."""
    print(json.dumps(facts), flush=True)


if __name__ == "__main__":
    main()
