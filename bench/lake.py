"""One window of attempts from the broker to committed, validated Delta tables, beside the limits of the machine.

    python -m bench.lake [--attempts 5000000] [--windows 2000] [--partitions 4]

The broker (noida-db) runs on this machine and its CPU is part of every figure that reads from it. The limits are
measured in the same run on the same messages: only consuming them; only writing the same raw rows as Parquet.
Each measurement runs in a process of its own, so that its peak memory is its own.
Then the same window is run again (nothing to do), and small windows are loaded until the tables hold `--windows` of
them, each when its messages have come, as an hour after the other; the tables' logs get the times that they would
have had, so that they expire as they would. The last windows go into a second, young lake as well, in turns, now the
one first and now the other: so what else the machine does costs both alike. Both know all learners (a learner with a
past costs more than a new one), and the difference is the tables' size.
"""

from __future__ import annotations

import argparse
import json
import os
import resource
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterable, Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

START = datetime(2026, 3, 2, 10, tzinfo=UTC)
HOUR = timedelta(hours=1)
PROMISED_ROWS_PER_SECOND = 60_000
PROMISED_BYTES = 3_000_000_000
PROMISED_NO_OP_SECONDS = 2.0
SMALL_FIRST = 10_000_000  # the first number of an attempt in a small window: none of the large one's
YOUNG, COMPARED = 100, 50  # windows of the young lake, and how many of them are measured in both
SMALL_LEARNERS = 500  # of the small windows: after some twenty of them all are known
LEARNERS, ITEMS, TOPICS = 20_000, 400, ("algebra", "geometry", "calculus", "statistics", "logic")


def values(count: int, start: datetime, *, first: int = 0, learners: int = LEARNERS) -> Iterator[tuple[int, bytes]]:
    """Message times (ms) and attempts as the platform sends them, spread over an hour."""
    base = int(start.timestamp() * 1000)
    clock = start.strftime("%Y-%m-%dT%H:")
    for number in range(first, first + count):
        offset = (number - first) * 3_600_000 // count
        minute, second, ms = offset // 60_000, offset // 1000 % 60, offset % 1000
        topic = TOPICS[number % 5]
        easy, interval, known = 1.3 + number % 120 / 100, number % 30, number % 97 / 100
        event = (
            f'{{"event_id":"{number:08x}-0000-4000-8000-{number:012x}","user_id":"learner-{number * 7919 % learners}",'
            f'"item_id":"item-{number * 31 % ITEMS}","session_id":"session-{number * 7919 % learners}-{start:%H}",'
            f'"timestamp":"{clock}{minute:02}:{second:02}.{ms:03}Z","topic":"{topic}",'
            f'"correct":{"true" if number % 3 else "false"},"time_taken_ms":{800 + number % 39_000},'
            f'"quality":{4 if number % 3 else 1},'
        )
        states = (
            _state("before", easy, interval, number, known),
            _state("after", easy, interval + 1, number + 1, known),
        )
        yield base + offset, (event + ",".join(states) + "}").encode()


def _state(when: str, easy: float, interval: int, number: int, known: float) -> str:
    return (
        f'"sm2_easiness_factor_{when}":{easy:.2f},"sm2_interval_{when}":{interval},'
        f'"sm2_repetitions_{when}":{number % 5},"bkt_prob_knowledge_{when}":{known},'
        f'"irt_ability_{when}":{number % 13 / 4 - 1.5}'
    )


def send(address: str, messages: Iterable[tuple[int, bytes]], partitions: int) -> None:
    from confluent_kafka import Producer

    options = {"linger.ms": 50, "batch.num.messages": 10_000, "queue.buffering.max.messages": 500_000}
    producer = Producer({"bootstrap.servers": address, "queue.buffering.max.kbytes": 400_000, **options})
    for number, (moment, value) in enumerate(messages):
        while True:
            try:
                producer.produce("user.attempts", value=value, partition=number % partitions, timestamp=moment)
                break
            except BufferError:
                producer.poll(0.1)
        if not number % 5000:
            producer.poll(0)
    producer.flush(120)


