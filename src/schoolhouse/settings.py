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


class Settings(BaseSettings):
    """The settings of one process. Build it with `load_settings`, which explains what is wrong."""

    model_config = SettingsConfigDict(env_file=".env", extra="ignore", populate_by_name=True, frozen=True)

    data_dir: Path = Field(
        Path("schoolhouse-data"),
        validation_alias="SCHOOLHOUSE_DATA_DIR",
        description="Where the embedded warehouse and all local state live.",
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

    @field_validator("clickhouse_secure", mode="before")
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
