"""How fast bundles go from S3 through SQS and the worker into the warehouse, beside a plain INSERT … SELECT FROM s3().

    python -m bench.etl [--bundles 40] [--reader native]

Both ways load the same objects into fresh databases of the embedded engine: first bundles of 1 MB, then small ones. The
plain way goes second, with everything warm, and neither counts nor records anything. S3 and SQS are MiniStack on this
machine, whose own CPU is part of both. Also printed: the CPU time that the function's modules take to import.
"""

from __future__ import annotations

import argparse
import json
import os
import resource
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

from tests.ministack import running_ministack

from schoolhouse.warehouse.statements import statement

BUNDLE_BYTES = 1_000_000
SMALL_STATEMENTS = 50
PROMISED = 0.5
PLAIN = statement("plain_insert_from_s3", "bench.sql")


def lines(count: int, directory: Path) -> list[bytes]:
    """Statements of a simulated campus."""
    from schoolhouse.simulate import campus_plan, write_statements

    plan = campus_plan(dialect="torus", statements=count, seed=1)
    out = directory / "statements.jsonl"
    write_statements(plan, str(out), "jsonl", workers=1)
    found = sorted(out.rglob("*.jsonl")) if out.is_dir() else [out]
    return [line for path in found for line in path.read_bytes().splitlines()][:count]


def bundles(statements: list[bytes], size_bytes: int = 0, count: int = 0) -> list[bytes]:
    """Bodies of bundles, by bytes or by number of statements."""
    bodies: list[list[bytes]] = [[]]
    size = 0
    for line in statements:
        if bodies[-1] and ((count and len(bodies[-1]) >= count) or (size_bytes and size + len(line) > size_bytes)):
            bodies.append([])
            size = 0
        bodies[-1].append(line)
        size += len(line) + 1
    return [b"\n".join(body) for body in bodies]


class Lab:
    """S3, SQS and the settings of the run."""

    def __init__(self, url: str, directory: Path, reader: str) -> None:
        import boto3

        from schoolhouse.settings import load_settings

        self.s3, self.sqs = (boto3.client(name, endpoint_url=url, region_name="us-east-1") for name in ("s3", "sqs"))
        self.settings = load_settings(
            data_dir=directory, aws_endpoint_url=url, s3_bucket="bench-bundles", etl_reader=reader, etl_concurrency=2
        )
        self.s3.create_bucket(Bucket="bench-bundles")

    def database(self, name: str) -> Any:
        """A fresh, migrated database."""
        from schoolhouse.warehouse import migrations
        from schoolhouse.warehouse.connection import open_warehouse

        settings = self.settings.model_copy(update={"clickhouse_database": name})
        warehouse = open_warehouse(settings, who="bench", must_exist=False)
        migrations.up(warehouse)
        return warehouse

    def plain(self, prefix: str) -> float:
        """Seconds of one plain INSERT … SELECT."""
        with self.database(f"plain_{prefix}") as warehouse:
            url = f"{self.settings.aws_endpoint_url}/bench-bundles/{prefix}/section/1/video/*.jsonl"
            started = time.perf_counter()
            warehouse.run(PLAIN, {"url": url}, why="bench")
            return time.perf_counter() - started

    def ours(self, prefix: str, bodies: list[bytes]) -> tuple[float, int]:
        """Seconds from the first announcement in the queue to its last deletion, and the events that stand."""
        from schoolhouse.etl.worker import Worker

        queue = self.sqs.create_queue(QueueName=f"bench-{prefix}")["QueueUrl"]
        arn = self.sqs.get_queue_attributes(QueueUrl=queue, AttributeNames=["QueueArn"])["Attributes"]["QueueArn"]
        self.s3.put_bucket_notification_configuration(
            Bucket="bench-bundles",
            NotificationConfiguration={"QueueConfigurations": [{"QueueArn": arn, "Events": ["s3:ObjectCreated:*"]}]},
        )
        self.put(prefix, bodies)
        with self.database(f"ours_{prefix}") as warehouse:
            settings = warehouse.settings.model_copy(update={"queue_url": queue})
            last: list[float] = []
            worker = Worker(settings, threads=2, on_batch=lambda _: last.append(time.perf_counter()))
            started = time.perf_counter()
            worker.run(until_empty=True)
            events = warehouse.ask(statement("count_events"), why="bench").value()
            return last[-1] - started, int(events)

    def put(self, prefix: str, bodies: list[bytes]) -> None:
        """The bundles into the bucket."""
        for number, body in enumerate(bodies):
            self.s3.put_object(Bucket="bench-bundles", Key=f"{prefix}/section/1/video/{number:05}.jsonl", Body=body)


def import_times() -> dict[str, float]:
    """CPU milliseconds to import the entry, and the rest at the first event; best of three."""
    program = (
        "import time; a = time.process_time(); import schoolhouse.etl.lambda_entry; b = time.process_time();"
        "import schoolhouse.etl.handler; c = time.process_time(); import boto3, clickhouse_connect;"
        "d = time.process_time(); print(b - a, c - b, d - c)"
    )
    runs = [
        [float(value) for value in subprocess.check_output([sys.executable, "-c", program], text=True).split()]
        for _ in range(3)
    ]
    names = ("entry", "our handler and settings", "boto3 and the client")
    return {name: round(min(run[place] for run in runs) * 1000, 1) for place, name in enumerate(names)}


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--bundles", type=int, default=40, help="bundles of 1 MB")
    parser.add_argument("--reader", choices=["native", "parquet"], default="native")
    arguments = parser.parse_args()
    os.environ.update(AWS_ACCESS_KEY_ID="bench", AWS_SECRET_ACCESS_KEY="not-a-secret")
    with tempfile.TemporaryDirectory() as name, running_ministack(Path(name)) as url:
        directory = Path(name)
        statements = lines(arguments.bundles * 700, directory)
        large = bundles(statements, size_bytes=BUNDLE_BYTES)[: arguments.bundles]
        small = bundles(statements[: SMALL_STATEMENTS * 400], count=SMALL_STATEMENTS)
        lab = Lab(url, directory, arguments.reader)
        report: dict[str, Any] = {"reader": arguments.reader, "import_cpu_milliseconds": import_times()}
        for prefix, bodies in (("large", large), ("small", small)):
            count = sum(body.count(b"\n") + 1 for body in bodies)
            ours, events = lab.ours(prefix, bodies)
            plain = lab.plain(prefix)
            report[prefix] = {
                "bundles": len(bodies),
                "statements": count,
                "events": events,
                "plain_statements_per_second": round(count / plain),
                "statements_per_second": round(count / ours),
                "bundles_per_second": round(len(bodies) / ours, 1),
                "ratio": round(plain / ours, 2),
            }
        report["memory_mb"] = round(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024)
        report["promised_ratio_of_large"] = PROMISED
        print(json.dumps(report, indent=2))


if __name__ == "__main__":
    main()