def settings(address: str, directory: Path) -> Any:
    from schoolhouse.settings import load_settings

    return load_settings(data_dir=directory, kafka_bootstrap_servers=address, lake_look_back_hours=0)


def whole(address: str, directory: Path, hour: datetime) -> dict[str, Any]:
    """The window itself."""
    from schoolhouse.lake.clock import Window
    from schoolhouse.lake.window import run
    from schoolhouse.lake.zones import lake_of

    outcome = run(lake_of(settings(address, directory)), "user_attempts", Window(hour))
    return {"rows": outcome.done.rows, "did": outcome.did, "tasks": outcome.done.tasks, "score": outcome.done.score}


def consume(address: str, directory: Path, hour: datetime) -> dict[str, Any]:
    """The limit of reading: the same offsets, by the same client, and nothing done with the messages."""
    from confluent_kafka import TopicPartition

    from schoolhouse.lake import extract, kafka
    from schoolhouse.lake.clock import Window

    given = settings(address, directory)
    spans = extract.plan(given, "user.attempts", Window(hour), {})
    client = kafka.consumer(given)
    got = 0
    waiting = list(spans)
    while waiting:
        some = [waiting.pop(0)]
        while waiting and sum(span.count for span in some) < extract.MESSAGES_AT_ONCE:
            some.append(waiting.pop(0))
        client.assign([TopicPartition("user.attempts", span.partition, span.start) for span in some])
        wanted, patience = got + sum(span.count for span in some), 0
        while got < wanted:
            came = [1 for message in client.consume(min(50_000, wanted - got), 1.0) if not message.error()]
            got += len(came)
            patience = 0 if came else patience + 1
            if patience > given.kafka_timeout_seconds:
                raise TimeoutError(f"{wanted - got:,} messages did not come; try fewer --attempts or more --partitions")
    client.close()
    return {"rows": got}


def parquet(address: str, directory: Path, hour: datetime) -> dict[str, Any]:
    """The limit of writing: the window's processed rows, read from the table and written as one Parquet file."""

    from schoolhouse.lake.tables import Table
    from schoolhouse.lake.zones import lake_of

    found = Table(lake_of(settings(address, directory)), "processed", "user_attempts").scan()
    assert found is not None
    rows = found.collect()
    started = time.perf_counter()
    rows.write_parquet(directory / "limit.parquet", compression="snappy")
    return {"rows": rows.height, "write_seconds": time.perf_counter() - started}


def measured(what: str, address: str, directory: Path, hour: datetime) -> dict[str, Any]:
    """Run one measurement in a process of its own."""
    command = [sys.executable, "-m", "bench.lake", "--measure", what, address, str(directory), hour.isoformat()]
    done = subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True)
    return dict(json.loads(done.stdout.splitlines()[-1]))


def measure(what: str, address: str, directory: str, hour: str) -> None:
    call = {"whole": whole, "consume": consume, "parquet": parquet, "small": small}[what]
    started = time.perf_counter()
    facts = call(address, Path(directory), datetime.fromisoformat(hour))
    used = resource.getrusage(resource.RUSAGE_SELF)
    facts |= {
        "seconds": time.perf_counter() - started,
        "cpu_seconds": used.ru_utime + used.ru_stime,
        "peak_bytes": used.ru_maxrss * 1024,
    }
    print(json.dumps(facts))


def small(address: str, directory: Path, hour: datetime) -> dict[str, Any]:
    """Windows of 50 attempts, as many as BENCH_WINDOWS says: CPU seconds of one, in an old and in a young lake."""
    from schoolhouse.lake import kafka
    from schoolhouse.lake.clock import Window, now, window_of
    from schoolhouse.lake.window import run
    from schoolhouse.lake.zones import lake_of

    count = int(os.environ["BENCH_WINDOWS"])
    hour = window_of(now()).start - (count + 1) * HOUR  # the last window has just ended
    old, young = (settings(address, directory / name) for name in ("old", "young"))
    partitions = len(kafka.partitions(kafka.consumer(old), "user.attempts", old))
    lakes = {"old": lake_of(old), "young": lake_of(young)}
    costs: dict[str, list[float]] = {name: [] for name in lakes}
    for number in range(count):
        start = hour + number * HOUR
        send(address, values(50, start, first=SMALL_FIRST + number * 50, learners=SMALL_LEARNERS), partitions)
        both = ["old", "young"] if number % 2 else ["young", "old"]  # what comes after sending costs a little more
        for name in both if number >= count - YOUNG else ["old"]:
            began = time.process_time()
            run(lakes[name], "user_attempts", Window(start))
            costs[name].append(time.process_time() - began)
            date_logs(lakes[name].directory, start + HOUR)
        if not (number + 1) % 100:
            print(f"  {number + 1:,}: {sum(costs['old'][-100:]) / 100:.3f} s of CPU each", file=sys.stderr, flush=True)
    return {"rows": count, **{name: statistics.median(each[-COMPARED:]) for name, each in costs.items()}}


