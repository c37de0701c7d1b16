"""The payloads in the documentation are understood as it says."""

from __future__ import annotations

import json
import re

import pytest

from schoolhouse.etl.payloads import messages_of, mode_of
from schoolhouse.settings import Settings, environment_name
from tests.conftest import ROOT
from tests.etl.conftest import KEY

PAGES = ["etl.md", "etl-bulk.md", "etl-worker.md", "deploy-lambda.md"]


def payloads(page: str) -> list[dict[str, object]]:
    text = (ROOT / "docs" / page).read_text(encoding="utf-8")
    return [json.loads(block) for block in re.findall(r"```json\n(.*?)```", text, re.DOTALL)]


def test_the_payloads_of_the_pages_are_of_their_modes() -> None:
    assert [mode_of(payload) for payload in payloads("etl.md")] == ["event", "event", "health_check", "diagnostics"]
    assert [mode_of(payload) for payload in payloads("etl-bulk.md")] == ["bulk"]


def test_the_events_of_the_pages_name_their_object() -> None:
    for payload in payloads("etl.md")[:2]:
        assert [ref.key for ref in messages_of(payload)[0].objects] == [KEY]


@pytest.mark.parametrize("page", PAGES)
def test_links_lead_somewhere_and_settings_exist(page: str) -> None:
    text = (ROOT / "docs" / page).read_text(encoding="utf-8")
    for target in re.findall(r"\]\(([^)#]+)\)", text):
        assert (ROOT / "docs" / target).exists(), target
    known = {environment_name(field) for field in Settings.model_fields} | {"CLICKHOUSE_USERNAME", "CREATE", "UTC"}
    known |= {"AWS_ACCESS_KEY_ID", "PYTHON", "ARCHITECTURE", "BULK_FUNCTION_NAME", "CAPABILITY_NAMED_IAM"}
    named = set(re.findall(r"`((?:CLICKHOUSE|ETL|XAPI|S3|MAX|MIN|FAILURE|AWS|LOG|ENVIRONMENT)[A-Z0-9_]*)[=`]", text))
    assert named <= known, named - known
