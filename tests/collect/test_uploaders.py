"""Each mode brings batches where it says: the warehouse, a bucket, a bucket and a function, a directory."""

import json
import sys
import threading

import boto3
import pytest

from schoolhouse.collect.bundles import parse_key
from schoolhouse.collect.pipeline import Pipeline
from schoolhouse.collect.uploaders import LambdaUploader, S3Uploader, make_uploader
from schoolhouse.errors import SettingsError, UploadFailed
from schoolhouse.settings import load_settings
from schoolhouse.warehouse import migrations
from schoolhouse.warehouse.connection import open_warehouse

from .fake_lambda import FakeLambda
from .parts import bundle, pipeline_settings, wait_until
from .statements import new_statement


def _objects(s3, bucket):
    found = s3.list_objects_v2(Bucket=bucket).get("Contents", [])
    return {one["Key"]: s3.get_object(Bucket=bucket, Key=one["Key"])["Body"].read() for one in found}


def _s3_settings(tmp_path, ministack, bucket, **changes):
    return pipeline_settings(
        tmp_path, **{"etl_mode": "s3", "s3_bucket": bucket, "aws_endpoint_url": ministack, **changes}
    )


def test_mode_s3_puts_each_batch_as_one_object_under_the_prefix(tmp_path, s3, ministack, bucket):
    with Pipeline(_s3_settings(tmp_path, ministack, bucket, bundle_prefix="prod/xapi")) as pipeline:
        pipeline.send(bundle(b"a", b"b", section="7"), bundle(b"c", section="7"))
    ((key, body),) = _objects(s3, bucket).items()
    assert key.startswith("prod/xapi/section/7/page_viewed/")
    assert body == b"a\nb\nc"


def test_mode_s3_without_boto3_says_how_to_install_it(tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "boto3", None)
    with pytest.raises(SettingsError, match=r"boto3 is not installed.*pip install"):
        make_uploader(_s3_settings(tmp_path, "http://127.0.0.1:1", "bucket"))


def test_mode_s3_waits_for_a_bucket_that_is_not_there_yet(tmp_path, s3, ministack):
    settings = _s3_settings(tmp_path, ministack, "late-bucket")
    with Pipeline(settings) as pipeline:
        pipeline.send(bundle(b"a"))
        wait_until(lambda: pipeline.stats().failed_attempts > 0)
        assert "NoSuchBucket. Check the bucket" in pipeline.stats().last_error
        s3.create_bucket(Bucket="late-bucket")
        wait_until(lambda: pipeline.stats().delivered == 1)
    assert list(_objects(s3, "late-bucket").values()) == [b"a"]


def test_mode_s3_keeps_everything_while_s3_is_away(tmp_path, aws_credentials):
    settings = _s3_settings(tmp_path, "http://127.0.0.1:1", "bucket")
    with Pipeline(settings) as pipeline:
        pipeline.send(bundle(b"a"))
        wait_until(lambda: pipeline.stats().failed_attempts > 0)
        assert "could not be reached" in pipeline.stats().last_error
        assert "not-a-secret" not in pipeline.stats().last_error


def test_mode_s3_without_a_bucket_is_refused(tmp_path):
    with pytest.raises(SettingsError, match="needs a bucket"):
        make_uploader(pipeline_settings(tmp_path, etl_mode="s3"))


def _lambda_uploader(url, s3, bucket):
    client = boto3.client("lambda", endpoint_url=url, region_name="us-east-1")
    return LambdaUploader(S3Uploader(bucket, s3), "xapi-etl-processor-dev", client)


@pytest.mark.parametrize(
    "answer",
    [
        {"success": True, "events_processed": 1},
        {"statusCode": 200, "body": json.dumps({"success": True})},
    ],
)
def test_mode_lambda_puts_the_object_and_calls_the_function_with_its_key(tmp_path, s3, bucket, answer):
    with FakeLambda(answer) as function:
        uploader = _lambda_uploader(function.url, s3, bucket)
        with Pipeline(pipeline_settings(tmp_path), uploader=uploader) as pipeline:
            pipeline.send(bundle(b"a"))
    ((path, call),) = function.calls
    assert path.endswith("/functions/xapi-etl-processor-dev/invocations")
    s3 = boto3.client("s3", endpoint_url=s3.meta.endpoint_url, region_name="us-east-1")
    assert call == {"bucket": bucket, "key": next(iter(_objects(s3, bucket)))}


