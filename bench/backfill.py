"""How fast an inventory run brings objects in, beside one plain INSERT … SELECT FROM s3(glob); and what the rest costs.

    python -m bench.backfill [--objects 1000] [--keys 1000000]

Both load the same objects of 1 MB into fresh databases of the embedded engine, from MiniStack on this machine, whose
own CPU is part of both. The plain way neither counts nor records anything. Also: the CPU that leases, logs and
positions cost a chunk (the threads' own, without the load), and how long the plan of a large inventory takes, with its
memory, in a process of its own.
"""

from __future__ import annotations

import argparse
import gzip
import hashlib
import json
import os
import resource
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

from bench.etl import BUNDLE_BYTES, PLAIN, bundles, lines, ministack

PROMISED = {"ratio": 0.75, "orchestration_cpu_ms_a_chunk": 5, "plan_seconds": 60, "plan_megabytes": 500}
BUCKET = "bench-backfill"


def put_inventory(s3: Any, name: str, files: list[list[tuple[str, int, str]]]) -> str:
    """An inventory as CSV.gz; gives the manifest's address."""
    facts = []
    for number, rows in enumerate(files):
        text = "".join(f'"{BUCKET}","{key}","{size}","{etag}"\n' for key, size, etag in rows)
        body = gzip.compress(text.encode(), 1)
        key = f"{name}/data/{number}.csv.gz"
        s3.put_object(Bucket=BUCKET, Key=key, Body=body)
        digest = hashlib.md5(body).hexdigest()
        facts.append({"key": key, "size": len(body), "MD5checksum": digest})
    manifest = {
        "sourceBucket": BUCKET,
        "destinationBucket": f"arn:aws:s3:::{BUCKET}",
        "fileFormat": "CSV",
        "fileSchema": "Bucket, Key, Size, ETag",
        "files": facts,
    }
    s3.put_object(Bucket=BUCKET, Key=f"{name}/manifest.json", Body=json.dumps(manifest).encode())
    return f"s3://{BUCKET}/{name}/manifest.json"


def database(settings: Any, name: str) -> Any:
    """A fresh, migrated database."""
    from schoolhouse.warehouse import migrations
    from schoolhouse.warehouse.connection import open_warehouse

    warehouse = open_warehouse(settings.model_copy(update={"clickhouse_database": name}), who="bench", must_exist=False)
    migrations.up(warehouse)
    return warehouse


def run(settings: Any, **values: Any) -> dict[str, Any]:
    """Make an inventory run and do it; gives the run."""
    import schoolhouse.backfill.tables  # noqa: F401 - declares the tables
    from schoolhouse.backfill.requests import read_request
    from schoolhouse.backfill.runs import create_run, read_run
    from schoolhouse.backfill.worker import Worker
    from schoolhouse.database import open_database

    engine = open_database(settings)
    made = create_run(engine, settings, read_request("inventory", values), initiated_by="bench")
    Worker(engine, settings, threads=2).run(until_idle=True)
    done = read_run(engine, "inventory", made["id"])
    engine.dispose()
    assert done["status"] == "completed", done
    return done


def loading(settings: Any, s3: Any, directory: Path, objects: int, chunk_sizes: list[int]) -> dict[str, Any]:
    """Rates of an inventory run by chunk size and simultaneous batches, beside the plain insert."""
    bodies = bundles(lines(objects * 700, directory), size_bytes=BUNDLE_BYTES)[:objects]
    listed = []
    for number, body in enumerate(bodies):
        key = f"section/1/video/{number:05}.jsonl"
        etag = s3.put_object(Bucket=BUCKET, Key=key, Body=body)["ETag"].strip('"')
        listed.append((key, len(body), etag))
    count = sum(body.count(b"\n") + 1 for body in bodies)
    manifest = put_inventory(s3, "loads", [listed[start::4] for start in range(4)])
    url = f"{settings.aws_endpoint_url}/{BUCKET}/section/1/video/*.jsonl"
    plain = []
    report: dict[str, Any] = {"objects": len(bodies), "statements": count, "runs": []}
    for number, (size, simultaneous) in enumerate((size, batches) for batches in (1, 2) for size in chunk_sizes):
        with database(settings, f"plain_{number}") as warehouse:
            started = time.perf_counter()
            warehouse.run(PLAIN, {"url": url}, why="bench")
            plain.append(time.perf_counter() - started)
        with database(settings, f"ours_{number}") as warehouse:
            done = run(
                warehouse.settings,
                manifest_url=manifest,
                batch_chunk_size=size,
                max_simultaneous_batches=simultaneous,
            )
            events = int(warehouse.ask("SELECT count() FROM raw_events FINAL", why="bench").value())
            assert done["loaded_objects"] == len(bodies), done
        seconds = done["duration_ms"] / 1000
        report["runs"].append(
            {
                "chunk_size": size,
                "simultaneous": simultaneous,
                "statements_per_second": round(count / seconds),
                "events": events,
                "ratio": round(plain[-1] / seconds, 2),
            }
        )
    report["plain_statements_per_second"] = [round(count / each) for each in plain]
    report["best_ratio"] = max(each["ratio"] for each in report["runs"])
    return report


