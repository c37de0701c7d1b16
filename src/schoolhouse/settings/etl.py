"""S3, SQS and the ETL: credentials as for any AWS program (AWS_ACCESS_KEY_ID, a profile, a role), not from .env."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from schoolhouse.settings.kinds import Count, Group


class Etl(Group):
    """S3, SQS and the ETL: credentials as for any AWS program (AWS_ACCESS_KEY_ID, a profile, a role), not from .env."""

    aws_region: str = Field("us-east-1", validation_alias="AWS_REGION", description="Region of the bucket and queues.")
    aws_endpoint_url: str = Field(
        "",
        validation_alias="AWS_ENDPOINT_URL",
        description="URL of an S3 and SQS server that is not AWS's (MinIO, a test server). Empty: AWS.",
    )
    s3_bucket: str = Field(
        "",
        validation_alias="S3_XAPI_BUCKET_NAME",
        description="Bucket that holds the bundles.",
    )
    lambda_function_name: str = Field(
        "xapi-etl-processor-dev",
        validation_alias="XAPI_LAMBDA_FUNCTION_NAME",
        description="Name of the deployed function.",
    )
    etl_reader: Literal["native", "parquet"] = Field(
        "native",
        validation_alias="ETL_READER",
        description="native: ClickHouse reads S3. parquet: the handler reads S3 and posts Parquet to ClickHouse.",
    )
    clickhouse_s3_collection: str = Field(
        "",
        pattern=r"^[A-Za-z0-9_]{0,128}$",
        validation_alias="CLICKHOUSE_S3_COLLECTION",
        description="Named collection with ClickHouse's S3 credentials. Empty: the server's own environment or role.",
    )
    etl_concurrency: int = Field(
        4,
        ge=1,
        le=64,
        validation_alias="ETL_CONCURRENCY",
        description="Objects loaded at the same time; each has a handle on ClickHouse of its own.",
    )
    max_rows_per_insert: int = Field(
        30_000,
        ge=1,
        validation_alias="MAX_ROWS_PER_INSERT",
        description="Lines of one insert where the handler posts Parquet.",
    )
    max_parquet_bytes_per_insert: int = Field(
        67_108_864,
        ge=1024,
        validation_alias="MAX_PARQUET_BYTES_PER_INSERT",
        description="Bytes of lines (before compression) of one insert where the handler posts Parquet.",
    )
    max_s3_object_bytes: Count = Field(
        0,
        validation_alias="MAX_S3_OBJECT_BYTES",
        description="Bytes of the largest object taken; larger ones fail with that reason. 0: no limit.",
    )
    min_remaining_ms: Count = Field(
        15_000,
        validation_alias="MIN_REMAINING_TIME_TO_START_INSERT_MS",
        description="Milliseconds that must be left of an invocation to start one more object.",
    )
    safety_margin_ms: Count = Field(
        5_000,
        validation_alias="LAMBDA_TIMEOUT_SAFETY_MARGIN_MS",
        description="Milliseconds kept at the end of an invocation; an insert gets the time before it.",
    )
    s3_connect_timeout_seconds: int = Field(
        5, ge=1, validation_alias="S3_CONNECT_TIMEOUT_SECONDS", description="Seconds to reach S3 or SQS."
    )
    s3_read_timeout_seconds: int = Field(
        60, ge=1, validation_alias="S3_READ_TIMEOUT_SECONDS", description="Seconds to wait for S3's or SQS's answer."
    )
    s3_max_attempts: int = Field(
        3, ge=1, validation_alias="S3_MAX_ATTEMPTS", description="Tries of one call to S3 or SQS."
    )
    queue_url: str = Field(
        "", validation_alias="XAPI_QUEUE_URL", description="SQS queue of S3 notifications that `etl worker` reads."
    )
    failure_queue_url: str = Field(
        "",
        validation_alias="FAILURE_DLQ_URL",
        description="Dead-letter queue. A message that can't be processed goes there once, with its reason.",
    )
    etl_max_receives: Count = Field(
        5,
        validation_alias="ETL_MAX_RECEIVES",
        description="Deliveries after which a message that still fails goes to FAILURE_DLQ_URL; 0: the queue decides.",
    )
    etl_visibility_seconds: int = Field(
        300,
        ge=3,
        le=43_200,
        validation_alias="ETL_VISIBILITY_SECONDS",
        description="Seconds that `etl worker` hides a message while it works; extended as long as it does.",
    )
