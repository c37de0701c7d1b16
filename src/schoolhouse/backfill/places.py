"""Where objects may lie: buckets of S3, servers that speak its protocol, and directories of this machine.

A pattern or manifest is an address that somebody typed, and a worker goes there with the house's own credentials from
inside the house's own network. So only AWS's S3, the server of AWS_ENDPOINT_URL and what BACKFILL_ALLOWED_HOSTS names
are spoken to, and only files below BACKFILL_LOCAL_DIRS are read. The check is made when a run is asked for and again
when a worker takes it.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path
from typing import Final
from urllib.parse import unquote, urlsplit

from schoolhouse.errors import AccessRefused, UsageError
from schoolhouse.settings import Settings

# AWS's own addresses, either style; the region is not looked at, since the client finds it.
_AWS_HOST: Final = re.compile(
    r"(?:(?P<bucket>[a-z0-9][a-z0-9.-]{1,61}[a-z0-9])\.)?s3[.-](?:dualstack\.)?(?:[a-z]{2}(?:-[a-z]+)+-\d\.)?amazonaws\.com(?:\.cn)?"
)
# What a signed address carries; it would stand in the run's row for all to see.
_SIGNED: Final = re.compile(r"(?i)x-amz-(?:signature|credential|security-token)|awsaccesskeyid|\bsignature=")
_BUCKET: Final = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{1,62}")


@dataclass(frozen=True)
class Place:
    """A key or pattern in a bucket, or a path. `endpoint_url` is empty where the settings' own is meant."""

    bucket: str
    key: str
    endpoint_url: str = ""

    @property
    def is_local(self) -> bool:
        """Whether this is a path on this machine."""
        return not self.bucket

    def settings(self, settings: Settings) -> Settings:
        """The settings with this place's own server of S3, where it names one."""
        return settings.model_copy(update={"aws_endpoint_url": self.endpoint_url}) if self.endpoint_url else settings


def place_of(address: str, settings: Settings) -> Place:
    """The place that an address names.

    Raises:
        UsageError: it is no address that we know.
        AccessRefused: its host or directory is not among those allowed.
    """
    if _SIGNED.search(address):
        raise UsageError("A signed address is a credential.", hint="Name the object; credentials come from the role.")
    scheme = address.partition("://")[0].lower() if "://" in address else ""
    if scheme in {"", "file"}:
        return _local_place(address.removeprefix("file://"), settings)
    if scheme == "s3":
        bucket, _, key = address[5:].partition("/")
        return _in_bucket(bucket, key, address)
    if scheme in {"http", "https"}:
        return _web_place(address, settings)
    raise UsageError(
        f"{scheme[:20]!r} is no scheme of a pattern.", hint="Begin with s3://, https:// or the path of a file."
    )


def _in_bucket(bucket: str, key: str, address: str, endpoint_url: str = "") -> Place:
    if not _BUCKET.fullmatch(bucket) or not key:
        raise UsageError(
            f"No bucket and key are named: {address[:200]}.", hint="Such as s3://my-bucket/section/**/*.jsonl"
        )
    return Place(bucket, key, endpoint_url)


def _web_place(address: str, settings: Settings) -> Place:
    try:
        parts = urlsplit(address.replace("?", "%3F").replace("#", "%23"))
        host, port = (parts.hostname or "").lower(), parts.port
    except ValueError:
        raise UsageError("The pattern is no address.") from None
    if parts.username is not None or parts.password is not None:
        raise UsageError("An address holds no user and password.", hint="Give credentials by role or named collection.")
    path = unquote(parts.path.lstrip("/"))
    if aws := _AWS_HOST.fullmatch(host):
        if parts.scheme != "https" or port not in (None, 443):
            raise AccessRefused("AWS's S3 is spoken to by https on its usual port.")
        bucket, _, key = (aws["bucket"], "", path) if aws["bucket"] else path.partition("/")
        return _in_bucket(bucket, key, address)
    named = host if port is None else f"{host}:{port}"
    own = urlsplit(settings.aws_endpoint_url)
    bucket, _, key = path.partition("/")
    if own.hostname == host and own.port == port and own.scheme == parts.scheme:
        return _in_bucket(bucket, key, address)
    if named not in _listed(settings.backfill_allowed_hosts):
        raise AccessRefused(
            f"The host {named} is not among those that backfills may speak to.",
            hint="Add it to BACKFILL_ALLOWED_HOSTS (host, or host:port) if it is yours.",
        )
    return _in_bucket(bucket, key, address, f"{parts.scheme}://{named}")


def _local_place(path: str, settings: Settings) -> Place:
    if not path.startswith("/"):
        raise UsageError("A local pattern is an absolute path.", hint="Such as /archive/section/**/*.jsonl.gz")
    fixed = path.split("*")[0].split("?")[0].split("{")[0].split("[")[0]
    directory = Path(fixed if fixed == path or fixed.endswith("/") else fixed.rpartition("/")[0] or "/")
    if not is_allowed_path(directory, settings) or ".." in Path(path).parts:
        raise AccessRefused(
            f"{directory} is outside the directories that backfills may read.",
            hint="Name its directory in BACKFILL_LOCAL_DIRS.",
        )
    return Place("", path)


def is_allowed_path(path: Path, settings: Settings) -> bool:
    """Whether a path, its links followed, lies below a directory of the allow-list."""
    allowed = _listed(settings.backfill_local_dirs) or [str(settings.bundles_dir)]
    resolved = path.resolve()
    return any(resolved.is_relative_to(Path(each).resolve()) for each in allowed)


def _listed(text: str) -> list[str]:
    return [part.strip() for part in text.split(",") if part.strip()]
