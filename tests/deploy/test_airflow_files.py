"""Airflow's compose file: what a data engineer starts has all parts, no known password, and settings that we have."""

from __future__ import annotations

import re
import subprocess
from pathlib import Path
from typing import Any

import pytest
import yaml

from schoolhouse.settings import Settings, environment_name
from schoolhouse.settings.lake import Lake
from schoolhouse.settings.process import Process

AIRFLOW = Path(__file__).parents[2] / "deploy" / "airflow"
# What the clouds' own libraries read.
KEYS = {"AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_SESSION_TOKEN", "GOOGLE_APPLICATION_CREDENTIALS"}
TEXT = (AIRFLOW / "docker-compose.yml").read_text()


@pytest.fixture
def services() -> dict[str, Any]:
    found: dict[str, Any] = yaml.safe_load(TEXT)["services"]
    return found


def _secrets() -> dict[str, str]:
    printed = subprocess.run(["/bin/sh", AIRFLOW / "secrets.sh"], check=True, capture_output=True, text=True).stdout
    return dict(line.split("=", 1) for line in printed.splitlines())


def test_all_parts_of_airflow_are_there_with_celery_and_roles(services: dict[str, Any]) -> None:
    assert services.keys() == {
        *("postgres", "redis", "init", "api-server", "scheduler", "dag-processor", "triggerer", "worker", "flower")
    }
    for name in ("api-server", "scheduler", "worker"):
        environment = services[name]["environment"]
        assert environment["AIRFLOW__CORE__EXECUTOR"] == "CeleryExecutor"
        assert environment["AIRFLOW__CORE__AUTH_MANAGER"].endswith("FabAuthManager")


def test_pages_are_served_on_this_machine_alone(services: dict[str, Any]) -> None:
    ports = [port for service in services.values() for port in service.get("ports", [])]
    assert ports == ["127.0.0.1:8080:8080", "127.0.0.1:5555:5555"]


def test_every_secret_is_drawn_anew_and_nothing_starts_without_it() -> None:
    first, second = _secrets(), _secrets()
    drawn = {name for name in first if name != "KAFKA_BOOTSTRAP_SERVERS"}
    assert all(first[name] != second[name] and len(first[name]) >= 32 for name in drawn)
    demanded = set(re.findall(r"\$\{(\w+):\?", TEXT))
    assert demanded == set(first)
    without_default = re.findall(r"\$\{(\w*(?:PASSWORD|SECRET|KEY)\w*)(:-[^}]*)?\}", TEXT)
    assert not any(default for _, default in without_default)


def test_the_lakes_variables_are_settings_or_the_dags_own(services: dict[str, Any]) -> None:
    ours = {name for name in services["worker"]["environment"] if not name.startswith("AIRFLOW__")}
    known = {environment_name(field) for field in Settings.model_fields} | KEYS
    assert {name for name in ours - known if not name.startswith("LAKE_DAG_")} == set()


def test_every_setting_of_the_lake_reaches_the_worker(services: dict[str, Any]) -> None:
    lakes = {environment_name(field) for field in Lake.model_fields.keys() - Process.model_fields.keys()}
    assert lakes - services["worker"]["environment"].keys() == {"LAKE_FOLLOW_SECONDS", "LAKE_STAGING_DIR"}


def test_volumes_lie_where_the_image_has_directories_of_the_user_that_runs(services: dict[str, Any]) -> None:
    made = next(line for line in (AIRFLOW / "Dockerfile").read_text().splitlines() if "mkdir -p" in line)
    named = [volume.split(":")[1] for volume in services["worker"]["volumes"] if not volume.startswith(".")]
    assert named
    assert set(named) <= set(made.split())
