"""The health check and the diagnostics, when all is well and when it is not."""

from __future__ import annotations

import json
from collections.abc import Callable

import pytest

from schoolhouse.errors import PayloadError
from schoolhouse.etl.handler import Handler
from schoolhouse.settings import Settings
from tests.etl.conftest import KEY, video

Put = Callable[..., str]
native_only = pytest.mark.parametrize("reader", ["native"], indirect=True)
server_only = pytest.mark.parametrize("handle", ["server"], indirect=True)


@native_only
def test_all_is_well(handler: Handler) -> None:
    answer = handler.handle({"health_check": True})
    assert (answer["success"], answer["status"], answer["processing_mode"]) == (True, "healthy", "health_check")
    assert answer["clickhouse"]["version"].startswith("2")


@native_only
@server_only
def test_clickhouse_away_is_an_answer(etl_settings: Settings, refused_port: int) -> None:
    with Handler(etl_settings.model_copy(update={"clickhouse_port": refused_port})) as handler:
        answer = handler.handle({"health_check": True})
    assert (answer["success"], answer["clickhouse"]["code"]) == (False, "warehouse_unavailable")


@native_only
@server_only
def test_missing_tables_are_an_answer_with_a_remedy(etl_settings: Settings) -> None:
    with Handler(etl_settings.model_copy(update={"clickhouse_database": "no_such_database"})) as handler:
        answer = handler.handle({"health_check": True})
    assert answer["status"] == "unhealthy"
    assert "setup" in answer["clickhouse"]["hint"]


@server_only
def test_diagnostics_tell_whether_s3_can_be_read_and_hide_secrets(
    etl_settings: Settings, put: Put, bucket: str, reader: str
) -> None:
    put(KEY, [video(1)])
    with Handler(etl_settings) as handler:
        answer = handler.handle({"diagnostics": True, "s3_check": {"bucket": bucket, "prefix": "section/"}})
    assert (answer["statusCode"], answer["success"]) == (200, True)
    body = answer["body"]
    assert body["s3"]["keys"] == [KEY]
    assert ("clickhouse_reads" in body["s3"]) == (reader == "native")
    if reader == "native":
        assert body["s3"]["clickhouse_reads"]["size_bytes"] > 100
    assert body["packages"]["boto3"]
    secret = "hidden-secret"
    with Handler(Settings(CLICKHOUSE_PASSWORD=secret)) as handler:
        assert secret not in json.dumps(handler.handle({"diagnostics": True}))


@native_only
@server_only
def test_diagnostics_of_a_missing_bucket_are_an_answer(handler: Handler) -> None:
    answer = handler.handle({"diagnostics": True, "s3_check": {"bucket": "no-such-bucket"}})
    assert (answer["success"], answer["body"]["s3"]["code"]) == (False, "object_missing")
    with pytest.raises(PayloadError, match="s3_check"):
        handler.handle({"diagnostics": True, "s3_check": "no-such-bucket"})
