"""What an operator may ask for, checked before anything is stored.

Names of ClickHouse settings and query options come from closed lists, with the type and range of each, since they end
up in a query; hosts and directories from the settings' allow-lists (see `places`).
"""

from __future__ import annotations

import re
from datetime import UTC, date, datetime
from typing import Annotated, Any, Final, Literal, Self

from pydantic import BaseModel, ConfigDict, Field, ValidationError, field_validator, model_validator

from schoolhouse.errors import UsageError

Format = Literal["lines", "JSONAsString", "JSONEachRow", "parquet"]

# Settings of an insert that an operator may change: name, (least, most).
CLICKHOUSE_SETTINGS: Final[dict[str, tuple[int, int]]] = {
    "max_threads": (1, 256),
    "max_insert_threads": (1, 64),
    "max_download_threads": (1, 64),
    "max_download_buffer_size": (65_536, 1 << 30),
    "max_memory_usage": (0, 1 << 40),
    "max_execution_time": (0, 86_400),
    "max_block_size": (1, 1_000_000),
    "max_insert_block_size": (1, 10_000_000),
    "min_insert_block_size_rows": (0, 10_000_000),
    "min_insert_block_size_bytes": (0, 1 << 32),
    "parallel_view_processing": (0, 1),
    "priority": (0, 100),
    "s3_max_connections": (1, 10_000),
    "s3_retry_attempts": (0, 100),
    "s3_request_timeout_ms": (100, 3_600_000),
    "s3_max_get_rps": (0, 1_000_000),
    "input_format_parallel_parsing": (0, 1),
    "insert_distributed_sync": (0, 1),
    "max_network_bandwidth": (0, 1 << 40),
}
# Parameters of the HTTP interface; they reach servers only, the embedded engine has none.
QUERY_OPTIONS: Final[dict[str, re.Pattern[str]]] = {
    "quota_key": re.compile(r"[A-Za-z0-9_.-]{1,64}"),
    "role": re.compile(r"[A-Za-z_][A-Za-z0-9_]{0,63}"),
    "wait_end_of_query": re.compile(r"[01]"),
    "http_headers_progress_interval_ms": re.compile(r"[1-9][0-9]{2,5}"),
}
_TARGET: Final = re.compile(r"(?:[A-Za-z_][A-Za-z0-9_]{0,127}\.)?raw_events")
_NO_CONTROLS: Final = r"^[^\x00-\x1f\x7f]*$"

Text = Annotated[str, Field(max_length=2000, pattern=_NO_CONTROLS)]


class _Request(BaseModel):
    """What both kinds of runs are asked for."""

    model_config = ConfigDict(extra="forbid", str_strip_whitespace=True)

    target_table: str = Field("raw_events", description="raw_events, or raw_events of another database that is set up.")
    format: Format = Field("lines", description="lines, JSONAsString, JSONEachRow, or parquet with a column `line`.")
    clickhouse_settings: dict[str, int] = Field(default_factory=dict, description="Settings of each insert.")
    options: dict[str, str] = Field(default_factory=dict, description="Options of each query over HTTP.")
    dry_run: bool = Field(False, description="Estimate files, rows, bytes, time and bad lines; insert nothing.")
    force: bool = Field(False, description="Load also what is in already; it counts once all the same.")

    @field_validator("target_table")
    @classmethod
    def _is_ours(cls, value: str) -> str:
        if not _TARGET.fullmatch(value):
            raise ValueError("is raw_events or <database>.raw_events; lines reach it through its door, `ingest`")
        return value

    @field_validator("clickhouse_settings")
    @classmethod
    def _known_settings(cls, values: dict[str, int]) -> dict[str, int]:
        for name, value in values.items():
            if name not in CLICKHOUSE_SETTINGS:
                raise ValueError(f"{name[:60]!r} is not among: {', '.join(CLICKHOUSE_SETTINGS)}")
            least, most = CLICKHOUSE_SETTINGS[name]
            if not least <= value <= most:
                raise ValueError(f"{name} is from {least} to {most}")
        return values

    @field_validator("options", mode="before")
    @classmethod
    def _texts(cls, values: Any) -> Any:
        return {name: str(value) for name, value in values.items()} if isinstance(values, dict) else values

    @field_validator("options")
    @classmethod
    def _known_options(cls, values: dict[str, str]) -> dict[str, str]:
        for name, value in values.items():
            if name not in QUERY_OPTIONS:
                raise ValueError(f"{name[:60]!r} is not among: {', '.join(QUERY_OPTIONS)}")
            if not QUERY_OPTIONS[name].fullmatch(value):
                raise ValueError(f"{name} has no such value")
        return values


