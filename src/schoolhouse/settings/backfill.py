"""Backfills: runs over years of history."""

from __future__ import annotations

from pydantic import Field, SecretStr

from schoolhouse.settings.kinds import Count, Group


class Backfill(Group):
    """Backfills: runs over years of history."""

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
