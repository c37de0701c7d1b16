"""Storage that fails: every library's error comes as ours, and says what to do."""

from __future__ import annotations

import socket

import polars as pl
import pytest

from schoolhouse.errors import LakeError, LakeUnavailable
from schoolhouse.lake import summary
from schoolhouse.lake.zones import lake_of, mapped_reads, object_store
from schoolhouse.settings import load_settings


def test_a_bucket_that_does_not_answer_is_said_to_be_so(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
        monkeypatch.setenv(name, "nobody")
    with socket.create_server(("127.0.0.1", 0)) as free:
        nowhere = f"http://127.0.0.1:{free.getsockname()[1]}"
    away = lake_of(load_settings(lake_provider="s3", lake_bucket="lake", aws_endpoint_url=nowhere))

    with pytest.raises(LakeUnavailable, match="storage fails at raw/") as refused:
        summary.summary(away)
    assert refused.value.is_retryable
    assert "Debug" not in refused.value.message


def test_an_object_that_is_not_there_is_no_fault_of_the_storage(tmp_path_factory: pytest.TempPathFactory) -> None:
    objects = object_store(lake_of(load_settings(data_dir=tmp_path_factory.mktemp("data"))))
    objects.put("operations/one.json", b"{}")
    assert objects.get("operations/one.json") == b"{}"
    assert list(objects.list("operations/")) == ["operations/one.json"]
    objects.delete(["operations/one.json"])
    with pytest.raises(FileNotFoundError):
        objects.get("operations/one.json")


def test_only_errors_of_storage_become_ours(tmp_path_factory: pytest.TempPathFactory) -> None:
    broken = tmp_path_factory.mktemp("lake") / "broken.parquet"
    broken.write_bytes(b"PAR1 this is no data PAR1")
    with pytest.raises(LakeError, match="A file of the day cannot be used"), mapped_reads("the day"):
        pl.scan_parquet(broken).collect()
    with pytest.raises(pl.exceptions.ColumnNotFoundError), mapped_reads("the day"):
        pl.LazyFrame({"a": [1]}).select("b").collect()
