"""The deployment's tests use the ETL's S3, queues and warehouse."""

from __future__ import annotations

from tests.etl.conftest import (  # noqa: F401
    aws,
    aws_credentials,
    bucket,
    etl_settings,
    migrated,
    ministack,
    put,
    queues,
    reader,
    warehouse_settings,
)
