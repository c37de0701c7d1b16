"""Files in ClickHouse's Native format, packed with lz4, on S3: the fastest for ClickHouse to load.

A run writes below a directory of its own, named by what it is, so that files of an earlier run never mix in.
"""

from __future__ import annotations

import hashlib
import os
import time
from collections.abc import Iterator
from itertools import islice

import numpy as np
import pyarrow as pa

from schoolhouse.errors import DeliveryError
from schoolhouse.simulate.campus import Plan, chunks_of
from schoolhouse.simulate.course_tables import BLOCK_ROWS, Table
from schoolhouse.simulate.delivery import Delivered, OnRows, PlainChunk, RunState, plain_chunk, with_retries
from schoolhouse.simulate.load_config import LoadConfig
from schoolhouse.simulate.native import native_block, native_rows
from schoolhouse.simulate.writing import in_order, open_target

SUFFIX = ".native.lz4"


class NativeFiles:
    """`<s3_prefix>/<run>/<dataset>_<n>.native.lz4`; statements are parted by year as well."""

    def __init__(self, config: LoadConfig) -> None:
        self._config = config
        run = hashlib.sha256(repr(config.plan()).encode()).hexdigest()[:12]
        self._below = "/".join(part for part in (config["s3_prefix"].strip("/"), run) if part)

    def write_table(self, table: Table, on_rows: OnRows) -> Delivered:
        """Write one table."""
        rows, size, started = 0, 0, time.monotonic()
        stream = table.rows()
        for number in range(1 << 30):
            block = list(islice(stream, BLOCK_ROWS))
            if not block:
                break
            size += self._put(f"{table.file}_{number}", native_rows(table.columns, block))
            rows += len(block)
            on_rows(len(block))
        return Delivered(table.file, self._where(table.file), rows, size, time.monotonic() - started)

    def write_statements(self, plan: Plan, state: RunState, on_rows: OnRows) -> Delivered:
        """Write all statements, a file for each year of each chunk."""
        rows, size, started = 0, 0, time.monotonic()
        left = [chunk for chunk in chunks_of(plan) if not state.has_batch(chunk.index)]
        for part in in_order(plain_chunk(plan), left):
            for year, block in _by_year(part):
                size += self._put(f"xapi_{year}_{part.chunk.index}", block)
            state.finish_batch(part.chunk.index)
            rows += len(part.lines)
            on_rows(len(part.lines))
        return Delivered("xapi", self._where("xapi"), rows, size, time.monotonic() - started)

    def load_places(self) -> dict[str, tuple[str, str]]:
        """Where ClickHouse finds each dataset."""
        bucket = self._config["s3_bucket"]
        endpoint = os.environ.get("AWS_ENDPOINT_URL_S3") or os.environ.get("AWS_ENDPOINT_URL")
        root = f"{endpoint.rstrip('/')}/{bucket}" if endpoint else f"https://{bucket}.s3.amazonaws.com"
        from schoolhouse.simulate.load_run import tables_of_schema

        names = ["xapi", *(table.file for table in tables_of_schema())]
        return {name: (f"{root}/{self._below}/{name}_*{SUFFIX}", "Native") for name in names}

    def close(self) -> None:
        """Nothing is held open."""

    def _where(self, dataset: str) -> str:
        return f"s3://{self._config['s3_bucket']}/{self._below}/{dataset}_*{SUFFIX}"

    def _put(self, name: str, block: bytes) -> int:
        import lz4.frame

        packed = lz4.frame.compress(block)
        address = f"s3://{self._config['s3_bucket']}/{self._below}/{name}{SUFFIX}"
        with_retries(name, lambda: self._write(address, packed))
        return len(packed)

    def _write(self, address: str, packed: bytes) -> None:
        try:
            with open_target(address, s3_key=self._config["s3_key"], s3_secret=self._config["s3_secret"]) as stream:
                stream.write(packed)
        except DeliveryError:
            raise
        except Exception as error:  # botocore raises errors of many classes
            raise DeliveryError(f"Writing {address} failed: {type(error).__name__}.") from None


def _by_year(part: PlainChunk) -> Iterator[tuple[int, bytes]]:
    years = part.at_micros.astype("datetime64[us]").astype("datetime64[Y]").astype(int) + 1970
    for year in np.unique(years).tolist():
        rows = np.flatnonzero(years == year)
        lines = part.lines.take(pa.array(rows))
        yield year, native_block(part.row_ids[rows], part.at_micros[rows], lines)
