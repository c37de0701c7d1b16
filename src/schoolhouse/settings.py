"""Every setting once: its environment name, default, unit and meaning.

Values come from the environment, then from `.env` in the working directory, then from the defaults. With nothing set,
everything lives in `./schoolhouse-data/`. `example.env` is written from this module (`make example-env`), and a test
keeps the two equal.
"""

from __future__ import annotations

from functools import cached_property
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import AliasChoices, Field, SecretStr, ValidationError, field_validator, model_validator
from pydantic_settings import BaseSettings, SettingsConfigDict

from schoolhouse.errors import SettingsError

Count = Annotated[int, Field(ge=0)]
_LAKE_PATHS = ("kafka_ssl_ca_file", "kafka_ssl_certificate_file", "kafka_ssl_key_file", "lake_staging_dir")


class Settings(BaseSettings):
    """The settings of one process. Build it with `load_settings`, which explains what is wrong."""

    model_config = SettingsConfigDict(env_file=".env", extra="ignore", populate_by_name=True, frozen=True)

    data_dir: Path = Field(
        Path("schoolhouse-data"),
        validation_alias="SCHOOLHOUSE_DATA_DIR",
        description="Where the embedded warehouse and all local state live.",
    )

    database_url: SecretStr = Field(
        SecretStr(""),
        validation_alias="DATABASE_URL",
        description="Postgres (postgresql://user:password@host/name) for accounts, runs and their logs. "
        "Empty: SQLite under SCHOOLHOUSE_DATA_DIR.",
    )

    # --- ClickHouse: leave CLICKHOUSE_HOST empty for the embedded engine ---
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

    # --- what is kept ---
    max_line_bytes: int = Field(
        1_048_576,
        ge=1024,
        validation_alias="SCHOOLHOUSE_MAX_LINE_BYTES",
        description="Bytes of the longest statement taken; longer lines are rejected as line_too_long.",
    )
    raw_events_retention_months: Count = Field(
        0,
        validation_alias="RAW_EVENTS_RETENTION_MONTHS",
        description="Months that events are kept, by their own timestamp; 0: for ever.",
    )
    rejects_retention_months: Count = Field(
        0,
        validation_alias="REJECTS_RETENTION_MONTHS",
        description="Months that rejected lines are kept, by arrival; 0: for ever.",
    )
    logs_retention_months: Count = Field(
        0,
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

    # --- S3, SQS and the ETL; AWS's own names work as everywhere (AWS_ACCESS_KEY_ID, AWS_PROFILE, roles…) ---
    environment: str = Field(
        "dev",
        pattern=r"^[A-Za-z0-9_-]{1,32}$",
        validation_alias="ENVIRONMENT",
        description="dev, staging or prod: stands in logs, answers and the names of what is deployed.",
    )
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
        16_777_216,
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

    # --- the upload pipeline ---
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

    # --- the xAPI resource ---
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

    # --- the lake: hourly windows from Kafka into Delta tables ---
    kafka_bootstrap_servers: str = Field(
        "",
        validation_alias="KAFKA_BOOTSTRAP_SERVERS",
        description="Brokers, such as kafka-1:9092,kafka-2:9092,kafka-3:9092.",
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
        validation_alias="DATA_LAKE_RAW_RETENTION_DAYS",
        description="Days that raw and quarantined messages are kept; 0: for ever.",
    )
    lake_processed_retention_days: Count = Field(
        365,
        validation_alias="DATA_LAKE_PROCESSED_RETENTION_DAYS",
        description="Days that processed rows are kept; 0: for ever.",
    )
    lake_aggregated_retention_days: Count = Field(
        1095,
        validation_alias="DATA_LAKE_AGGREGATED_RETENTION_DAYS",
        description="Days that daily aggregations are kept; 0: for ever.",
    )
    lake_vacuum_hours: Count = Field(
        168,
        validation_alias="DATA_LAKE_VACUUM_HOURS",
        description="Hours that files which no table names any more stay on storage, for readers under way.",
    )
    lake_look_back_hours: Count = Field(
        168,
        validation_alias="LAKE_LOOK_BACK_HOURS",
        description="Hours that a message may be late and still load; later ones are quarantined. 0: any lateness.",
    )
    lake_grace_seconds: Count = Field(
        300,
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

    # --- web ---
    web_host: str = Field(
        "127.0.0.1", validation_alias="SCHOOLHOUSE_WEB_HOST", description="Address that `serve` listens on."
    )
    web_port: int = Field(
        8000,
        ge=0,
        le=65535,
        validation_alias="SCHOOLHOUSE_WEB_PORT",
        description="Port that `serve` listens on.",
    )
    public_url: str = Field(
        "",
        pattern=r"^(https?://[^\s/<>\"]+)?$",
        validation_alias="SCHOOLHOUSE_PUBLIC_URL",
        description="Address under which people reach `serve` through a proxy, such as https://learn.example, "
        "without a path. Empty: the address that it listens on.",
    )
    session_hours: float = Field(
        12, gt=0, le=24 * 90, validation_alias="SCHOOLHOUSE_SESSION_HOURS", description="Hours that a sign-in lasts."
    )

    oidc_issuer: str = Field(
        "",
        pattern=r"^(https?://[^\s<>\"]+)?$",
        validation_alias="OIDC_ISSUER",
        description="Address of an OpenID Connect identity provider. Empty: accounts sign in with passwords alone.",
    )
    oidc_client_id: str = Field("", validation_alias="OIDC_CLIENT_ID", description="Our name at OIDC_ISSUER.")
    oidc_client_secret: SecretStr = Field(
        SecretStr(""), validation_alias="OIDC_CLIENT_SECRET", description="Our secret at OIDC_ISSUER, if it gave one."
    )
    oidc_default_role: Literal["", "instructor", "author", "analyst"] = Field(
        "",
        validation_alias="OIDC_DEFAULT_ROLE",
        description="Role of people without an account whom OIDC_ISSUER lets in. Empty: they are turned away.",
    )

    # --- charts ---
    analytics_min_group_size: int = Field(
        5,
        ge=1,
        validation_alias="ANALYTICS_MIN_GROUP_SIZE",
        description="Groups of fewer learners are hidden in charts from people who may not see learners' identifiers.",
    )

    # --- backfills: runs over years of history ---
    backfill_workers: int = Field(
        2,
        ge=0,
        le=64,
        validation_alias="BACKFILL_WORKERS",
        description="Threads of `serve` that work on backfills; 0: none, `schoolhouse worker` does it.",
    )
    backfill_lease_seconds: int = Field(
        30,
        ge=1,
        le=3600,
        validation_alias="BACKFILL_LEASE_SECONDS",
        description="Seconds after which the work of a silent worker is taken over by another.",
    )
    backfill_outage_seconds: Count = Field(
        120,
        validation_alias="BACKFILL_OUTAGE_SECONDS",
        description="Seconds that a chunk waits for ClickHouse or S3 to come back before its attempt has failed.",
    )
    backfill_inventory_bucket: str = Field(
        "",
        validation_alias="BACKFILL_INVENTORY_BUCKET",
        description="Bucket that S3 Inventory writes its manifests to.",
    )
    backfill_inventory_prefix: str = Field(
        "",
        validation_alias="BACKFILL_INVENTORY_PREFIX",
        description="What stands before <date>T<time>Z/manifest.json there: <prefix>/<source bucket>/<configuration>.",
    )
    backfill_allowed_hosts: str = Field(
        "",
        validation_alias="BACKFILL_ALLOWED_HOSTS",
        description="Hosts, by comma, that patterns and manifests may name beside AWS's S3 and AWS_ENDPOINT_URL.",
    )
    backfill_local_dirs: str = Field(
        "",
        validation_alias="BACKFILL_LOCAL_DIRS",
        description="Directories, by comma, that patterns of local files must lie in. Empty: the bundles' directory.",
    )
    backfill_webhook_url: SecretStr = Field(
        SecretStr(""),
        validation_alias="BACKFILL_WEBHOOK_URL",
        description="URL that gets a POST with the facts of every run at its end. Empty: the log alone tells.",
    )

    # --- logs ---
    log_level: Literal["DEBUG", "INFO", "WARNING", "ERROR"] = Field(
        "INFO", validation_alias="LOG_LEVEL", description="DEBUG, INFO, WARNING or ERROR; any case."
    )
    log_format: Literal["text", "json"] = Field(
        "text",
        validation_alias="LOG_FORMAT",
        description="text for people, json for machines (one object a line).",
    )

    @field_validator("log_level", mode="before")
    @classmethod
    def _upper_case(cls, value: Any) -> Any:
        return value.upper() if isinstance(value, str) else value

    @field_validator(
        "clickhouse_secure", "bundle_dir", "spool_dir", "xapi_credentials_file", *_LAKE_PATHS, mode="before"
    )
    @classmethod
    def _empty_is_unset(cls, value: Any) -> Any:
        return None if value == "" else value

    @field_validator("clickhouse_port")
    @classmethod
    def _http_port(cls, port: int) -> int:
        if port in {9000, 9440}:
            raise ValueError(
                f"{port} is ClickHouse's native port; this client speaks HTTP: use 8123 (or 8443 with TLS)"
            )
        return port

    @model_validator(mode="after")
    def _host_is_a_name(self) -> Settings:
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

    @property
    def staging_dir(self) -> Path:
        """Local directory of the lake's windows under way."""
        return self.lake_staging_dir or self.data_dir / "lake-staging"


def environment_name(field_name: str) -> str:
    """The (first) environment name of a setting."""
    alias = Settings.model_fields[field_name].validation_alias
    if isinstance(alias, AliasChoices):
        return str(alias.choices[0])
    return str(alias)


def load_settings(**overrides: Any) -> Settings:
    """Read the settings; `overrides` (by field name) win over the environment.

    Raises:
        SettingsError: naming every wrong setting by its environment name, never its value if it is a secret.
    """
    try:
        return Settings(**overrides)
    except ValidationError as error:
        problems = "; ".join(
            f"{'.'.join(str(part) for part in problem['loc']) or 'settings'}: {problem['msg']}"
            for problem in error.errors(include_input=False, include_url=False)
        )
        raise SettingsError(f"Wrong settings: {problems}.", hint="See example.env for every setting.") from None


def example_env() -> str:
    """The text of `example.env`: every setting with its meaning and default, commented out."""
    lines = [
        "# Every setting of Schoolhouse. Copy to .env and change what you need; what is commented out has its default.",
        "# Written by `make example-env` from src/schoolhouse/settings.py.",
        "",
    ]
    for name, field in Settings.model_fields.items():
        default = field.default
        if isinstance(default, SecretStr):
            default = default.get_secret_value()
        lines += [
            f"# {field.description}",
            f"#{environment_name(name)}={'' if default is None else default}",
            "",
        ]
    return "\n".join(lines)
