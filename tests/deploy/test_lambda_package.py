"""The zip that AWS gets: its size, what it needs, and that it loads a bundle where only boto3 is installed."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import venv
import zipfile
from collections.abc import Callable
from importlib import metadata
from pathlib import Path

import pytest
from packaging.requirements import Requirement

from schoolhouse.settings import Settings
from schoolhouse.warehouse.connection import Warehouse
from tests.conftest import ROOT
from tests.etl.conftest import KEY, count_events, video

pytestmark = [pytest.mark.xdist_group("lambda package"), pytest.mark.slow]  # built once, of wheels from PyPI

# Answers one event with the function of the unpacked zip, in an interpreter that has boto3 alone.
_INVOKE = """
import json, sys, time
sys.path.insert(0, sys.argv[1])
started = time.perf_counter()
from schoolhouse.etl.lambda_entry import lambda_handler
seconds = time.perf_counter() - started
early = [name for name in ("boto3", "clickhouse_connect", "pydantic") if name in sys.modules]
class Context:
    def get_remaining_time_in_millis(self):
        return 300_000
answers = [lambda_handler(json.loads(event), Context()) for event in sys.argv[2:]]
late = [name for name in ("chdb", "numpy", "pandas", "pyarrow") if name in sys.modules]
print(json.dumps({"answers": answers, "early": early, "late": late, "seconds": seconds}))
"""


def interpreter_with_pip() -> str:
    """This interpreter, or the one that its environment was made from."""
    for candidate in (sys.executable, getattr(sys, "_base_executable", sys.executable)):
        if subprocess.run([candidate, "-m", "pip", "--version"], capture_output=True, check=False).returncode == 0:
            return str(candidate)
    raise RuntimeError("no interpreter with pip")


@pytest.fixture(scope="session")
def package(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The zip, built as `deploy.sh` builds it."""
    path = tmp_path_factory.mktemp("package") / "xapi-etl-processor.zip"
    environment = {**os.environ, "PYTHON": interpreter_with_pip(), "OUT": str(path)}
    subprocess.run(["bash", str(ROOT / "deploy/deploy.sh")], env=environment, check=True, capture_output=True)
    return path


@pytest.fixture(scope="session")
def python_with_boto3(tmp_path_factory: pytest.TempPathFactory) -> str:
    """An interpreter with boto3, what it needs, and nothing else, as in AWS's runtime."""
    directory = tmp_path_factory.mktemp("runtime")
    venv.create(directory, with_pip=False)
    site = next((directory / "lib").glob("python*/site-packages"))
    for name in _with_requirements("boto3"):
        installed = metadata.distribution(name)
        for top in {file.parts[0] for file in installed.files or () if file.parts[0] not in {"..", "__pycache__"}}:
            (site / top).symlink_to(Path(str(installed.locate_file(top))))
    return str(directory / "bin/python")


def _with_requirements(name: str) -> set[str]:
    """A distribution and, by way of others too, what it always needs."""
    needed = [Requirement(one) for one in metadata.requires(name) or ()]
    wanted = [one.name for one in needed if one.marker is None or one.marker.evaluate({"extra": ""})]
    return {name}.union(*map(_with_requirements, wanted))


def test_the_package_is_small_and_brings_neither_boto3_nor_the_engine(package: Path) -> None:
    assert package.stat().st_size < 15_000_000
    names = {name.split("/")[0] for name in zipfile.ZipFile(package).namelist()}
    assert {"schoolhouse", "clickhouse_connect", "pydantic_settings"} <= names
    assert not {"boto3", "botocore", "chdb", "numpy", "pandas", "pyarrow", "bin"} & names


@pytest.mark.parametrize("handle", ["server"], indirect=True)
@pytest.mark.parametrize("reader", ["native"], indirect=True)
def test_the_unpacked_function_loads_a_bundle_with_boto3_alone(
    package: Path,
    python_with_boto3: str,
    etl_settings: Settings,
    put: Callable[..., str],
    tables: Warehouse,
    tmp_path: Path,
) -> None:
    with zipfile.ZipFile(package) as archive:
        archive.extractall(tmp_path / "task")
    put(KEY, [video(1), video(2)])
    events = [{"health_check": True}, {"bucket": etl_settings.s3_bucket, "key": KEY}]
    environment = {
        "PATH": os.environ["PATH"],
        "AWS_ACCESS_KEY_ID": "tests",
        "AWS_SECRET_ACCESS_KEY": "not-a-secret",
        "AWS_ENDPOINT_URL": etl_settings.aws_endpoint_url,
        "CLICKHOUSE_HOST": etl_settings.clickhouse_host,
        "CLICKHOUSE_PORT": str(etl_settings.clickhouse_port),
        "CLICKHOUSE_DATABASE": etl_settings.clickhouse_database,
    }
    command = [python_with_boto3, "-c", _INVOKE, str(tmp_path / "task"), *map(json.dumps, events)]
    done = subprocess.run(command, env=environment, capture_output=True, text=True, check=False, cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    told = json.loads(done.stdout)
    health, loaded = told["answers"]
    assert health["status"] == "healthy"
    assert (loaded["success"], loaded["events_new"], loaded["video_events_processed"]) == (True, 2, 2)
    assert told["early"] == [], "imported before the first event"
    assert told["late"] == [], "not in the package, and not needed"
    assert count_events(tables) == 2
    assert "not-a-secret" not in done.stderr


def test_without_clickhouse_the_function_says_what_to_set(
    package: Path, python_with_boto3: str, tmp_path: Path
) -> None:
    with zipfile.ZipFile(package) as archive:
        archive.extractall(tmp_path / "task")
    command = [python_with_boto3, "-c", _INVOKE, str(tmp_path / "task"), '{"health_check": true}']
    done = subprocess.run(command, env={}, capture_output=True, text=True, check=False, cwd=tmp_path)
    assert "Set CLICKHOUSE_HOST" in done.stderr


def test_the_package_is_tried_by_one_command(package: Path, python_with_boto3: str) -> None:
    command = [python_with_boto3, str(ROOT / "deploy/lambda/try_package.py"), str(package)]
    done = subprocess.run(command, env={}, capture_output=True, text=True, check=True)
    assert "modes: as documented" in done.stdout
