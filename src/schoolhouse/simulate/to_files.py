"""The targets that write files and lines: gzipped CSV for later loads, and log lines for Vector."""

from __future__ import annotations

import sys
import time
from typing import IO

from schoolhouse.errors import DeliveryError
from schoolhouse.simulate.campus import Plan
from schoolhouse.simulate.course_tables import Table
from schoolhouse.simulate.delivery import Delivered, OnRows, RunState, Target, batches_of
from schoolhouse.simulate.load_config import LoadConfig
from schoolhouse.simulate.truth import Truth
from schoolhouse.simulate.writing import open_target, parts_of, write_truth

STATEMENTS = "xapi"


class CsvFiles:
    """One gzipped CSV file without a header for each dataset, local or on S3, and `truth.json`."""

    def __init__(self, config: LoadConfig) -> None:
        self._config = config
        self._directory = config["csv_output_destination"].rstrip("/")

    def write_table(self, table: Table, on_rows: OnRows) -> Delivered:
        """Write one table."""
        target, rows, size, started = self._place(table.file), 0, 0, time.monotonic()
        with self._open(target) as stream:
            for count, block in table.blocks():
                packed = _gzip(block)
                stream.write(packed)
                rows, size = rows + count, size + len(packed)
                on_rows(count)
        return Delivered(table.file, target, rows, size, time.monotonic() - started)

    def write_statements(self, plan: Plan, state: RunState, on_rows: OnRows) -> Delivered:
        """Write all statements."""
        target, rows, size, started = self._place(STATEMENTS), 0, 0, time.monotonic()
        truth = Truth(plan)
        with self._open(target) as stream:
            for part in parts_of(plan, "csv.gz"):
                stream.write(part.data)
                rows, size = rows + part.lines, size + len(part.data)
                truth.add(part.chunk, part.tally)
                on_rows(part.lines)
        write_truth(truth, f"{self._directory}/truth.json", **self._keys())
        return Delivered(STATEMENTS, target, rows, size, time.monotonic() - started)

    def close(self) -> None:
        """Nothing is held open."""

    def _place(self, name: str) -> str:
        return f"{self._directory}/{name}.csv.gz"

    def _keys(self) -> dict[str, str]:
        return {"s3_key": self._config["s3_key"], "s3_secret": self._config["s3_secret"]}

    def _open(self, target: str) -> _Guarded:
        return _Guarded(target, self._keys())


class _Guarded:
    """A target whose failures are ours. A file that fails half-way is not finished, and is written anew next time."""

    def __init__(self, target: str, keys: dict[str, str]) -> None:
        self._target = target
        self._opened = open_target(target, **keys)
        self._stream: IO[bytes] | None = None

    def __enter__(self) -> _Guarded:
        self._stream = self._opened.__enter__()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: object) -> None:
        try:
            self._opened.__exit__(kind, error, None)
        except Exception as failure:
            raise self._failed(failure) from None

    def write(self, data: bytes) -> None:
        """Append."""
        assert self._stream is not None  # noqa: S101, entered
        try:
            self._stream.write(data)
        except Exception as failure:
            raise self._failed(failure) from None

    def _failed(self, failure: Exception) -> DeliveryError:
        return DeliveryError(
            f"Writing {self._target} failed: {type(failure).__name__}. The file is not complete.",
            hint="Run again with --resume.",
        )


class VectorLog:
    """Statements as log lines on standard output, where Vector picks them up; tables straight to ClickHouse."""

    def __init__(self, config: LoadConfig, tables: Target) -> None:
        self._config, self._tables = config, tables

    def write_table(self, table: Table, on_rows: OnRows) -> Delivered:
        """Write one table."""
        return self._tables.write_table(table, on_rows)

    def write_statements(self, plan: Plan, state: RunState, on_rows: OnRows) -> Delivered:
        """Print all statements, a line each, as the tracking log writes them."""
        rows, size, started = 0, 0, time.monotonic()
        stream = sys.stdout.buffer
        for batch in batches_of(plan, self._config["batch_size"], state.has_batch):
            text = b"".join(b" [xapi_tracking] [] " + line + b"\n" for line in batch.lines.to_pylist())
            stream.write(text)
            stream.flush()
            state.finish_batch(batch.index)
            rows, size = rows + len(batch.lines), size + len(text)
            on_rows(len(batch.lines))
        return Delivered(STATEMENTS, "standard output", rows, size, time.monotonic() - started)

    def close(self) -> None:
        """Let go of ClickHouse."""
        self._tables.close()


def _gzip(block: bytes) -> bytes:
    from isal import igzip

    return bytes(igzip.compress(block, 1, mtime=0))
