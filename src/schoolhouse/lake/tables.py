"""Delta tables: opening, writing once, reading, and keeping them small. The one module that imports delta-rs.

A write carries transactions: pairs of a name and a number that Delta keeps with the table. A writer looks at the
numbers, prepares its rows, and commits **through the same snapshot that it looked at**. If another writer has committed
a transaction of the same name in between, the commit fails, and everything is looked at again. So

- a window's rows are in a table once, because their transaction's number is there already for whoever comes second;
- rows that depend on others (a day's sums, an event that must be there once) are never made from an old view, because
  everybody who changes that day or hour raises the same number.
"""

from __future__ import annotations

import json
import logging
import random
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final, cast

from schoolhouse import __version__
from schoolhouse.errors import SettingsError, WindowBusy, install_hint
from schoolhouse.lake.zones import storage_error

if TYPE_CHECKING:
    import polars as pl
    from deltalake import DeltaTable

    from schoolhouse.lake.zones import Lake, Zone

log = logging.getLogger(__name__)

_TRIES: Final = 40
_WAIT_SECONDS: Final = 0.05
_BATCH_ROWS: Final = 50_000
_TABLE_SETTINGS: Final = {
    "delta.checkpointInterval": "20",
    # As long as the vacuum keeps files. A write to a local disk lists the log twice: a long one makes windows dearer.
    "delta.logRetentionDuration": "interval 7 days",
    "delta.enableExpiredLogCleanup": "true",
}


