"""How long a person waits for `schoolhouse --help`, and AWS for a new instance of the Lambda function."""

from __future__ import annotations

import json
import statistics
import subprocess
import sys
import time

# What a new instance imports: the entry before its first event, the rest with it.
_LAMBDA = """
import json, resource, time
def seconds():
    return [time.perf_counter(), time.process_time()]
times = [seconds()]
import schoolhouse.etl.lambda_entry
times.append(seconds())
import schoolhouse.etl.handler
times.append(seconds())
import boto3, clickhouse_connect
times.append(seconds())
megabytes = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
print(json.dumps([*(now - then for later in times[1:] for then, now in zip(times[0], later)), megabytes]))
"""


def main(turns: int = 15) -> None:
    times = []
    for _ in range(turns):
        started = time.perf_counter()
        command = [sys.executable, "-c", "from schoolhouse.cli import main; main()", "--help"]
        subprocess.run(command, check=True, capture_output=True)
        times.append(time.perf_counter() - started)
    print(f"schoolhouse --help: {statistics.median(times):.3f} s, at most {max(times):.3f} s (promised: under 0.3 s)")
    bench_lambda(turns)


def bench_lambda(turns: int) -> None:
    """The imports of the function, without what AWS itself needs to start an instance."""
    command = [sys.executable, "-c", _LAMBDA]
    runs = [json.loads(subprocess.run(command, check=True, capture_output=True).stdout) for _ in range(turns)]
    *seconds, megabytes = (statistics.median(column) for column in zip(*runs, strict=True))
    entry, ours, all_of_it = (
        f"{wall:.3f} s ({cpu:.3f} s of CPU)" for wall, cpu in zip(seconds[::2], seconds[1::2], strict=True)
    )
    print(f"Lambda: import of the entry {entry}, of all our modules {ours} (promised: under 0.3 s)")
    print(f"Lambda: with boto3 and the client of ClickHouse, at the first event, {all_of_it} and {megabytes:.0f} MB")
