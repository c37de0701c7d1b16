"""The deployment's tests use the ETL's S3 and queues."""

from __future__ import annotations

from tests.etl.conftest import etl_settings, queues, reader  # noqa: F401
