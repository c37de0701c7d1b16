"""The deployment's files: the stack passes cfn-lint, the script calls AWS as documented, the notebook runs."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
import venv
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import yaml

from schoolhouse.settings import Settings, environment_name
from tests.conftest import ROOT
from tests.deploy.test_lambda_package import interpreter_with_pip
from tests.etl.conftest import KEY, video

DEPLOY = ROOT / "deploy"
CFN_LINT = "cfn-lint==1.58.0"  # 37 MB and 30 packages, some in older versions than ours: an environment of its own


@pytest.fixture(scope="session")
def cfn_lint() -> Path:
    """cfn-lint in an environment of its own, made once and kept."""
    directory = ROOT / ".venv-cfn-lint"
    program = directory / "bin" / "cfn-lint"
    if not program.exists():
        if interpreter_with_pip() == sys.executable:
            venv.create(directory, with_pip=True)
        else:
            subprocess.run([interpreter_with_pip(), "-m", "venv", str(directory)], check=True)
        pip = [str(directory / "bin/python"), "-m", "pip", "install", "--quiet", CFN_LINT]
        subprocess.run(pip, check=True, capture_output=True)
    return program


@pytest.mark.slow  # the first time, it installs cfn-lint
def test_the_stack_passes_cfn_lint(cfn_lint: Path) -> None:
    done = subprocess.run([cfn_lint, DEPLOY / "cloudformation.yaml"], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout


def test_the_image_holds_the_parts_that_the_zip_holds() -> None:
    loop = re.search(r"^for part in (.*); do$", (DEPLOY / "lambda/build.sh").read_text(), re.MULTILINE)
    assert loop is not None
    image = re.findall(r"src/schoolhouse/(\S+)", (DEPLOY / "lambda/Dockerfile").read_text())
    assert sorted(image) == sorted(loop[1].split())
    assert all((ROOT / "src/schoolhouse" / part).exists() for part in image)


class _Template(yaml.SafeLoader):
    """YAML with CloudFormation's short functions read as their arguments."""


_Template.add_multi_constructor("!", lambda loader, _, node: getattr(loader, f"construct_{node.id}")(node))


def _template() -> Any:
    return yaml.load((DEPLOY / "cloudformation.yaml").read_text(), Loader=_Template)


def test_the_stack_has_the_documents_parameters_and_names() -> None:
    template = _template()
    assert {"Environment", "S3XAPIBucketName", "ClickHouseHost", "ClickHousePassword"} <= template["Parameters"].keys()
    assert template["Parameters"]["ClickHousePassword"]["NoEcho"] is True
    resources = template["Resources"]
    names = {resources[name]["Properties"]["FunctionName"] for name in ("EventFunction", "BulkFunction")}
    assert names == {"xapi-etl-processor-${Environment}", "bulk_etl_processor-${Environment}"}
    assert resources["EventLogs"]["Properties"]["RetentionInDays"] == 30
    assert resources["EventSource"]["Properties"]["FunctionResponseTypes"] == ["ReportBatchItemFailures"]


def test_every_variable_of_the_functions_is_a_setting() -> None:
    known = {environment_name(field) for field in Settings.model_fields}
    for name in ("EventFunction", "BulkFunction"):
        variables = _template()["Resources"][name]["Properties"]["Environment"]["Variables"]
        assert variables.keys() <= known


def test_the_compose_file_sets_only_settings() -> None:
    services = yaml.safe_load((DEPLOY / "docker-compose.yml").read_text())["services"]
    known = {environment_name(field) for field in Settings.model_fields}
    names = set(services["worker"]["environment"]) - {"AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"}
    assert names <= known
    assert {"clickhouse", "setup", "worker"} == services.keys()


def test_the_notification_is_for_new_bundles_alone() -> None:
    (queue,) = json.loads((DEPLOY / "s3-notification.json").read_text())["QueueConfigurations"]
    assert queue["Events"] == ["s3:ObjectCreated:*"]
    assert queue["Filter"]["Key"]["FilterRules"] == [{"Name": "suffix", "Value": ".jsonl"}]