def orchestration(settings: Any, chunks: int) -> float:
    """CPU milliseconds that a chunk costs beside its load: the lease, the log, the counts and the position."""
    import schoolhouse.backfill.tables as tables
    from schoolhouse.backfill.chunks import Chunk, ChunkResult
    from schoolhouse.backfill.jobs import Job
    from schoolhouse.backfill.patterns import Source
    from schoolhouse.backfill.queue import beat, claim
    from schoolhouse.backfill.requests import read_request
    from schoolhouse.backfill.runs import create_run
    from schoolhouse.backfill.watch import Watch
    from schoolhouse.database import open_database

    engine = open_database(settings)
    create_run(engine, settings, read_request("manual", {"s3_pattern": "s3://bucket/*"}), initiated_by="bench")
    lease = claim(engine, "bench", seconds=600)
    assert lease is not None
    with tables.transaction(engine) as connection:
        row = dict(connection.execute(tables.manual_runs.select()).mappings().one())
    job = Job(engine, lease, settings, Watch(engine, lease, settings), row, row)
    sources = [Source("bucket", f"section/1/video/{number}.jsonl", "etag", 1) for number in range(25)]
    started = time.process_time()
    for index in range(1, chunks + 1):
        chunk = Chunk(f"bench, chunk {index}", index, f"bench_{index}", sources, is_redone=False)
        job._record(chunk, ChunkResult(loaded_objects=25, rows_read=1000), sources[-1].key, "completed")
        beat(engine, lease, seconds=600)
    milliseconds = (time.process_time() - started) / chunks * 1000
    engine.dispose()
    return milliseconds


def planning(url: str, keys: int, directory: Path) -> dict[str, float]:
    """Seconds and peak memory of the plan of a large inventory, in a process of its own."""
    command = [sys.executable, "-m", "bench.backfill", "--plan", url, str(directory), str(keys)]
    facts: dict[str, float] = json.loads(subprocess.check_output(command, text=True))
    return facts


def plan_here(url: str, directory: str, keys: int) -> None:
    """Plan, and print what it took."""
    import schoolhouse.backfill.tables  # noqa: F401 - declares the tables
    from schoolhouse.backfill.jobs import do
    from schoolhouse.backfill.queue import claim
    from schoolhouse.backfill.requests import read_request
    from schoolhouse.backfill.runs import create_run, read_run
    from schoolhouse.database import open_database
    from schoolhouse.settings import load_settings

    settings = load_settings(data_dir=directory, aws_endpoint_url=url)
    engine = open_database(settings)
    values = {"manifest_url": f"s3://{BUCKET}/large/manifest.json", "date_range_start": "2023-02-01"}
    made = create_run(engine, settings, read_request("inventory", values), initiated_by="bench")
    started = time.perf_counter()
    lease = claim(engine, "bench", seconds=600)
    assert lease is not None
    do(engine, lease, settings, must_end=lambda: False)
    seconds = time.perf_counter() - started
    run = read_run(engine, "inventory", made["id"])
    assert run["total_objects"] + run["filtered_objects"] == keys, run
    megabytes = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    print(json.dumps({"keys": keys, "seconds": round(seconds, 1), "megabytes": round(megabytes)}))


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--objects", type=int, default=1000, help="objects of 1 MB")
    parser.add_argument("--keys", type=int, default=1_000_000, help="keys of the inventory that is planned")
    parser.add_argument("--chunk-sizes", type=int, nargs="+", default=[25, 100])
    parser.add_argument("--plan", nargs=3, metavar=("URL", "DIRECTORY", "KEYS"), help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    os.environ.update(AWS_ACCESS_KEY_ID="bench", AWS_SECRET_ACCESS_KEY="not-a-secret")
    if arguments.plan:
        plan_here(arguments.plan[0], arguments.plan[1], int(arguments.plan[2]))
        return
    import boto3

    from schoolhouse.settings import load_settings

    with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as name, ministack() as url:
        directory = Path(name)
        s3 = boto3.client("s3", endpoint_url=url, region_name="us-east-1")
        s3.create_bucket(Bucket=BUCKET)
        settings = load_settings(data_dir=directory, aws_endpoint_url=url)
        report: dict[str, Any] = {"promised": PROMISED}
        report["orchestration_cpu_ms_a_chunk"] = round(orchestration(settings, 300), 2)
        days = [f"2023-{1 + n % 12:02}-{1 + n % 28:02}T{n % 24:02}-{n % 60:02}-00.000Z" for n in range(2000)]
        large = [
            (f"section/{n % 400}/video/{days[n % 2000]}_{n:x}.jsonl", 1000, "e" * 32) for n in range(arguments.keys)
        ]
        put_inventory(s3, "large", [large[start : start + 500_000] for start in range(0, len(large), 500_000)])
        del large
        report["plan"] = planning(url, arguments.keys, directory / "plan")
        print(json.dumps(report, indent=2), flush=True)
        report["load"] = loading(settings, s3, directory, arguments.objects, arguments.chunk_sizes)
        print(json.dumps(report, indent=2))


if __name__ == "__main__":
    main()
