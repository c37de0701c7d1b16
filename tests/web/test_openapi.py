"""The API keeps to its description, whatever is sent: no failure of ours, and no answer that is not described."""

from __future__ import annotations

from typing import Any

import pytest
import schemathesis
from hypothesis import HealthCheck, Phase, given, settings
from schemathesis.checks import not_a_server_error
from schemathesis.specs.openapi.checks import (
    content_type_conformance,
    response_schema_conformance,
    status_code_conformance,
)

from tests.web.visitors import PeopledSite

CHECKS = [not_a_server_error, status_code_conformance, content_type_conformance, response_schema_conformance]
EXAMPLES = 4


@pytest.mark.slow
def test_every_answer_is_one_that_is_described(peopled_site: PeopledSite) -> None:
    described = schemathesis.openapi.from_url(f"{peopled_site.site.address}/api/openapi.json")
    tried = set()
    for found in described.get_all_operations():
        operation = found.ok()
        if "backfill" in operation.path and operation.method.upper() != "GET":
            continue  # it would reach for S3

        @given(case=operation.as_strategy())
        @settings(
            max_examples=EXAMPLES,
            deadline=None,
            database=None,
            phases=[Phase.explicit, Phase.generate],
            suppress_health_check=list(HealthCheck),
        )
        def answers_as_described(case: Any) -> None:
            case.call_and_validate(headers={"Authorization": f"Bearer {peopled_site.tokens['root']}"}, checks=CHECKS)

        answers_as_described()
        tried.add(operation.path)
    assert {"/api/sections", "/api/v1/sections/{slug}/query", "/api/v1/projects/{slug}/questions", "/metrics"} <= tried