class ManualRequest(_Request):
    """A run over the objects that match a pattern."""

    s3_pattern: Text = Field(
        min_length=1, description="s3://bucket/key, https://host/bucket/key or /path, with *, **, ?, {a,b}, {1..9}."
    )
    chunk_size: int = Field(100, ge=1, le=1000, description="Objects of one insert.")
    max_attempts: int = Field(3, ge=1, le=3, description="Attempts before the run has failed.")
    optimize: bool = Field(True, description="Merge the touched partitions at the end, so that questions are quick.")


class InventoryRequest(_Request):
    """A run over the objects that a manifest of S3 Inventory lists."""

    inventory_date: date | None = Field(None, description="Day of the inventory: its newest manifest is taken.")
    inventory_prefix: Text = Field("", description="s3://bucket/prefix of inventories; else the settings' own.")
    manifest_url: Text = Field("", description="The manifest itself, instead of a date.")
    date_range_start: datetime | None = Field(None, description="Only objects whose key names this time or later.")
    date_range_end: datetime | None = Field(None, description="Only objects whose key names an earlier time.")
    key_prefix: Text = Field("", description="Only objects whose key starts so.")
    section_ids: list[Annotated[str, Field(min_length=1, max_length=200)]] = Field(
        default_factory=list, max_length=1000, description="Only objects of these sections."
    )
    batch_chunk_size: int = Field(25, ge=1, le=1000, description="Objects of one insert.")
    manifest_page_size: int = Field(1000, ge=1, le=100_000, description="Keys of the manifest held at a time.")
    max_simultaneous_batches: int = Field(1, ge=1, le=64, description="Data files worked on at the same time.")
    max_batch_attempts: int = Field(1, ge=1, le=10, description="Attempts before a batch has failed.")

    @field_validator("inventory_date", "date_range_start", "date_range_end", mode="before")
    @classmethod
    def _no_number(cls, value: Any) -> Any:
        """A year alone, or a day without hyphens, would be taken for seconds since 1970."""
        if isinstance(value, int | float) or (isinstance(value, str) and not re.match(r"\s*\d{4}-\d\d-\d\d", value)):
            raise ValueError("is no time: write 2024-01-31 or 2024-01-31T14:00:00Z")
        return value

    @field_validator("date_range_start", "date_range_end")
    @classmethod
    def _in_utc(cls, value: datetime | None) -> datetime | None:
        if value is None:
            return None
        try:
            return value.astimezone(UTC) if value.tzinfo else value.replace(tzinfo=UTC)
        except OverflowError:
            raise ValueError("lies outside all dates in UTC") from None

    @model_validator(mode="after")
    def _names_one_manifest(self) -> Self:
        if bool(self.inventory_date) == bool(self.manifest_url):
            raise ValueError("give the date of the inventory, or the manifest's URL")
        since, until = self.date_range_start, self.date_range_end
        if since and until and since >= until:
            raise ValueError("the date range ends before it starts")
        return self


def read_request(kind: Literal["manual", "inventory"], values: dict[str, Any]) -> ManualRequest | InventoryRequest:
    """The request in plain values.

    Raises:
        UsageError: a value is not what its name says; the message names it.
    """
    try:
        return (ManualRequest if kind == "manual" else InventoryRequest).model_validate(values)
    except ValidationError as error:
        problems = "; ".join(f"{name}: {text}" if name else text for name, text in problems_of(error).items())
        raise UsageError(f"The run cannot be made: {problems}.") from None


def problems_of(error: ValidationError) -> dict[str, str]:
    """What is wrong, by the name of the field ('' where it is about several)."""
    problems: dict[str, str] = {}
    for problem in error.errors(include_input=False, include_url=False):
        name, *inside = [str(part)[:60] for part in problem["loc"]] or [""]
        problems.setdefault(name, ": ".join([*inside, problem["msg"].removeprefix("Value error, ")]))
    return problems
