"""The lake by Airflow itself, in an environment of its own.

AIRFLOW_PYTHON names the Python of an environment made from deploy/airflow/requirements.lock; `.ci/run` makes one.
Without it these tests skip.
"""

from __future__ import annotations

import json
import os
import subprocess
from pathlib import Path
from typing import Any

import pytest

from schoolhouse.lake.zones import Lake
from tests.lake.broker import HOUR, START, Broker, attempts, messages, session
from tests.lake.truth import must_hold

PYTHON = os.environ.get("AIRFLOW_PYTHON", "")
ROOT = Path(__file__).parents[2]
DAGS = ROOT / "deploy" / "airflow" / "dags"

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(not PYTHON, reason="AIRFLOW_PYTHON names no environment with Airflow"),
]


@pytest.fixture(scope="module")
def airflow_home(tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    """The environment of an Airflow with a database of its own."""
    home = tmp_path_factory.mktemp("airflow")
    environment = {
        **os.environ,
        "AIRFLOW_HOME": str(home),
        "AIRFLOW__CORE__LOAD_EXAMPLES": "False",
        "AIRFLOW__CORE__DAGS_FOLDER": str(DAGS),
        # a change within 30 s of the last one would not be written: one test changes the deadline of another's DAG
        "AIRFLOW__CORE__MIN_SERIALIZED_DAG_UPDATE_INTERVAL": "0",
        "LAKE_DAG_START": "2024-01-01",
    }
    subprocess.run(
        [str(Path(PYTHON).with_name("airflow")), "db", "migrate"], env=environment, check=True, capture_output=True
    )
    return environment


def _told(environment: dict[str, str], script: str, *arguments: str) -> list[Any]:
    """What a script tells when Airflow's Python runs it: the objects of its lines that begin with TOLD."""
    path = Path(__file__).with_name(script)
    done = subprocess.run([PYTHON, str(path), *arguments], env=environment, check=False, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr[-3000:]
    return [json.loads(line[5:]) for line in done.stdout.splitlines() if line.startswith("TOLD ")]


def test_the_dags_parse_and_say_what_they_are(airflow_home: dict[str, str]) -> None:
    code = (
        "from airflow.dag_processing.dagbag import DagBag; import json; "
        f"bag = DagBag({str(DAGS)!r}); dag = bag.dags['schoolhouse_lake']; load = dag.get_task('load'); "
        "print('FACTS ' + json.dumps([bag.import_errors, sorted(bag.dags), dag.catchup, dag.max_active_runs, "
        "load.partial_kwargs['retries'], bool(dag.deadline), [o.name for o in load.partial_kwargs['outlets']]]))"
    )
    done = subprocess.run([PYTHON, "-c", code], env=airflow_home, check=True, capture_output=True, text=True)
    facts = next(json.loads(line[6:]) for line in done.stdout.splitlines() if line.startswith("FACTS "))
    dags = ["schoolhouse_lake", "schoolhouse_lake_upkeep"]
    assert facts == [{}, dags, True, 1, 2, True, ["schoolhouse_lake_changed"]]


def test_airflow_loads_the_hours_and_a_failed_one_does_not_stop_the_next(
    broker: Broker, lake: Lake, airflow_home: dict[str, str]
) -> None:
    events = attempts(50, START) + attempts(50, START + HOUR, first=50)
    met = [session(number, START + HOUR) for number in range(5)]
    broker.send("user.attempts", messages(events))
    broker.send("user.sessions", messages(met))
    broker.delete("ml.training")  # its task fails
    environment = {
        **airflow_home,
        "KAFKA_BOOTSTRAP_SERVERS": broker.address,
        "SCHOOLHOUSE_DATA_DIR": str(lake.settings.data_dir),
        # dag.test() of Airflow 3.3 cannot run a DAG that has a deadline; a test below misses it
        "LAKE_DAG_DEADLINE_MINUTES": "0",
        "LAKE_DAG_RETRIES": "0",
    }

    first, second, changed = _told(environment, "run_dag.py", str(DAGS), "2024-03-04T11", "2024-03-04T12")

    for run in (first, second):
        states = sorted(one["state"] for one in run["tasks"] if one["task"] == "load")
        assert states == ["failed", "success", "success"]
    must_hold(lake, events, met)
    rows = {(one["asset"], one["extra"]["window"]): one["extra"]["rows"] for one in changed}
    assert rows == {
        ("lake_user_attempts", "2024-03-04T10"): 50,
        ("lake_user_attempts", "2024-03-04T11"): 50,
        ("lake_user_sessions", "2024-03-04T10"): 0,
        ("lake_user_sessions", "2024-03-04T11"): 5,
    }


def test_an_hour_that_misses_its_deadline_is_told_to_the_webhook(
    airflow_home: dict[str, str], webhook: tuple[str, list[dict[str, Any]]]
) -> None:
    url, told = webhook
    airflow = str(Path(PYTHON).with_name("airflow"))
    subprocess.run([airflow, "dags", "reserialize"], env=airflow_home, check=True, capture_output=True)

    (missed,) = _told({**airflow_home, "LAKE_ALERT_WEBHOOK_URL": url}, "miss_deadline.py")

    assert missed == {"minutes": 50, "callback": ["running", "success"]}
    assert [one["kind"] for one in told] == ["deadline"]
    assert "50 minutes" in told[0]["text"]
