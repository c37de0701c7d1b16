"""The lake: hourly windows from Kafka into Delta tables."""

from __future__ import annotations

from pathlib import Path
from typing import Literal

from pydantic import Field, SecretStr

from schoolhouse.settings.kinds import MOST_DAYS, MOST_HOURS, MOST_SECONDS, Count
from schoolhouse.settings.process import Process


class Lake(Process):
    """The lake: hourly windows from Kafka into Delta tables."""

    kafka_bootstrap_servers: str = Field(
        "",
        validation_alias="KAFKA_BOOTSTRAP_SERVERS",
        description="Brokers, such as kafka-1:9092,kafka-2:9092,kafka-3:9092.",
    )
    kafka_topics: str = Field(
        "",
        pattern=r"^([A-Za-z0-9._-]+(,[A-Za-z0-9._-]+)*)?$",
        validation_alias="KAFKA_TOPICS",
        description="Topics that are loaded, such as user.attempts,user.sessions. Empty: all that we know.",
    )
    kafka_security_protocol: Literal["PLAINTEXT", "SSL", "SASL_PLAINTEXT", "SASL_SSL"] = Field(
        "PLAINTEXT",
        validation_alias="KAFKA_SECURITY_PROTOCOL",
        description="PLAINTEXT, SSL, SASL_PLAINTEXT or SASL_SSL.",
    )
    kafka_ssl_ca_file: Path | None = Field(
        None,
        validation_alias="KAFKA_SSL_CA_FILE",
        description="CA that signed the brokers' certificates. Empty: the system's.",
    )
    kafka_ssl_certificate_file: Path | None = Field(
        None, validation_alias="KAFKA_SSL_CERTIFICATE_FILE", description="Our certificate, where brokers ask for one."
    )
    kafka_ssl_key_file: Path | None = Field(
        None, validation_alias="KAFKA_SSL_KEY_FILE", description="The key of KAFKA_SSL_CERTIFICATE_FILE."
    )
    kafka_sasl_mechanism: Literal["PLAIN", "SCRAM-SHA-256", "SCRAM-SHA-512"] = Field(
        "SCRAM-SHA-512",
        validation_alias="KAFKA_SASL_MECHANISM",
        description="PLAIN, SCRAM-SHA-256 or SCRAM-SHA-512, where the protocol is SASL_….",
    )
    kafka_sasl_username: str = Field("", validation_alias="KAFKA_SASL_USERNAME", description="User at the brokers.")
    kafka_sasl_password: SecretStr = Field(
        SecretStr(""), validation_alias="KAFKA_SASL_PASSWORD", description="Password of KAFKA_SASL_USERNAME."
    )
    kafka_timeout_seconds: int = Field(
        30,
        ge=1,
        le=300,
        validation_alias="KAFKA_TIMEOUT_SECONDS",
        description="Seconds without an answer or a message after which the brokers count as away.",
    )
    kafka_batch_messages: int = Field(
        50_000,
        ge=100,
        validation_alias="KAFKA_MAX_POLL_RECORDS",
        description="Messages of a topic that a reader reads and parses at a time.",
    )
    kafka_partition_threads: int = Field(
        1,
        ge=1,
        le=256,
        validation_alias="KAFKA_PARTITION_THREADS",
        description="Readers that share a topic's partitions; each fetches those that it has side by side.",
    )
    lake_provider: Literal["s3", "gcs", "local"] = Field(
        "local",
        validation_alias="DATA_LAKE_PROVIDER",
        description="Where the lake is: s3, gcs, or local (a directory).",
    )
    lake_bucket: str = Field(
        "",
        pattern=r"^[A-Za-z0-9._-]{0,222}$",
        validation_alias="DATA_LAKE_BUCKET",
        description="Bucket of the lake. With local: a directory of this name under SCHOOLHOUSE_DATA_DIR; empty: lake.",
    )
    lake_region: str = Field(
        "",
        validation_alias="AWS_DEFAULT_REGION",
        description="Region of the lake's bucket. Empty: AWS_REGION.",
    )
    lake_base_path: str = Field(
        "analytics",
        pattern=r"^[^/\s]+(/[^/\s]+)*$",
        validation_alias="DATA_LAKE_BASE_PATH",
        description="Path of the lake inside its bucket, without slashes at its ends.",
    )
    lake_partition_columns: Literal["year,month,day", "year,month"] = Field(
        "year,month,day",
        validation_alias="DATA_LAKE_PARTITION_COLUMNS",
        description="Columns that partition new tables: year,month,day or year,month.",
    )
    lake_file_format: Literal["parquet"] = Field(
        "parquet", validation_alias="DATA_LAKE_FILE_FORMAT", description="Format of the data files; only parquet."
    )
    lake_compression: Literal["snappy", "zstd", "gzip", "lz4", "uncompressed"] = Field(
        "snappy", validation_alias="DATA_LAKE_COMPRESSION", description="snappy, zstd, gzip, lz4 or uncompressed."
    )
    lake_raw_retention_days: Count = Field(
        90,
        le=MOST_DAYS,
        validation_alias="DATA_LAKE_RAW_RETENTION_DAYS",
        description="Days that raw and quarantined messages are kept; 0: for ever.",
    )
    lake_processed_retention_days: Count = Field(
        365,
        le=MOST_DAYS,
        validation_alias="DATA_LAKE_PROCESSED_RETENTION_DAYS",
        description="Days that processed rows are kept; 0: for ever.",
    )
    lake_aggregated_retention_days: Count = Field(
        1095,
        le=MOST_DAYS,
        validation_alias="DATA_LAKE_AGGREGATED_RETENTION_DAYS",
        description="Days that daily aggregations are kept; 0: for ever.",
    )
    lake_vacuum_hours: Count = Field(
        168,
        le=MOST_HOURS,
        validation_alias="DATA_LAKE_VACUUM_HOURS",
        description="Hours that files which no table names any more stay on storage, for readers under way.",
    )
    lake_look_back_hours: Count = Field(
        168,
        le=MOST_HOURS,
        validation_alias="LAKE_LOOK_BACK_HOURS",
        description="Hours that a message may be late and still load; later ones are quarantined. 0: any lateness.",
    )
    lake_grace_seconds: Count = Field(
        300,
        le=MOST_SECONDS,
        validation_alias="LAKE_GRACE_SECONDS",
        description="Seconds after its end in which a window stays open for stragglers.",
    )
    lake_server_side_encryption: str = Field(
        "",
        pattern=r"^(|AES256|aws:kms)$",
        validation_alias="DATA_LAKE_SERVER_SIDE_ENCRYPTION",
        description="Encryption asked of S3 with every object: AES256 or aws:kms. Empty: the bucket's default.",
    )
    lake_kms_key_id: str = Field(
        "", validation_alias="DATA_LAKE_KMS_KEY_ID", description="Key for aws:kms. Empty: the bucket's default key."
    )
    lake_staging_dir: Path | None = Field(
        None,
        validation_alias="LAKE_STAGING_DIR",
        description="Local directory for a window under way. Empty: lake-staging under SCHOOLHOUSE_DATA_DIR.",
    )
    lake_alert_webhook: SecretStr = Field(
        SecretStr(""),
        validation_alias="LAKE_ALERT_WEBHOOK_URL",
        description="URL that is told (POST, JSON) when a window fails, is quarantined or looks odd. Empty: nobody.",
    )
    lake_follow_seconds: int = Field(
        10, ge=1, validation_alias="LAKE_FOLLOW_SECONDS", description="Seconds between two looks of `lake follow`."
    )

    @property
    def staging_dir(self) -> Path:
        """Local directory of the lake's windows under way."""
        return self.lake_staging_dir or self.data_dir / "lake-staging"
