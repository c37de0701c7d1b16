"""Misses the deadline of the lake's DAG, by Airflow's own code; started by test_dag.py inside Airflow's environment.

    airflow dags reserialize && python miss_deadline.py

A run is made in the database as the scheduler makes it, its deadline is found missed as the scheduler finds it, and the
callback runs as the triggerer runs it. Prints one JSON object: the minutes from queueing to the deadline, and what the
callback came to.
"""

from __future__ import annotations

import asyncio
import json
from datetime import UTC, datetime, timedelta
from typing import Any


def main() -> None:
    from airflow.models import Deadline
    from airflow.models.dagbag import DBDagBag
    from airflow.triggers.callback import CallbackTrigger
    from airflow.utils.session import create_session
    from airflow.utils.state import DagRunState
    from airflow.utils.types import DagRunTriggeredByType, DagRunType
    from sqlalchemy import select

    end = datetime(2024, 3, 5, 11, 6, tzinfo=UTC)  # an hour that no other test runs
    with create_session() as session:
        dag: Any = DBDagBag().get_latest_version_of_dag("schoolhouse_lake", session=session)
        run = dag.create_dagrun(
            run_id="scheduled__late",
            logical_date=end,
            data_interval=(end - timedelta(hours=1), end),
            run_after=end,
            run_type=DagRunType.SCHEDULED,
            triggered_by=DagRunTriggeredByType.TEST,
            state=DagRunState.QUEUED,
            session=session,
        )
        session.flush()
        deadline = session.scalars(select(Deadline).where(Deadline.dagrun_id == run.id)).one()
        deadline.handle_miss(session)
        states = asyncio.run(_states(CallbackTrigger(**deadline.callback.trigger.kwargs)))
        minutes = (deadline.deadline_time - run.queued_at).total_seconds() / 60
        session.rollback()
    print("TOLD " + json.dumps({"minutes": round(minutes), "callback": states}), flush=True)


async def _states(trigger: Any) -> list[str]:
    return [str(event.payload["state"].value) async for event in trigger.run()]


if __name__ == "__main__":
    main()
