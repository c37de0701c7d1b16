"""Reads what AWS S3 Inventory writes: `manifest.json` and its data files, as CSV.gz, Parquet or ORC.

A data file is fetched to a temporary file and its MD5 compared with the manifest's, then read page by page, so memory
stays flat however many keys there are. Keys are percent-encoded in CSV and plain in the other formats.
"""

from __future__ import annotations

import hashlib
import json
import re
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import date, datetime
from pathlib import Path
from typing import Any, Final
from urllib.parse import unquote_plus

from schoolhouse.backfill.patterns import Source
from schoolhouse.collect.bundles import parse_key
from schoolhouse.errors import InventoryError, ObjectMissing
from schoolhouse.etl.aws import mapped_errors

_PIECE_BYTES: Final = 1 << 20
_LARGEST_MANIFEST_BYTES: Final = 64 << 20
_COMPRESSED: Final = re.compile(r"\.(?:gz|zst)$")
_ENDINGS: Final = (".jsonl", ".ndjson", ".json")
_WANTED_COLUMNS: Final = ("bucket", "key", "size", "etag", "islatest", "isdeletemarker")


@dataclass(frozen=True)
class DataFile:
    """One data file of a manifest."""

    key: str
    size_bytes: int
    md5: str


@dataclass(frozen=True)
class Manifest:
    """A manifest: where its data files are, their format, and their columns (of CSV, in order)."""

    key: str
    source_bucket: str
    bucket: str
    file_format: str
    columns: tuple[str, ...]
    files: tuple[DataFile, ...]
    created: str


@dataclass(frozen=True)
class KeyFilter:
    """Which keys a run wants. Times are those that keys name; a key that names none is outside of any range."""

    prefix: str = ""
    section_ids: frozenset[str] = frozenset()
    since: datetime | None = None
    until: datetime | None = None
    endings: tuple[str, ...] = _ENDINGS

    def wants(self, key: str) -> bool:
        """Whether the run loads this key."""
        plain = _COMPRESSED.sub("", key)
        if not plain.endswith(self.endings) or not key.startswith(self.prefix):
            return False
        if not (self.section_ids or self.since or self.until):
            return True
        parsed = parse_key(plain.rpartition(".")[0] + ".jsonl")
        if self.section_ids and (parsed is None or parsed.section_id not in self.section_ids):
            return False
        if not (self.since or self.until):
            return True
        at = parsed.timestamp if parsed else None
        return at is not None and (not self.since or at >= self.since) and (not self.until or at < self.until)


@dataclass(frozen=True)
class Page:
    """Rows of a data file: the wanted objects, how many rows were read to get here, how many the filter left out."""

    sources: list[tuple[int, Source]]  # with the number of rows read when this one had been read
    end_row: int
    filtered: int


def find_manifest(s3: Any, bucket: str, prefix: str, day: date) -> str:
    """The key of the newest manifest of a day.

    Raises:
        ObjectMissing: there is none.
    """
    start = f"{prefix.strip('/')}/{day.isoformat()}T".lstrip("/")
    with mapped_errors(f"s3://{bucket}/{start}"):
        listing = s3.list_objects_v2(Bucket=bucket, Prefix=start)
    keys = [entry["Key"] for entry in listing.get("Contents", []) if entry["Key"].endswith("/manifest.json")]
    if not keys:
        raise ObjectMissing(
            f"There is no inventory of {day.isoformat()} at s3://{bucket}/{start}….",
            hint="Check the date, BACKFILL_INVENTORY_BUCKET and BACKFILL_INVENTORY_PREFIX.",
        )
    return str(max(keys))


def read_manifest(s3: Any, bucket: str, key: str) -> Manifest:
    """The manifest at a key; compared with `manifest.checksum` where that stands beside it.

    Raises:
        InventoryError: it is not a manifest of S3 Inventory, or was changed.
        StorageError: it cannot be read.
    """
    with mapped_errors(f"s3://{bucket}/{key}"):
        answer = s3.get_object(Bucket=bucket, Key=key)
        body: bytes = answer["Body"].read(_LARGEST_MANIFEST_BYTES + 1)
    try:
        checksum_key = key.removesuffix("json") + "checksum"
        with mapped_errors(checksum_key):
            expected = s3.get_object(Bucket=bucket, Key=checksum_key)["Body"].read(200).decode("ascii", "replace")
    except ObjectMissing:
        expected = ""
    if expected and expected.strip() != hashlib.md5(body, usedforsecurity=False).hexdigest():
        raise InventoryError(f"s3://{bucket}/{key} differs from its manifest.checksum.")
    try:
        facts = json.loads(body)
        named = str(facts.get("destinationBucket", "")).removeprefix("arn:aws:s3:::") or bucket
        return Manifest(
            key=key,
            source_bucket=str(facts["sourceBucket"]),
            bucket=named,
            file_format=str(facts["fileFormat"]).upper(),
            columns=tuple(_plain(name) for name in str(facts.get("fileSchema", "")).split(",")),
            files=tuple(DataFile(str(f["key"]), int(f["size"]), str(f["MD5checksum"])) for f in facts["files"]),
            created=str(facts.get("creationTimestamp", "")),
        )
    except (ValueError, TypeError, KeyError, AttributeError) as error:
        raise InventoryError(
            f"s3://{bucket}/{key} is no manifest of S3 Inventory ({type(error).__name__}).",
            hint="It has sourceBucket, destinationBucket, fileFormat, fileSchema and files.",
        ) from None


