"""The watch beside an insert: a living worker keeps its lease, whatever ClickHouse does."""

from __future__ import annotations

import socket
import time
from pathlib import Path

from schoolhouse.backfill.queue import claim
from schoolhouse.backfill.requests import read_request
from schoolhouse.backfill.runs import create_run
from schoolhouse.backfill.watch import Watch
from schoolhouse.database import open_database
from schoolhouse.settings import load_settings


def test_a_clickhouse_that_does_not_answer_costs_nobody_a_lease(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as silent:  # takes connections, and that is all
        settings = load_settings(
            data_dir=tmp_path,
            clickhouse_host="127.0.0.1",
            clickhouse_port=silent.getsockname()[1],
            backfill_lease_seconds=2,
        )
        engine = open_database(settings)
        request = read_request("manual", {"s3_pattern": "s3://bucket/*"})
        create_run(engine, settings, request, initiated_by="tests")
        lease = claim(engine, "the one that lives", seconds=2)
        assert lease
        with Watch(engine, lease, settings) as watch:
            watch.inserting("an insert that takes long")
            takers = []
            for _ in range(14):
                time.sleep(0.5)
                takers.append(claim(engine, "another", seconds=2))
            assert takers == [None] * 14
            assert watch.order == "go"
            watch.inserting("")
            silent.close()
        engine.dispose()
