"""Fixtures of the collect tests: buckets in MiniStack's S3."""

from __future__ import annotations

import uuid
from collections.abc import Iterator
from typing import Any

import boto3
import pytest


@pytest.fixture
def s3(ministack: str, aws_credentials: None) -> Iterator[Any]:
    """A client for MiniStack's S3."""
    client = boto3.client("s3", endpoint_url=ministack, region_name="us-east-1")
    yield client
    client.close()


@pytest.fixture
def bucket(s3: Any) -> str:
    """A bucket of the test's own."""
    name = f"bundles-{uuid.uuid4().hex[:12]}"
    s3.create_bucket(Bucket=name)
    return name