@contextmanager
def fetched(s3: Any, bucket: str, file: DataFile) -> Iterator[Path]:
    """A data file on this machine, its checksum verified.

    Raises:
        InventoryError: its content is not what the manifest says.
        StorageError: it cannot be read.
    """
    digest = hashlib.md5(usedforsecurity=False)
    with tempfile.NamedTemporaryFile(prefix="schoolhouse-inventory-") as target:
        with mapped_errors(f"s3://{bucket}/{file.key}"):
            for piece in s3.get_object(Bucket=bucket, Key=file.key)["Body"].iter_chunks(_PIECE_BYTES):
                digest.update(piece)
                target.write(piece)
        target.flush()
        if file.md5 and digest.hexdigest() != file.md5.lower():
            raise InventoryError(
                f"s3://{bucket}/{file.key} differs from the checksum in the manifest.",
                hint="It was changed or cut off; take another inventory.",
            )
        yield Path(target.name)


def pages(path: Path, manifest: Manifest, wanted: KeyFilter, *, page_size: int, start_row: int = 0) -> Iterator[Page]:
    """The rows of a data file behind `start_row`, a page at a time.

    Raises:
        InventoryError: the file is not in the manifest's format.
    """
    import pyarrow as pa

    row = 0
    try:
        for table in _blocks(path, manifest):
            if row + table.num_rows <= start_row:
                row += table.num_rows
                continue
            for start in range(0, table.num_rows, page_size):
                piece = table.slice(start, page_size)
                first = row + start
                if first + piece.num_rows > start_row:
                    yield _page(piece, manifest, wanted, first, start_row)
            row += table.num_rows
    except (pa.ArrowException, OSError, KeyError) as error:
        raise InventoryError(
            f"A data file of {manifest.key} is no {manifest.file_format} of an inventory ({type(error).__name__})."
        ) from None


def _page(table: Any, manifest: Manifest, wanted: KeyFilter, first_row: int, start_row: int) -> Page:
    columns = {name: table.column(name).to_pylist() for name in table.column_names}
    keys = columns["key"]
    is_csv = manifest.file_format == "CSV"
    sizes, etags = columns.get("size"), columns.get("etag")
    latest, deleted, buckets = columns.get("islatest"), columns.get("isdeletemarker"), columns.get("bucket")
    found: list[tuple[int, Source]] = []
    filtered = 0
    for place in range(max(start_row - first_row, 0), table.num_rows):
        key = unquote_plus(keys[place]) if is_csv else keys[place]
        is_current = (latest is None or _is_true(latest[place])) and (deleted is None or not _is_true(deleted[place]))
        if not is_current or not wanted.wants(key):
            filtered += 1
            continue
        bucket = (buckets[place] if buckets else "") or manifest.source_bucket
        size = sizes[place] if sizes else None
        etag = (etags[place] if etags else "") or ""
        source = Source(bucket, key, etag.strip('"'), int(size) if size not in (None, "") else -1)
        found.append((first_row + place + 1, source))
    return Page(found, first_row + table.num_rows, filtered)


def _is_true(value: Any) -> bool:
    return value is True or (isinstance(value, str) and value.lower() == "true")


def _plain(name: str) -> str:
    return name.strip().lower().replace("_", "")


def _blocks(path: Path, manifest: Manifest) -> Iterator[Any]:
    """The wanted columns of a data file, in tables of a bounded size, their names made plain."""
    import pyarrow as pa

    if manifest.file_format == "CSV":
        from pyarrow import csv

        names = list(manifest.columns)
        with pa.input_stream(str(path), compression="gzip") as stream:
            reader = csv.open_csv(
                stream,
                read_options=csv.ReadOptions(column_names=names, block_size=4 << 20),
                parse_options=csv.ParseOptions(newlines_in_values=True),
                convert_options=csv.ConvertOptions(
                    include_columns=[name for name in names if name in _WANTED_COLUMNS],
                    column_types=dict.fromkeys(names, pa.string()),
                    strings_can_be_null=False,
                ),
            )
            for batch in reader:
                yield pa.Table.from_batches([batch])
    elif manifest.file_format == "PARQUET":
        from pyarrow import parquet

        with parquet.ParquetFile(path) as file:
            wanted = [name for name in file.schema_arrow.names if _plain(name) in _WANTED_COLUMNS]
            for batch in file.iter_batches(batch_size=65_536, columns=wanted):
                yield pa.Table.from_batches([batch]).rename_columns([_plain(name) for name in wanted])
    elif manifest.file_format == "ORC":
        from pyarrow import orc

        file = orc.ORCFile(str(path))
        wanted = [name for name in file.schema.names if _plain(name) in _WANTED_COLUMNS]
        for stripe in range(file.nstripes):
            batch = file.read_stripe(stripe, columns=wanted)
            yield pa.Table.from_batches([batch]).rename_columns([_plain(name) for name in batch.schema.names])
    else:
        raise InventoryError(
            f"{manifest.key} has data files in the format {manifest.file_format[:20]}.",
            hint="CSV, Parquet and ORC are read.",
        )