@dataclass(frozen=True)
class Change:
    """One commit: rows to add, what they replace (none: they are added), and the transactions that it carries.

    Rows that need not be in memory at once come in parts of the same columns, which are read one after the other.
    """

    rows: pl.DataFrame | Sequence[pl.LazyFrame]
    transactions: Mapping[str, int]
    replaces: str = ""  # an SQL predicate; the rows must fulfil it
    metadata: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class Table:
    """A table of the lake, by zone and name."""

    lake: Lake
    zone: Zone
    name: str

    @property
    def address(self) -> str:
        """Where it lies."""
        return self.lake.address(self.zone, self.name)

    @property
    def partition_columns(self) -> list[str]:
        """The columns that partition it, or would if it were made now.

        The few rows of operations go by months: each window looks through weeks of them, and a file costs as much as
        what is in it.
        """
        if (found := self.open()) is not None:
            return list(found.metadata().partition_columns)
        return ["year", "month"] if self.zone == "operations" else self.lake.partition_columns

    def open(self) -> DeltaTable | None:
        """The table as it is now; None when it was never written.

        To read the whole log takes ten times as long as to read on, so a thread opens a table once. What an earlier
        call gave is the same object, and moves on.
        """
        from deltalake import DeltaTable
        from deltalake.exceptions import TableNotFoundError

        with _mapped_errors(self):
            if (known := cast("DeltaTable | None", self.lake.opened.get(self.address))) is not None:
                if not self._is_newest(known):
                    known.update_incremental()
                return known
            try:
                found = DeltaTable(self.address, storage_options=self.lake.options or None)
            except TableNotFoundError:
                return None
        self.lake.opened[self.address] = found
        return found

    def _is_newest(self, known: DeltaTable) -> bool:
        """Whether a local table has had no commit since: two names tell, where reading on would list the whole log.

        In a bucket, a listing begins at the commit that is asked for. The next commit's file may have expired, but not
        without a newer checkpoint.
        """
        if self.lake.directory is None:
            return False
        log = self.lake.directory / self.zone / self.name / "_delta_log"
        if (log / f"{known.version() + 1:020}.json").exists():
            return False
        try:
            checkpoint = json.loads((log / "_last_checkpoint").read_bytes())
        except FileNotFoundError:
            return True
        return bool(checkpoint["version"] <= known.version())

    def opened(self, schema: pl.Schema) -> DeltaTable:
        """The table, made if need be. Two who make it at once get the same one."""
        if (found := self.open()) is not None:
            return found
        import polars as pl
        from deltalake import DeltaTable
        from deltalake.exceptions import CommitFailedError

        if self.lake.directory is not None:
            (self.lake.directory / self.zone / self.name).mkdir(parents=True, exist_ok=True)
        with _mapped_errors(self):
            for _ in range(_TRIES):
                try:
                    return DeltaTable.create(
                        self.address,
                        schema=pl.DataFrame(schema=schema).to_arrow().schema,
                        mode="ignore",
                        partition_by=self.partition_columns,
                        configuration={**_TABLE_SETTINGS, "delta.dataSkippingStatsColumns": _times(schema)},
                        storage_options=self.lake.options or None,
                    )
                except CommitFailedError:
                    time.sleep(_WAIT_SECONDS)
        raise WindowBusy(f"The table {self.zone}/{self.name} could not be made.")

    def number(self, transaction: str) -> int:
        """The newest number of a transaction; 0 when there is none."""
        table = self.open()
        return 0 if table is None else number_in(table, transaction)

    def commit(self, schema: pl.Schema, make: Callable[[DeltaTable], Change | None]) -> int | None:
        """Commit what `make` gives for the table as it is; look again when somebody else came first.

        Returns the table's new version, or None where `make` gave None: then there is nothing to do.

        Raises:
            WindowBusy: others came first at every try.
        """
        from deltalake.exceptions import CommitFailedError

        table = self.opened(schema)
        for attempt in range(_TRIES):
            change = make(table)
            if change is None:
                return None
            try:
                self._write(table, change)
            except CommitFailedError:
                log.debug("looking again", extra={"table": f"{self.zone}/{self.name}", "attempt": attempt})
                time.sleep(random.uniform(0.2, 1) * min(_WAIT_SECONDS * 2**attempt, 5))  # noqa: S311 - spread, not secrecy
                table = self.opened(schema)
            else:
                return int(table.version())
        raise WindowBusy(
            f"Others changed {self.zone}/{self.name} at every one of {_TRIES} tries.", hint="Run the window again."
        )

    def _write(self, table: DeltaTable, change: Change) -> None:
        from deltalake import CommitProperties, PostCommitHookProperties, Transaction, write_deltalake

        metadata = {"code_version": __version__, **change.metadata}
        options: dict[str, Any] = {"predicate": change.replaces} if change.replaces else {}
        with _mapped_errors(self):
            write_deltalake(
                table,
                cast("Any", _stream(change.rows)),
                mode="overwrite" if change.replaces else "append",
                schema_mode="merge",
                writer_properties=_writer_properties(self.lake.settings.lake_compression),
                commit_properties=CommitProperties(
                    custom_metadata={name: str(value) for name, value in metadata.items()},
                    app_transactions=[Transaction(name, number) for name, number in change.transactions.items()],
                ),
                # To look for expired log files is to list the whole log three times: `checkpoint` does it, once a day.
                post_commithook_properties=PostCommitHookProperties(cleanup_expired_logs=False),
                **options,
            )

    def scan(self, table: DeltaTable | None = None) -> pl.LazyFrame | None:
        """The rows of the table (as it is now, or of a snapshot); None when it was never written."""
        import polars as pl

        table = table or self.open()
        if table is None:
            return None
        with _mapped_errors(self):
            return pl.scan_delta(table, storage_options=cast("Any", self.lake.options or None))

    def delete(self, predicate: str, metadata: Mapping[str, Any], transactions: Mapping[str, int] | None = None) -> int:
        """Delete rows; returns how many. The files go with `vacuum`. Where no row goes, nothing is committed."""
        from deltalake import CommitProperties, Transaction
        from deltalake.exceptions import CommitFailedError

        properties = CommitProperties(
            custom_metadata={"code_version": __version__, **{name: str(value) for name, value in metadata.items()}},
            app_transactions=[Transaction(name, number) for name, number in (transactions or {}).items()],
        )
        for attempt in range(_TRIES):
            table = self.open()
            if table is None:
                return 0
            try:
                with _mapped_errors(self):
                    told = table.delete(predicate, commit_properties=properties)
            except CommitFailedError:
                time.sleep(_WAIT_SECONDS * (attempt + 1))
            else:
                return int(told.get("num_deleted_rows") or 0)
        raise WindowBusy(f"Others changed {self.zone}/{self.name} at every one of {_TRIES} tries.")

    def compact(self, partitions: list[tuple[str, str, Any]] | None = None) -> dict[str, Any]:
        """Join small files; returns what delta-rs tells. Another writer's conflict means: not this time."""
        from deltalake.exceptions import CommitFailedError

        table = self.open()
        if table is None:
            return {}
        try:
            with _mapped_errors(self):
                return dict(
                    table.optimize.compact(
                        partition_filters=partitions,
                        writer_properties=_writer_properties(self.lake.settings.lake_compression),
                    )
                )
        except CommitFailedError:
            return {}

    def vacuum(self, hours: int, *, dry_run: bool) -> list[str]:
        """Remove files that no version of the last `hours` names, orphans of killed writers among them."""
        table = self.open()
        if table is None:
            return []
        with _mapped_errors(self):
            return list(
                table.vacuum(retention_hours=hours, dry_run=dry_run, enforce_retention_duration=False, full=True)
            )

    def forget(self) -> None:
        """Remove at once the files of earlier versions. Files that a writer has not committed yet stay."""
        if (table := self.open()) is not None:
            with _mapped_errors(self):
                table.vacuum(retention_hours=0, dry_run=False, enforce_retention_duration=False)

    def checkpoint(self) -> None:
        """Write a checkpoint, so that the table opens from one file, and drop log files that have expired."""
        if (table := self.open()) is not None:
            with _mapped_errors(self):
                table.create_checkpoint()
                table.cleanup_metadata()

    def files(self) -> pl.DataFrame | None:
        """The data files that the table names: path, size_bytes, num_records, partition.*, min.* …"""
        import polars as pl

        table = self.open()
        if table is None:
            return None
        with _mapped_errors(self):
            return pl.DataFrame(table.get_add_actions(flatten=True))


