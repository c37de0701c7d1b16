"""Runs the lake's DAG by Airflow's own `dag.test()`; started by test_dag.py inside Airflow's environment.

    python run_dag.py DAGS_FOLDER 2024-03-04T11…

Each time is the end of an hour.

Prints one JSON object a run: its state, and each task instance with its state. At last a list of the assets that the
runs have announced.
"""

from __future__ import annotations

import json
import sys
from datetime import UTC, datetime, timedelta
from typing import Any


def main() -> None:
    from airflow.dag_processing.dagbag import DagBag

    bag = DagBag(sys.argv[1])
    if bag.import_errors:
        raise SystemExit(str(bag.import_errors))
    dag: Any = bag.dags["schoolhouse_lake"]
    for text in sys.argv[2:]:
        end = datetime.fromisoformat(text).replace(tzinfo=UTC) + timedelta(minutes=6)
        run = dag.test(logical_date=end)
        tasks = [
            {"task": one.task_id, "index": one.map_index, "state": str(one.state)} for one in run.get_task_instances()
        ]
        print("TOLD " + json.dumps({"state": str(run.state), "tasks": tasks}), flush=True)
    print("TOLD " + json.dumps(_announced()), flush=True)


def _announced() -> list[dict[str, Any]]:
    from airflow.models.asset import AssetEvent
    from airflow.utils.session import create_session
    from sqlalchemy import select

    with create_session() as session:
        return [{"asset": event.asset.name, "extra": event.extra} for event in session.scalars(select(AssetEvent))]


if __name__ == "__main__":
    main()
