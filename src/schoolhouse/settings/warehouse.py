"""ClickHouse and what is kept there: leave CLICKHOUSE_HOST empty for the embedded engine."""

from __future__ import annotations

from functools import cached_property
from pathlib import Path
from typing import Final, Self

from pydantic import AliasChoices, Field, SecretStr, field_validator, model_validator

from schoolhouse.settings.kinds import Count
from schoolhouse.settings.process import Process

MOST_MONTHS: Final = 600


class Warehouse(Process):
    """ClickHouse and what is kept there: leave CLICKHOUSE_HOST empty for the embedded engine."""

    clickhouse_host: str = Field(
        "",
        validation_alias="CLICKHOUSE_HOST",
        description="Host of a ClickHouse server. Empty: the embedded engine under SCHOOLHOUSE_DATA_DIR.",
    )
    clickhouse_port: int = Field(
        8123,
        ge=1,
        le=65535,
        validation_alias="CLICKHOUSE_PORT",
        description="HTTP port of the server (8123, or 8443 with TLS). The native port 9000 is not spoken.",
    )
    clickhouse_user: str = Field(
        "default",
        validation_alias=AliasChoices("CLICKHOUSE_USER", "CLICKHOUSE_USERNAME"),
        description="User that migrates and loads. CLICKHOUSE_USERNAME is read as well.",
    )
    clickhouse_password: SecretStr = Field(
        SecretStr(""), validation_alias="CLICKHOUSE_PASSWORD", description="Password of CLICKHOUSE_USER."
    )
    clickhouse_reader_user: str = Field(
        "",
        validation_alias="CLICKHOUSE_READER_USER",
        description="User for questions, without rights to write. Empty: CLICKHOUSE_USER with readonly set.",
    )
    clickhouse_reader_password: SecretStr = Field(
        SecretStr(""),
        validation_alias="CLICKHOUSE_READER_PASSWORD",
        description="Password of CLICKHOUSE_READER_USER.",
    )
    clickhouse_questions_user: str = Field(
        "",
        pattern=r"^[A-Za-z0-9_.@-]{0,128}$",
        validation_alias="CLICKHOUSE_QUESTIONS_USER",
        description="User for custom SQL, with row policies that `warehouse setup` makes. Empty: the reader's.",
    )
    clickhouse_questions_password: SecretStr = Field(
        SecretStr(""),
        validation_alias="CLICKHOUSE_QUESTIONS_PASSWORD",
        description="Password of CLICKHOUSE_QUESTIONS_USER.",
    )
    clickhouse_database: str = Field(
        "default",
        pattern=r"^[A-Za-z_][A-Za-z0-9_]{0,127}$",
        validation_alias="CLICKHOUSE_DATABASE",
        description="Database that holds the tables: letters, digits and underscores.",
    )
    clickhouse_secure: bool | None = Field(
        None,
        validation_alias="CLICKHOUSE_SECURE",
        description="Use TLS. Empty: yes when the port ends in 443 or 440.",
    )
    clickhouse_ca_file: Path | None = Field(
        None,
        validation_alias="CLICKHOUSE_CA_FILE",
        description="CA that signed the server's certificate. Empty: the usual ones.",
    )
    clickhouse_cluster: str = Field(
        "",
        pattern=r"^[A-Za-z0-9_.-]{0,128}$",
        validation_alias="CLICKHOUSE_CLUSTER",
        description="Name of a cluster: tables become replicated and distributed, created ON CLUSTER.",
    )
    clickhouse_timeout_seconds: int = Field(
        300,
        ge=1,
        validation_alias="CLICKHOUSE_TIMEOUT_SECONDS",
        description="Seconds to wait for an answer of the server.",
    )
    clickhouse_max_memory_bytes: Count = Field(
        4_000_000_000,
        validation_alias="CLICKHOUSE_MAX_MEMORY_BYTES",
        description="Bytes that one statement or question may use inside ClickHouse; 0: no limit.",
    )
    max_line_bytes: int = Field(
        1_048_576,
        ge=1024,
        le=2**31 - 1,
        validation_alias="SCHOOLHOUSE_MAX_LINE_BYTES",
        description="Bytes of the longest statement taken; longer lines are rejected as line_too_long.",
    )
    raw_events_retention_months: Count = Field(
        0,
        le=MOST_MONTHS,
        validation_alias="RAW_EVENTS_RETENTION_MONTHS",
        description="Months that events are kept, by their own timestamp; 0: for ever.",
    )
    rejects_retention_months: Count = Field(
        0,
        le=MOST_MONTHS,
        validation_alias="REJECTS_RETENTION_MONTHS",
        description="Months that rejected lines are kept, by arrival; 0: for ever.",
    )
    logs_retention_months: Count = Field(
        0,
        le=MOST_MONTHS,
        validation_alias="LOGS_RETENTION_MONTHS",
        description="Months that the record of loads is kept; 0: for ever.",
    )
    pseudonym_key: SecretStr = Field(
        SecretStr(""),
        validation_alias="LEARNER_PSEUDONYM_KEY",
        description="Secret of 32 characters or more that makes pseudonyms of actors, where `warehouse setup "
        "--pseudonymous` chose them. Empty: learner-pseudonyms.key under SCHOOLHOUSE_DATA_DIR, if it is there.",
    )
    s3_source_is_pseudonymous: bool = Field(
        False,
        validation_alias="S3_SOURCE_IS_PSEUDONYMOUS",
        description="The bundles hold pseudonyms already, so that ClickHouse may read them into such a warehouse.",
    )

    @field_validator("clickhouse_port")
    @classmethod
    def _http_port(cls, port: int) -> int:
        if port in {9000, 9440}:
            raise ValueError(
                f"{port} is ClickHouse's native port; this client speaks HTTP: use 8123 (or 8443 with TLS)"
            )
        return port

    @model_validator(mode="after")
    def _host_is_a_name(self) -> Self:
        if "/" in self.clickhouse_host or ":" in self.clickhouse_host.strip("[]"):
            raise ValueError(
                f"CLICKHOUSE_HOST is a host name, without scheme, port or path (was {self.clickhouse_host!r})"
            )
        return self

    @property
    def is_embedded(self) -> bool:
        """Whether the warehouse is the embedded engine."""
        return not self.clickhouse_host

    @cached_property
    def is_secure(self) -> bool:
        """Whether the server is spoken to over TLS."""
        if self.clickhouse_secure is not None:
            return self.clickhouse_secure
        return str(self.clickhouse_port).endswith(("443", "440"))

    @property
    def warehouse_dir(self) -> Path:
        """Directory of the embedded warehouse."""
        return self.data_dir / "warehouse"
