"""Where the lake is: its zones, the addresses of its tables, and how to reach its storage.

<bucket>/<base path>/raw/<dataset>/            messages as they came, typed
                     processed/<dataset>/      rows of a dataset, each event once
                     aggregated/<dataset>/     sums by learner and day
                     quarantine/messages/      messages that nobody can read
                     quarantine/<dataset>/     rows of windows that failed critically
                     operations/windows/       what was planned and done, window by window
                     operations/reports/       quality reports, as objects
"""

from __future__ import annotations

import threading
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final, Literal, cast

from schoolhouse.errors import SettingsError

if TYPE_CHECKING:
    from pathlib import Path

    from schoolhouse.settings import Settings

Zone = Literal["raw", "processed", "aggregated", "quarantine", "operations"]
ZONES: Final[tuple[Zone, ...]] = ("raw", "processed", "aggregated", "quarantine", "operations")


@dataclass(frozen=True)
class Lake:
    """The lake's address and the options that reach it, as object_store (and so delta-rs and Polars) names them."""

    root: str
    options: dict[str, str]
    settings: Settings
    _here: threading.local = field(default_factory=threading.local, init=False, repr=False, compare=False)

    @property
    def opened(self) -> dict[str, Any]:
        """The tables that this thread has opened, by address."""
        return cast("dict[str, Any]", self._here.__dict__.setdefault("opened", {}))

    @property
    def directory(self) -> Path | None:
        """The lake as a local directory; None in a bucket."""
        from pathlib import Path

        return None if "://" in self.root else Path(self.root)

    def address(self, zone: Zone, name: str) -> str:
        """Where a table lies."""
        return f"{self.root}/{zone}/{name}"

    @property
    def partition_columns(self) -> list[str]:
        """The columns that partition new tables."""
        return self.settings.lake_partition_columns.split(",")


def lake_of(settings: Settings) -> Lake:
    """The lake that the settings name.

    Raises:
        SettingsError: there is no bucket for a provider that wants one.
    """
    if settings.lake_provider == "local":
        root = (settings.data_dir / (settings.lake_bucket or "lake") / settings.lake_base_path).resolve()
        return Lake(str(root), {}, settings)
    if not settings.lake_bucket:
        raise SettingsError(
            f"DATA_LAKE_BUCKET is empty, and DATA_LAKE_PROVIDER is {settings.lake_provider}.",
            hint="Name the bucket, or keep the lake in a directory with DATA_LAKE_PROVIDER=local.",
        )
    if settings.lake_provider == "s3":
        return Lake(f"s3://{settings.lake_bucket}/{settings.lake_base_path}", _s3_options(settings), settings)
    return Lake(f"gs://{settings.lake_bucket}/{settings.lake_base_path}", _gcs_options(settings), settings)


def _s3_options(settings: Settings) -> dict[str, str]:
    """Credentials come from the environment or the machine's role, as for any AWS program."""
    options = {"aws_region": settings.lake_region or settings.aws_region}
    if settings.aws_endpoint_url:
        options |= {"aws_endpoint_url": settings.aws_endpoint_url, "aws_virtual_hosted_style_request": "false"}
        if settings.aws_endpoint_url.startswith("http://"):
            options["aws_allow_http"] = "true"
    if settings.lake_server_side_encryption:
        options["aws_server_side_encryption"] = settings.lake_server_side_encryption
    if settings.lake_kms_key_id:
        options["aws_sse_kms_key_id"] = settings.lake_kms_key_id
    return options


def _gcs_options(settings: Settings) -> dict[str, str]:
    """Credentials come from GOOGLE_APPLICATION_CREDENTIALS or the machine; an emulator by STORAGE_EMULATOR_HOST."""
    import json
    import os

    emulator = os.environ.get("STORAGE_EMULATOR_HOST", "")
    if not emulator:
        return {}
    url = emulator if "://" in emulator else f"http://{emulator}"
    # The one way to say so that delta-rs, Polars and obstore all take: a key that is none.
    nobody = {"client_email": "", "private_key": "", "private_key_id": "", "disable_oauth": True, "gcs_base_url": url}
    return {"google_service_account_key": json.dumps(nobody)}


def object_store(lake: Lake) -> Any:
    """A store of plain objects (reports) at the lake's root."""
    from obstore.store import LocalStore, from_url

    if lake.directory is not None:
        return LocalStore(lake.directory, mkdir=True)
    options = {name: value for name, value in lake.options.items() if name != "aws_allow_http"}  # delta-rs's own
    client = {"allow_http": True} if any("http://" in value for value in options.values()) else {}
    return from_url(lake.root, config=options, client_options=client)  # type: ignore[call-overload]