def date_logs(lake: Path, moment: datetime) -> None:
    """Give the log files of the last minute the time of their window."""
    recent = time.time() - 60
    for file in lake.glob("*/*/_delta_log/*"):
        if file.stat().st_mtime > recent:
            os.utime(file, (moment.timestamp(), moment.timestamp()))


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m bench.lake", description=__doc__)
    parser.add_argument("--attempts", type=int, default=5_000_000)
    parser.add_argument("--windows", type=int, default=2_000)
    parser.add_argument("--partitions", type=int, default=4)
    parser.add_argument("--measure", nargs=4, help=argparse.SUPPRESS)
    given = parser.parse_args()
    if given.measure:
        measure(*given.measure)
        return
    directory = Path(tempfile.mkdtemp(prefix="bench-lake-"))
    try:
        run_all(given, directory)
    finally:
        shutil.rmtree(directory, ignore_errors=True)


def run_all(given: argparse.Namespace, directory: Path) -> None:
    from tests.lake.broker import running_broker

    with running_broker(directory / "broker") as broker:
        broker.create("user.attempts", partitions=given.partitions)
        began = time.perf_counter()
        send(broker.address, values(given.attempts, START), given.partitions)
        print(f"sent {given.attempts:,} messages in {time.perf_counter() - began:.0f} s", flush=True)
        limit = measured("consume", broker.address, directory, START)
        tell("consume only", limit)
        window = measured("whole", broker.address, directory, START)
        tell("the window, broker to validated Delta", window)
        print("  seconds by task: " + ", ".join(f"{name} {value:.1f}" for name, value in window["tasks"].items()))
        again = measured("whole", broker.address, directory, START)
        print(
            f"the same window again: {again['seconds']:.2f} s with imports (promised: under {PROMISED_NO_OP_SECONDS} s)"
        )
        written = measured("parquet", broker.address, directory, START)
        print(f"write Parquet only: {written['rows'] / written['write_seconds']:,.0f} rows/s")
        rate = window["rows"] / window["seconds"]
        print(f"{rate:,.0f} rows/s; promised {PROMISED_ROWS_PER_SECOND:,}, in {window['peak_bytes'] / 1e9:.2f} GB")
        print(f"  {rate / (limit['rows'] / limit['seconds']):.2f} of consuming only")
        if given.windows:
            flat(given, broker.address, directory)


def flat(given: argparse.Namespace, address: str, directory: Path) -> None:
    """Many small windows: what one costs must not grow with the table."""
    os.environ["BENCH_WINDOWS"] = str(given.windows)
    costs = measured("small", address, directory, START + HOUR)
    print(
        f"CPU seconds of one of the last windows, median: {costs['old']:.3f} in a lake of {given.windows:,}, "
        f"{costs['young']:.3f} in one of {min(YOUNG, given.windows)} ({costs['old'] / costs['young']:.2f} times)"
    )


def tell(name: str, facts: dict[str, Any]) -> None:
    print(
        f"{name}: {facts['rows']:,} rows in {facts['seconds']:.1f} s ({facts['cpu_seconds']:.1f} s of CPU), "
        f"{facts['rows'] / facts['seconds']:,.0f} rows/s, peak {facts['peak_bytes'] / 1e9:.2f} GB",
        flush=True,
    )


if __name__ == "__main__":
    main()
