"""This process: where its files and its database are, and how it logs."""

from __future__ import annotations

from pathlib import Path
from typing import Any, Literal

from pydantic import Field, SecretStr, field_validator

from schoolhouse.settings.kinds import Group


class Process(Group):
    """This process: where its files and its database are, and how it logs."""

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
    environment: str = Field(
        "dev",
        pattern=r"^[A-Za-z0-9_-]{1,32}$",
        validation_alias="ENVIRONMENT",
        description="dev, staging or prod: stands in logs, answers and the names of what is deployed.",
    )
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