@pytest.mark.parametrize(
    ("answer", "function_error"),
    [
        ({"errorMessage": "boom"}, "Unhandled"),
        ({"success": False}, ""),
        ({"statusCode": 500, "body": "{}"}, ""),
        ("what", ""),
    ],
)
def test_mode_lambda_tries_again_when_the_function_did_not_load_the_object(
    tmp_path, s3, bucket, answer, function_error
):
    with FakeLambda(answer, function_error=function_error) as function:
        uploader = _lambda_uploader(function.url, s3, bucket)
        with Pipeline(pipeline_settings(tmp_path, drain_seconds=0), uploader=uploader) as pipeline:
            pipeline.send(bundle(b"a"))
            wait_until(lambda: pipeline.stats().retrying == 1)
            assert "did not load" in pipeline.stats().last_error


def test_mode_file_writes_files_named_as_objects_are(tmp_path):
    settings = pipeline_settings(tmp_path, bundle_prefix="archive")
    with Pipeline(settings) as pipeline:
        pipeline.send(bundle(b"a", b"b", section="7", category="video"))
    (path,) = (tmp_path / "bundles").rglob("*.*")
    assert path.parent == tmp_path / "bundles/archive/section/7/video"
    assert (path.suffix, path.read_bytes()) == (".jsonl", b"a\nb")


def test_mode_file_says_which_file_it_could_not_write(tmp_path):
    (tmp_path / "bundles").write_text("a file, where a directory should be")
    with Pipeline(pipeline_settings(tmp_path, drain_seconds=0)) as pipeline:
        pipeline.send(bundle(b"a"))
        wait_until(lambda: pipeline.stats().retrying == 1)
        assert "Cannot write" in pipeline.stats().last_error


@pytest.fixture
def direct_settings(migrated_settings, tmp_path):
    """Mode direct into a warehouse that is set up."""
    return migrated_settings.model_copy(update={"etl_mode": "direct", "batch_timeout_ms": 50, "spool_dir": tmp_path})


def _event_ids(settings):
    with open_warehouse(settings, role="reader") as warehouse:
        return sorted(str(row[0]) for row in warehouse.ask("SELECT event_id FROM raw_events FINAL", why="test").rows)


def _bundles(statements):
    return [
        bundle(*(json.dumps(one).encode() for one in statements[n : n + 4]), section=str(n % 3))
        for n in range(0, len(statements), 4)
    ]


def test_mode_direct_brings_every_statement_into_the_warehouse_once(direct_settings):
    statements = [new_statement() for _ in range(40)]
    bundles = _bundles(statements)
    with Pipeline(direct_settings) as pipeline:
        threads = [threading.Thread(target=pipeline.send, args=bundles) for _ in range(3)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    assert pipeline.stats().queued == 0
    assert _event_ids(direct_settings) == sorted(one["id"] for one in statements)
    with open_warehouse(direct_settings, role="reader") as warehouse:
        sources = warehouse.ask("SELECT DISTINCT source_file FROM raw_events", why="test").rows
    assert {parse_key(source).group.partition_id for (source,) in sources} == {"0", "1", "2"}


def test_mode_direct_keeps_everything_until_the_warehouse_is_set_up(warehouse_settings, tmp_path):
    settings = warehouse_settings.model_copy(
        update={"etl_mode": "direct", "batch_timeout_ms": 10, "spool_dir": tmp_path}
    )
    statement = new_statement()
    with Pipeline(settings) as pipeline:
        pipeline.send(*_bundles([statement]))
        wait_until(lambda: pipeline.stats().failed_attempts > 0)
        with open_warehouse(settings, who="tests", must_exist=False) as warehouse:
            migrations.up(warehouse)
        wait_until(lambda: pipeline.stats().delivered == 1)  # a try that met half of the tables fails once more
    assert _event_ids(settings) == [statement["id"]]


def test_a_line_that_is_no_statement_is_set_aside_and_its_neighbours_arrive(direct_settings):
    statement = new_statement()
    with Pipeline(direct_settings) as pipeline:
        pipeline.send(bundle(b"not JSON", json.dumps(statement).encode()))
    assert _event_ids(direct_settings) == [statement["id"]]
    with open_warehouse(direct_settings, role="reader") as warehouse:
        assert warehouse.ask("SELECT code FROM rejected_statements", why="test").rows == [("not_json",)]


def test_settings_choose_the_mode(tmp_path, aws_credentials):
    kinds = {
        mode: type(make_uploader(load_settings(data_dir=tmp_path, etl_mode=mode, s3_bucket="b"))).__name__
        for mode in ("direct", "s3", "lambda", "file")
    }
    assert kinds == {"direct": "DirectUploader", "s3": "S3Uploader", "lambda": "LambdaUploader", "file": "FileUploader"}


def test_an_error_of_an_uploader_can_be_tried_again():
    assert UploadFailed("x").is_retryable
