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

import re
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final, Literal, cast

from schoolhouse.errors import LakeError, LakeUnavailable, SettingsError

if TYPE_CHECKING:
    from pathlib import Path

    from schoolhouse.settings import Settings

Zone = Literal["raw", "processed", "aggregated", "quarantine", "operations"]
ZONES: Final[tuple[Zone, ...]] = ("raw", "processed", "aggregated", "quarantine", "operations")
_COLOURS: Final = re.compile(r"\x1b\[[0-9;]*m")  # delta-rs gives its errors some
_REFUSAL: Final = re.compile(r"<Code>(\w+)</Code>\s*<Message>([^<]{0,300})")  # a bucket's answer that says no
# What object_store says in every library, where a bucket does not answer.
_NO_ANSWER: Final = ("Generic S3 error", "Generic GCS error", "error sending request")


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


class Objects:
    """Plain objects (reports, parameters) at the lake's root, by path. obstore's errors come as ours."""

    def __init__(self, store: Any) -> None:
        self._store = store

    def get(self, path: str) -> bytes:
        """An object's bytes.

        Raises:
            FileNotFoundError: there is none.
        """
        with _mapped_errors(path):
            return bytes(self._store.get(path).bytes())

    def put(self, path: str, content: bytes) -> None:
        """Put an object in the place of what is there."""
        with _mapped_errors(path):
            self._store.put(path, content)

    def delete(self, paths: list[str]) -> None:
        """Remove objects."""
        with _mapped_errors(paths[0]):
            self._store.delete(paths)

    def list(self, prefix: str) -> Iterator[str]:
        """The paths under a prefix."""
        with _mapped_errors(prefix):
            for batch in self._store.list(prefix):
                yield from (entry["path"] for entry in batch)

    def list_with_delimiter(self, prefix: str) -> dict[str, Any]:
        """What lies directly under a prefix: `common_prefixes` and `objects`."""
        with _mapped_errors(prefix):
            return dict(self._store.list_with_delimiter(prefix))


def object_store(lake: Lake) -> Objects:
    """The plain objects at the lake's root."""
    from obstore.store import LocalStore, from_url

    if lake.directory is not None:
        return Objects(LocalStore(lake.directory, mkdir=True))
    options = {name: value for name, value in lake.options.items() if name != "aws_allow_http"}  # delta-rs's own
    client = {"allow_http": True} if any("http://" in value for value in options.values()) else {}
    return Objects(from_url(lake.root, config=options, client_options=client))  # type: ignore[call-overload]


@contextmanager
def _mapped_errors(path: str) -> Iterator[None]:
    """obstore's errors as ours; that an object is not there is a FileNotFoundError."""
    from obstore.exceptions import BaseError, NotFoundError

    try:
        yield
    except (NotFoundError, FileNotFoundError):
        raise FileNotFoundError(path) from None
    except (BaseError, OSError) as error:
        raise storage_error(f"The lake's storage fails at {path}", error) from None


@contextmanager
def mapped_reads(subject: str) -> Iterator[None]:
    """What Polars raises where data files are gone, damaged or out of reach, as ours; its other errors pass.

    `subject` is what was read or written.
    """
    from polars.exceptions import ComputeError, PanicException

    try:
        yield
    except OSError as error:
        raise storage_error(f"A file of {subject} cannot be used", error) from None
    except ComputeError as error:
        if not any(sign in str(error) for sign in ("parquet", *_NO_ANSWER)):  # it may quote a value
            raise
        raise storage_error(f"A file of {subject} cannot be used", error) from None
    except PanicException:  # what some damaged files lead to; it may quote a value as well
        raise LakeError(f"A file of {subject} cannot be used: Polars gave up reading it.") from None


def storage_error(text: str, error: Exception) -> LakeError:
    """The error of a storage library as ours, on one line: worth another try where the storage did not answer."""
    told = " ".join(_COLOURS.sub("", str(error)).split())
    told = told.split(" Debug source")[0].split(" (set POLARS_VERBOSE")[0]
    if refusal := _REFUSAL.search(told):
        return LakeUnavailable(
            f"{text}: {refusal[1]}: {refusal[2].rstrip('.')}.",
            hint="Check the bucket, the region, the credentials and their rights.",
        )
    told = told[:300].rstrip(".")
    if any(sign in told for sign in _NO_ANSWER):
        return LakeUnavailable(f"{text}: {told}.", hint="Is the storage up, and are the credentials right?")
    return LakeError(f"{text}: {told}.")