def number_in(table: DeltaTable, transaction: str) -> int:
    """The newest number of a transaction in a snapshot; 0 when there is none."""
    return int(table.transaction_version(transaction) or 0)


def _times(schema: pl.Schema) -> str:
    """The columns that the log keeps statistics of: times. Others would put learners' identifiers into the log."""
    return ",".join(name for name, dtype in schema.items() if dtype.is_temporal())


def _stream(rows: pl.DataFrame | Sequence[pl.LazyFrame]) -> Any:
    """Rows as delta-rs takes them. Many go in batches, each made when the one before it is written.

    A frame handed over as a whole would be held twice, and of many files in one part polars reads far ahead.
    """
    import polars as pl
    import pyarrow as pa

    frames: Iterator[pl.DataFrame]
    if not isinstance(rows, pl.DataFrame):
        empty = pl.DataFrame(schema=rows[0].collect_schema())
        frames = (frame for part in rows for frame in _batches(part))
    elif rows.height <= _BATCH_ROWS:
        return rows
    else:
        empty, frames = rows.clear(), rows.iter_slices(_BATCH_ROWS)
    batches = (batch for frame in frames for batch in frame.to_arrow().to_batches())
    return pa.RecordBatchReader.from_batches(empty.to_arrow().schema, batches)


def _batches(part: pl.LazyFrame) -> Iterator[pl.DataFrame]:
    return part.collect_batches(engine="streaming", maintain_order=True, lazy=True, chunk_size=_BATCH_ROWS)


def _writer_properties(compression: str) -> Any:
    from deltalake import WriterProperties

    return WriterProperties(compression=cast("Any", compression.upper()))


@contextmanager
def _mapped_errors(table: Table) -> Iterator[None]:
    """delta-rs's errors as ours; conflicts pass, for those who try again."""
    try:
        from deltalake.exceptions import CommitFailedError, DeltaError, DeltaProtocolError, TableNotFoundError
    except ImportError:
        raise SettingsError("Delta Lake is not installed.", hint=install_hint("lake")) from None
    name = f"{table.zone}/{table.name}"
    try:
        yield
    except (CommitFailedError, TableNotFoundError):
        raise
    except DeltaProtocolError as error:
        raise storage_error(f"The table {name} is damaged or newer than this program", error) from None
    except (DeltaError, OSError) as error:
        raise storage_error(f"The table {name} cannot be used", error) from None
