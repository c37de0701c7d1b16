"""Whether the handler could do its work: the health check, and diagnostics that look further.

Answers name settings, versions and sizes; of secrets they say only whether they are set.
"""

from __future__ import annotations

import importlib.metadata
import os
import platform
import time
from collections.abc import Mapping
from typing import Any, Final

from pydantic import SecretStr

from schoolhouse import __version__
from schoolhouse.errors import PayloadError, SchoolhouseError
from schoolhouse.etl.aws import mapped_errors, objects_url
from schoolhouse.etl.objects import ObjectLoader
from schoolhouse.etl.payloads import ObjectRef
from schoolhouse.settings import Settings, environment_name
from schoolhouse.warehouse.migrations import require_current
from schoolhouse.warehouse.statements import statement

_SQL: Final = "schoolhouse.etl.sql"
_PACKAGES: Final = ("boto3", "clickhouse-connect", "pydantic", "chdb-core", "numpy", "pyarrow")
_MOST_KEYS: Final = 5


def check_health(loader: ObjectLoader) -> dict[str, Any]:
    """Whether ClickHouse answers and has its tables."""
    settings = loader.settings
    warehouse = _tried(lambda: _warehouse_facts(loader))
    return {
        "success": warehouse["ok"],
        "status": "healthy" if warehouse["ok"] else "unhealthy",
        "processing_mode": "health_check",
        "version": __version__,
        "environment": settings.environment,
        "reader": settings.etl_reader,
        "clickhouse": warehouse,
    }


def diagnose(payload: Mapping[str, Any], loader: ObjectLoader) -> dict[str, Any]:
    """Runtime, packages, settings, ClickHouse, and with `s3_check` {bucket, prefix} whether S3 can be read.

    Raises:
        PayloadError: `s3_check` is malformed.
    """
    body: dict[str, Any] = {
        "runtime": {
            "python": platform.python_version(),
            "machine": platform.machine(),
            "function": os.environ.get("AWS_LAMBDA_FUNCTION_NAME", ""),
            "memory_mb": os.environ.get("AWS_LAMBDA_FUNCTION_MEMORY_SIZE", ""),
        },
        "packages": {name: _version(name) for name in _PACKAGES} | {"schoolhouse": __version__},
        "settings": _settings(loader.settings),
        "clickhouse": _tried(lambda: _warehouse_facts(loader)),
    }
    if "s3_check" in payload:
        where = payload["s3_check"]
        if not isinstance(where, Mapping):
            raise PayloadError("s3_check is an object with bucket and prefix.")
        bucket = str(where.get("bucket") or loader.settings.s3_bucket)
        body["s3"] = _tried(lambda: _storage_facts(loader, bucket, str(where.get("prefix") or "")))
    is_well = all(part["ok"] for part in (body["clickhouse"], body.get("s3", {"ok": True})))
    return {"statusCode": 200, "success": is_well, "processing_mode": "diagnostics", "body": body}


def _warehouse_facts(loader: ObjectLoader) -> dict[str, Any]:
    with loader.warehouse() as warehouse:
        version = warehouse.ask(statement("read_version", _SQL), why="etl health").value()
        require_current(warehouse)
    return {"version": version, "database": loader.settings.clickhouse_database}


def _storage_facts(loader: ObjectLoader, bucket: str, prefix: str) -> dict[str, Any]:
    """The first keys, and in native mode the size of the first as ClickHouse reads it."""
    with mapped_errors(f"s3://{bucket}/{prefix}"):
        page = loader.s3.list_objects_v2(Bucket=bucket, Prefix=prefix, MaxKeys=_MOST_KEYS)
    keys = [entry["Key"] for entry in page.get("Contents", [])]
    facts: dict[str, Any] = {"bucket": bucket, "prefix": prefix, "keys": keys}
    if keys and loader.settings.etl_reader == "native":
        facts["clickhouse_reads"] = _tried(lambda: _read_by_engine(loader, ObjectRef(bucket, keys[0])))
    return facts


def _read_by_engine(loader: ObjectLoader, ref: ObjectRef) -> dict[str, Any]:
    collection = loader.settings.clickhouse_s3_collection
    name = "read_object_size_by_collection" if collection else "read_object_size"
    with loader.warehouse() as warehouse:
        size = warehouse.ask(
            statement(name, _SQL),
            {"url": objects_url([ref], loader.settings)} | ({"collection": collection} if collection else {}),
            why="etl health",
            limits={"s3_retry_attempts": 1, "max_execution_time": 10},
        ).value()
    return {"key": ref.key, "size_bytes": size}


def _tried(probe: Any) -> dict[str, Any]:
    """What a probe finds, with the time it took; what goes wrong is an answer, too."""
    started = time.perf_counter()
    try:
        facts = {"ok": True, **probe()}
    except SchoolhouseError as error:
        facts = {"ok": False, "code": error.code, "error": error.message, "hint": error.hint}
    return {**facts, "milliseconds": round((time.perf_counter() - started) * 1000, 1)}


def _version(package: str) -> str | None:
    try:
        return importlib.metadata.version(package)
    except importlib.metadata.PackageNotFoundError:
        return None


def _settings(settings: Settings) -> dict[str, Any]:
    shown: dict[str, Any] = {}
    for name in sorted(settings.model_fields_set):
        value = getattr(settings, name)
        if isinstance(value, SecretStr):
            value = "set" if value.get_secret_value() else "empty"
        shown[environment_name(name)] = value if isinstance(value, int | bool | None) else str(value)
    return shown
