"""The lake equals the truth when runners and followers are killed at any moment, or run beside one another."""

from __future__ import annotations

import os
import random
import subprocess
import sys
import time
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from schoolhouse.lake import window
from schoolhouse.lake.clock import Window, now
from schoolhouse.lake.tables import Table
from schoolhouse.lake.zones import Lake
from tests.lake.broker import HOUR, START, Broker, attempts, messages
from tests.lake.truth import must_hold

KILLS = 20
WINDOWS = 36
FOLLOWER_KILLS = 6


def _start(lake: Lake, *arguments: str) -> subprocess.Popen[bytes]:
    environment = {
        **os.environ,
        "SCHOOLHOUSE_DATA_DIR": str(lake.settings.data_dir),
        "KAFKA_BOOTSTRAP_SERVERS": lake.settings.kafka_bootstrap_servers,
        "LAKE_FOLLOW_SECONDS": "1",
        "LAKE_GRACE_SECONDS": "0",
    }
    program = str(Path(sys.executable).with_name("schoolhouse"))
    command = [program, "lake", *arguments, "--dataset", "user_attempts"]
    return subprocess.Popen(command, env=environment, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)


def _run(lake: Lake, hour: int) -> subprocess.Popen[bytes]:
    return _start(lake, "run", "--window", str(Window(START + hour * HOUR)))


def _each_message_is_there_once(lake: Lake, count: int) -> bool:
    raw = Table(lake, "raw", "user_attempts").scan()
    assert raw is not None
    found = raw.select("kafka_partition", "kafka_offset").collect()
    return found.n_unique() == found.height == count


@pytest.mark.slow
def test_killed_at_twenty_random_moments_the_lake_equals_the_truth(broker: Broker, lake: Lake) -> None:
    events = [event for hour in range(WINDOWS) for event in attempts(80, START + hour * HOUR, first=80 * hour)]
    copies = random.Random(1).sample(events, 100)
    broker.send("user.attempts", messages(events + copies))
    began = time.monotonic()
    assert _run(lake, 0).wait(timeout=120) == 0
    usual = time.monotonic() - began

    chance, kills = random.Random(7), 0
    for hour in range(1, WINDOWS):  # a window that is in already would be over before it can be killed
        runner = _run(lake, hour)
        try:
            runner.wait(timeout=chance.uniform(0.5, 1.0) * usual)  # starting up takes the first half
            usual *= 0.85  # it was over before: the first one had found the machine busier, or its caches cold
        except subprocess.TimeoutExpired:
            runner.kill()
            runner.wait()
            kills += 1
        if kills == KILLS:
            break
    assert kills == KILLS

    for one in range(WINDOWS):
        window.run(lake, "user_attempts", Window(START + one * HOUR))
    must_hold(lake, events)
    assert _each_message_is_there_once(lake, len(events) + len(copies))


@pytest.mark.slow
def test_processes_on_the_same_windows_load_each_once(broker: Broker, lake: Lake) -> None:
    events = [event for hour in range(2) for event in attempts(500, START + hour * HOUR, first=500 * hour)]
    broker.send("user.attempts", messages(events))

    runners = [_run(lake, hour) for hour in (0, 1, 0, 1)]

    assert [runner.wait(timeout=180) for runner in runners] == [0, 0, 0, 0]
    must_hold(lake, events)


@pytest.mark.slow
def test_a_follower_that_is_killed_and_started_again_loads_each_event_once(broker: Broker, lake: Lake) -> None:
    events: list[dict[str, Any]] = []

    def happen() -> None:
        """Some more attempts, now."""
        more = attempts(60, now(), first=len(events), span=timedelta(seconds=1))
        broker.send("user.attempts", messages(more))
        events.extend(more)

    happen()
    began = time.monotonic()
    assert _start(lake, "follow", "--rounds", "1").wait(timeout=120) == 0
    usual = time.monotonic() - began

    chance = random.Random(11)
    for _ in range(FOLLOWER_KILLS):
        happen()
        follower = _start(lake, "follow")
        with pytest.raises(subprocess.TimeoutExpired):  # it never ends by itself
            follower.wait(timeout=chance.uniform(0.5, 1.2) * usual)  # starting up takes the first half
        happen()
        follower.kill()
        follower.wait()

    assert _start(lake, "follow", "--rounds", "2").wait(timeout=120) == 0  # a second look where the hour has just ended
    must_hold(lake, events)
    assert _each_message_is_there_once(lake, len(events))
