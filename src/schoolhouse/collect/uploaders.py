"""Uploaders: where the pipeline's batches go, one class a mode.

    direct   into the warehouse
    s3       an object in the bucket, which the ETL loads
    lambda   the same, and then the function is called with the object's key
    file     a file in a directory, for development and for archives

In: a batch. Out: nothing, once it has arrived; else an error of ours, and the pipeline tries again later. Delivering a
batch twice does no harm: its key names its content, and the warehouse counts a statement once.
"""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Final, Protocol

from schoolhouse.collect.group_commit import GroupCommit
from schoolhouse.collect.spool import Batch
from schoolhouse.errors import SettingsError, UploadFailed, WarehouseError, install_hint
from schoolhouse.settings import Settings
from schoolhouse.warehouse.connection import Warehouse, open_warehouse
from schoolhouse.warehouse.loads import Piece, start_load
from schoolhouse.warehouse.migrations import require_current

_GROUP_LIMIT: Final = 20  # batches in one load of mode direct


class Uploader(Protocol):
    """What the pipeline needs of a mode."""

    def deliver(self, batch: Batch) -> None:
        """Bring the batch where it belongs; called from many threads at once. Raises SchoolhouseError."""

    def close(self) -> None:
        """Release what was opened."""


def make_uploader(settings: Settings) -> Uploader:
    """The uploader of XAPI_ETL_MODE.

    Raises:
        SettingsError: the mode needs a setting that is missing.
    """
    if settings.etl_mode == "direct":
        return DirectUploader(lambda: open_warehouse(settings, who="pipeline"))
    if settings.etl_mode == "file":
        return FileUploader(settings.bundles_dir)
    if not settings.s3_bucket:
        raise SettingsError(f"XAPI_ETL_MODE={settings.etl_mode} needs a bucket.", hint="Set S3_XAPI_BUCKET_NAME.")
    uploader = S3Uploader(settings.s3_bucket, _aws_client("s3", settings))
    if settings.etl_mode == "lambda":
        return LambdaUploader(uploader, settings.lambda_function_name, _aws_client("lambda", settings))
    return uploader


class DirectUploader:
    """Into the warehouse. Batches that arrive together share one load: many cost little more than one."""

    def __init__(self, open_writer: Callable[[], Warehouse]) -> None:
        self._open_writer = open_writer
        self._warehouse: Warehouse | None = None
        self._loads: GroupCommit[Batch, None] = GroupCommit(self._load, limit=_GROUP_LIMIT)

    def deliver(self, batch: Batch) -> None:
        """Load the batch, together with others that wait."""
        self._loads.submit(batch)

    def close(self) -> None:
        """Close the warehouse; it opens again when needed."""
        if self._warehouse:
            self._warehouse.close()
        self._warehouse = None

    def _load(self, batches: Sequence[Batch]) -> list[None]:
        if not self._warehouse:  # opened when first needed: the pipeline accepts while the warehouse is away
            self._warehouse = self._open_ready()
        try:
            with start_load(self._warehouse, route="direct", source=str(batches[0].key)) as load:
                load.add_pieces([Piece(batch.body, str(batch.key)) for batch in batches])
        except WarehouseError:
            self.close()
            raise
        return [None] * len(batches)

    def _open_ready(self) -> Warehouse:
        """The warehouse with all its views: without them, the table `ingest` swallows lines without a word."""
        warehouse = self._open_writer()
        try:
            require_current(warehouse)
        except WarehouseError:
            warehouse.close()
            raise
        return warehouse


class FileUploader:
    """Files under a directory, named as objects in S3 are. Readers never see half a file."""

    def __init__(self, directory: Path) -> None:
        self._directory = directory

    def deliver(self, batch: Batch) -> None:
        """Write the file beside its place, and move it there."""
        path = self._directory / str(batch.key)
        unfinished = path.with_name(f".{path.name}.{batch.id}")
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            with unfinished.open("wb") as file:
                file.write(batch.body)
                file.flush()
                os.fsync(file.fileno())
            unfinished.replace(path)
            _sync_directory(path.parent)
        except OSError as error:
            raise UploadFailed(f"Cannot write {path}: {error.strerror}.", hint="See XAPI_FILE_DIR.") from None

    def close(self) -> None:
        """Nothing is open."""


class S3Uploader:
    """Objects in a bucket."""

    def __init__(self, bucket: str, client: Any) -> None:
        self.bucket = bucket
        self._client = client

    def deliver(self, batch: Batch) -> None:
        """Put the object."""
        with _mapped_errors(f"s3://{self.bucket}/{batch.key}"):
            self._client.put_object(
                Bucket=self.bucket, Key=str(batch.key), Body=batch.body, ContentType="application/x-ndjson"
            )

    def close(self) -> None:
        """Close the connections."""
        self._client.close()


class LambdaUploader:
    """Objects in a bucket, each followed by a call of the function, to try a deployed ETL without notifications."""

    def __init__(self, objects: S3Uploader, function_name: str, client: Any) -> None:
        self._objects = objects
        self._function_name = function_name
        self._client = client

    def deliver(self, batch: Batch) -> None:
        """Put the object, call the function with its key, and believe the function's answer."""
        self._objects.deliver(batch)
        call = {"bucket": self._objects.bucket, "key": str(batch.key)}
        with _mapped_errors(f"function {self._function_name}"):
            answer = self._client.invoke(FunctionName=self._function_name, Payload=json.dumps(call).encode())
            payload = answer["Payload"].read()
        if answer.get("FunctionError") or not _says_success(payload):
            raise UploadFailed(
                f"The function {self._function_name} did not load {batch.key}.", hint="See the function's log."
            )

    def close(self) -> None:
        """Close the connections."""
        self._objects.close()
        self._client.close()


def _says_success(payload: bytes) -> bool:
    """Whether the function's answer is an object that does not say `success: false`, in itself or in its `body`."""
    try:
        answer = json.loads(payload)
        if isinstance(answer, dict) and isinstance(answer.get("body"), str):
            answer = {**json.loads(answer["body"]), "statusCode": answer.get("statusCode", 200)}
    except (ValueError, TypeError):
        return False
    return isinstance(answer, dict) and answer.get("success", True) is True and answer.get("statusCode", 200) == 200


def _aws_client(service: str, settings: Settings) -> Any:
    try:
        import boto3
        from botocore.config import Config
    except ImportError:
        raise SettingsError("boto3 is not installed.", hint=install_hint("s3")) from None
    return boto3.client(
        service,
        region_name=settings.aws_region,
        endpoint_url=settings.aws_endpoint_url or None,
        config=Config(
            connect_timeout=5,
            read_timeout=60,
            max_pool_connections=settings.batcher_concurrency,
            retries={"total_max_attempts": 2, "mode": "standard"},  # the pipeline itself tries again, and waits longer
        ),
    )


@contextmanager
def _mapped_errors(target: str) -> Iterator[None]:
    from botocore.exceptions import BotoCoreError, ClientError

    try:
        yield
    except ClientError as error:
        code = error.response.get("Error", {}).get("Code", "unknown")
        raise UploadFailed(f"{target} was refused: {code}.", hint="Check the bucket, function and rights.") from None
    except BotoCoreError as error:
        raise UploadFailed(
            f"{target} could not be reached: {type(error).__name__}.", hint="Check AWS_REGION and credentials."
        ) from None


def _sync_directory(path: Path) -> None:
    handle = os.open(path, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