@pytest.fixture
def fake_aws(tmp_path: Path) -> Path:
    """A fake of the command `aws` that notes its arguments and knows no stack, and a fake build."""
    directory = tmp_path / "fakes"
    directory.mkdir()
    calls = tmp_path / "calls"
    (directory / "aws").write_text(
        f'#!/bin/sh\necho "$@" >> {calls}\n'
        f'for word; do case "$word" in file://*) cat "${{word#file://}}" >> {calls};; esac; done\n'
        'case "$*" in *describe-stacks*) exit 255;; esac\n'
    )
    (directory / "bash").write_text('#!/bin/sh\ncase "$1" in *build.sh) exit 0;; esac\nexec /bin/bash "$@"\n')
    for fake in directory.iterdir():
        fake.chmod(0o755)
    return directory


def deploy(fakes: Path, *words: str, **variables: str) -> tuple[int, str]:
    """The exit code of deploy.sh, and the calls of `aws` it made."""
    environment = {"PATH": f"{fakes}:{os.environ['PATH']}", "OUT": "/tmp/package.zip", **variables}
    done = subprocess.run(
        ["/bin/bash", DEPLOY / "deploy.sh", *words], env=environment, capture_output=True, check=False
    )
    calls = fakes.parent / "calls"
    return done.returncode, calls.read_text() if calls.exists() else ""


def test_deploy_updates_one_function_by_name(fake_aws: Path) -> None:
    code, calls = deploy(fake_aws, "--deploy", "dev-xapi-etl-processor")
    assert code == 0
    assert "update-function-code --function-name dev-xapi-etl-processor --zip-file fileb:///tmp/package.zip" in calls


def test_deploy_makes_the_stack_and_keeps_the_password_off_the_command_line(fake_aws: Path) -> None:
    code, calls = deploy(
        fake_aws,
        "dev",
        "us-east-1",
        S3_XAPI_BUCKET_NAME="bundles",
        CLICKHOUSE_HOST="ch.example",
        CLICKHOUSE_PASSWORD="hidden secret",
    )
    assert code == 0
    commands = [line for line in calls.splitlines() if not line.startswith("[")]
    assert any("cloudformation deploy --stack-name xapi-etl-dev --region us-east-1" in line for line in commands)
    assert not any("hidden" in line for line in commands)
    assert '"ClickHousePassword=hidden secret"' in calls
    for name in ("xapi-etl-processor-dev", "bulk_etl_processor-dev"):
        assert any(f"--function-name {name}" in line for line in commands)


def test_deploy_without_a_stack_says_what_is_missing(fake_aws: Path) -> None:
    code, calls = deploy(fake_aws, "dev", "us-east-1")
    assert code != 0
    assert "update-function-code" not in calls


@pytest.mark.slow
@pytest.mark.parametrize("handle", ["server"], indirect=True)
@pytest.mark.parametrize("reader", ["native"], indirect=True)
def test_the_bulk_notebook_runs(etl_settings: Settings, put: Callable[..., str], tmp_path: Path) -> None:
    put(KEY, [video(number) for number in range(30)])
    names = ("aws_endpoint_url", "s3_bucket", "clickhouse_host", "clickhouse_port", "clickhouse_database")
    environment = {**os.environ, **{environment_name(name): str(getattr(etl_settings, name)) for name in names}}
    environment |= {"HOME": str(tmp_path), "JUPYTER_PLATFORM_DIRS": "1", "SECTION_ID": "123"}
    source = tmp_path / "bulk.ipynb"
    source.write_bytes((DEPLOY / "bulk.ipynb").read_bytes())
    command = [str(Path(sys.executable).with_name("jupyter-execute")), "--inplace", str(source)]
    done = subprocess.run(command, env=environment, capture_output=True, text=True, check=False, cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    outputs = json.dumps(json.loads(source.read_text())["cells"])
    assert "'estimated_statements': 30" in outputs
    assert "'events_processed': 30" in outputs


def test_the_notebook_is_kept_without_outputs() -> None:
    cells = json.loads((DEPLOY / "bulk.ipynb").read_text())["cells"]
    assert all(cell.get("outputs", []) == [] for cell in cells)
