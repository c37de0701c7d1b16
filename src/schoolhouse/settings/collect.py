"""The upload pipeline and /xAPI/statements."""

from __future__ import annotations

from pathlib import Path
from typing import Literal

from pydantic import Field

from schoolhouse.settings.kinds import Count
from schoolhouse.settings.process import Process


class Collect(Process):
    """The upload pipeline and /xAPI/statements."""

    etl_mode: Literal["direct", "lambda", "s3", "file"] = Field(
        "direct",
        validation_alias="XAPI_ETL_MODE",
        description="Where bundles go: direct (ClickHouse), s3, lambda (S3, then the function is called), or file.",
    )
    batch_size: int = Field(
        50,
        ge=1,
        validation_alias="XAPI_BATCH_SIZE",
        description="Bundles of one section and category that become one upload.",
    )
    batch_timeout_ms: Count = Field(
        5000,
        validation_alias="XAPI_BATCH_TIMEOUT",
        description="Milliseconds that a bundle waits for others before it is uploaded without them.",
    )
    batcher_concurrency: int = Field(
        20,
        ge=1,
        le=256,
        validation_alias="XAPI_BATCHER_CONCURRENCY",
        description="Uploads under way at the same time.",
    )
    processor_concurrency: int = Field(
        2,
        ge=1,
        le=64,
        validation_alias="XAPI_PROCESSOR_CONCURRENCY",
        description="Threads that put waiting bundles together into uploads.",
    )
    bundle_prefix: str = Field(
        "",
        pattern=r"^[^/]*(/[^/]+)*$",
        validation_alias="XAPI_S3_PREFIX",
        description="What stands before section/… in the keys of bundles, without slashes at its ends.",
    )
    bundle_dir: Path | None = Field(
        None,
        validation_alias="XAPI_FILE_DIR",
        description="Directory of bundles in mode file. Empty: bundles/ under SCHOOLHOUSE_DATA_DIR.",
    )
    spool_dir: Path | None = Field(
        None,
        validation_alias="XAPI_SPOOL_DIR",
        description="Directory of what waits to be delivered, on a local disk. Empty: SCHOOLHOUSE_DATA_DIR.",
    )
    spool_max_bytes: int = Field(
        10_000_000_000,
        ge=1_000_000,
        validation_alias="XAPI_SPOOL_MAX_BYTES",
        description="Bytes of statements that may wait on disk; beyond that, nothing more is accepted for a while.",
    )
    drain_seconds: Count = Field(
        25,
        validation_alias="XAPI_DRAIN_TIMEOUT_SECONDS",
        description="Seconds to upload what waits when the program stops; the rest waits on disk for the next start.",
    )
    xapi_max_body_bytes: int = Field(
        10_485_760,
        ge=1024,
        validation_alias="XAPI_MAX_BODY_BYTES",
        description="Bytes of the largest request body that /xAPI/statements takes.",
    )
    xapi_max_statements: int = Field(
        500,
        ge=1,
        validation_alias="XAPI_MAX_STATEMENTS",
        description="Most statements in one answer of /xAPI/statements; also the number when none is asked for.",
    )
    xapi_home_page: str = Field(
        "http://localhost:8000",
        pattern=r"^https?://[^\s<>\"]+$",
        validation_alias="XAPI_AUTHORITY_HOME_PAGE",
        description="Where the accounts of xAPI clients are: the homePage of each statement's authority.",
    )
    xapi_credentials_file: Path | None = Field(
        None,
        validation_alias="XAPI_CREDENTIALS_FILE",
        description="File of xAPI clients, secrets hashed. Empty: xapi-credentials.json under SCHOOLHOUSE_DATA_DIR.",
    )

    @property
    def spool_file(self) -> Path:
        """The database of bundles that are accepted and not delivered."""
        return (self.spool_dir or self.data_dir) / "spool.sqlite"

    @property
    def bundles_dir(self) -> Path:
        """Directory of bundles in mode `file`."""
        return self.bundle_dir or self.data_dir / "bundles"

    @property
    def credentials_file(self) -> Path:
        """File of xAPI clients."""
        return self.xapi_credentials_file or self.data_dir / "xapi-credentials.json"
