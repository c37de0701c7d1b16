"""Kill storms: pipelines die at random moments, several on one spool, and nothing that was accepted is lost."""

import json
import random
import subprocess
import sys
import time

import pytest

from schoolhouse.collect.pipeline import Pipeline
from schoolhouse.settings import load_settings
from schoolhouse.warehouse.connection import open_warehouse
from tests.conftest import ROOT

from .parts import wait_until

pytestmark = pytest.mark.slow


def _storm(values, tmp_path, rounds):
    """Start two senders at a time and kill both at a random moment; the ids that were accepted."""
    described, accepted = tmp_path / "settings.json", tmp_path / "accepted.txt"
    described.write_text(json.dumps(values))
    command = [sys.executable, "-m", "tests.collect.sender", str(described), str(accepted)]
    for _ in range(rounds):
        senders = [
            subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL) for _ in range(2)
        ]
        for sender in senders:
            assert sender.stdout.readline() == b"ready\n"
        for sender in senders:
            time.sleep(random.uniform(0.05, 0.7))
            sender.kill()
            sender.wait()
            sender.stdout.close()
    time.sleep(1.1)  # the leases of the dead
    settings = load_settings(**values)
    with Pipeline(settings) as pipeline:
        wait_until(lambda: pipeline.drain(60), timeout_seconds=120)
    return accepted.read_text().split()


def test_no_accepted_statement_is_missing_from_the_files(tmp_path):
    values = {"data_dir": str(tmp_path), "etl_mode": "file", "batch_size": 7, "batch_timeout_ms": 30}
    accepted = _storm(values, tmp_path, rounds=6)
    files = list((tmp_path / "bundles").rglob("*.jsonl"))
    delivered = {json.loads(line)["id"] for file in files for line in file.read_text().splitlines()}
    assert len(accepted) > 100
    assert set(accepted) <= delivered


@pytest.mark.parametrize("handle", ["server"], indirect=True)
def test_every_accepted_statement_is_in_the_warehouse_once(migrated_settings, tmp_path):
    values = {
        "data_dir": str(tmp_path),
        "etl_mode": "direct",
        "batch_size": 7,
        "batch_timeout_ms": 30,
        "clickhouse_host": migrated_settings.clickhouse_host,
        "clickhouse_port": migrated_settings.clickhouse_port,
        "clickhouse_user": migrated_settings.clickhouse_user,
        "clickhouse_password": migrated_settings.clickhouse_password.get_secret_value(),
        "clickhouse_database": migrated_settings.clickhouse_database,
    }
    accepted = _storm(values, tmp_path, rounds=4)
    with open_warehouse(migrated_settings, role="reader") as reader:
        found = [str(row[0]) for row in reader.ask("SELECT event_id FROM raw_events FINAL", why="test").rows]
    assert len(accepted) > 100
    assert set(accepted) <= set(found)
    assert len(found) == len(set(found))
