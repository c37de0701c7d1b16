"""`backfill`: runs over years of history, by pattern or by S3 Inventory; `worker`: what works on them.

These commands speak to the app's own database alone, so they work while `serve` holds the embedded warehouse. The runs
themselves are done by the workers of `serve` or by `schoolhouse worker`.
"""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Annotated, Any, Final, Literal

import typer

from schoolhouse.cli import console
from schoolhouse.errors import UsageError

if TYPE_CHECKING:
    from sqlalchemy import Engine

    from schoolhouse.backfill.runs import Deed
    from schoolhouse.settings import Settings

RunKind = Literal["manual", "inventory"]

app = typer.Typer(
    cls=console.Commands, help="History into the warehouse: runs to watch, pause, resume, retry.", no_args_is_help=True
)
manual = typer.Typer(cls=console.Commands, help="Runs over the objects that match a pattern.", no_args_is_help=True)
inventory = typer.Typer(
    cls=console.Commands, help="Runs over the objects that a manifest of S3 Inventory lists.", no_args_is_help=True
)
app.add_typer(manual, name="manual")
app.add_typer(inventory, name="inventory")

AsJson = Annotated[bool, typer.Option("--json", help="Print the answer as JSON.")]
_LARGEST_ID: Final = 2**63 - 1  # that a database holds
Run = Annotated[int, typer.Argument(metavar="RUN", min=1, max=_LARGEST_ID, help="Number of the run.")]
Batch = Annotated[int | None, typer.Option("--batch", min=1, max=_LARGEST_ID, help="Only the chunks of this batch.")]
Target = Annotated[str, typer.Option("--target", help="raw_events, or <database>.raw_events.")]
Format = Annotated[str, typer.Option("--format", help="lines, JSONAsString, JSONEachRow, or parquet.")]
Setting = Annotated[
    list[str] | None, typer.Option("--setting", metavar="NAME=VALUE", help="A ClickHouse setting of each insert.")
]
Option = Annotated[
    list[str] | None, typer.Option("--option", metavar="NAME=VALUE", help="An option of each query over HTTP.")
]
DryRun = Annotated[bool, typer.Option("--dry-run", help="Estimate files, rows, bytes, time and bad lines.")]
Force = Annotated[bool, typer.Option("--force", help="Load also what is in already; it counts once.")]

_POLL_SECONDS = 1.0


@manual.command("create")
def create_manual(
    pattern: Annotated[str, typer.Argument(help="s3://bucket/key, https://… or /path, with *, **, ?, {a,b}, {1..9}.")],
    target: Target = "raw_events",
    form: Format = "lines",
    chunk_size: Annotated[int, typer.Option("--chunk-size", help="Objects of one insert.")] = 100,
    max_attempts: Annotated[int, typer.Option("--max-attempts", help="1 to 3 attempts.")] = 3,
    optimize: Annotated[bool, typer.Option(help="Merge the touched partitions at the end.")] = True,
    setting: Setting = None,
    option: Option = None,
    dry_run: DryRun = False,
    force: Force = False,
    as_json: AsJson = False,
) -> None:
    """Make a run over the objects that match PATTERN.

    Example: schoolhouse backfill manual create 's3://my-bucket/section/**/*.jsonl' --dry-run
    """
    values = {
        "s3_pattern": pattern,
        "target_table": target,
        "format": form,
        "chunk_size": chunk_size,
        "max_attempts": max_attempts,
        "optimize": optimize,
        "clickhouse_settings": _pairs(setting),
        "options": _pairs(option),
        "dry_run": dry_run,
        "force": force,
    }
    _create("manual", values, as_json)


@inventory.command("create")
def create_inventory(
    date: Annotated[str | None, typer.Option("--date", help="Day of the inventory, such as 2024-01-31.")] = None,
    manifest: Annotated[str | None, typer.Option("--manifest", help="Address of the manifest.json itself.")] = None,
    inventories: Annotated[str, typer.Option("--inventories", help="s3://bucket/prefix of the inventories.")] = "",
    start: Annotated[str | None, typer.Option("--start", help="Only keys that name this time or later.")] = None,
    end: Annotated[str | None, typer.Option("--end", help="Only keys that name an earlier time.")] = None,
    prefix: Annotated[str, typer.Option("--prefix", help="Only keys that start so.")] = "",
    section: Annotated[list[str] | None, typer.Option("--section", help="Only this section; may be repeated.")] = None,
    target: Target = "raw_events",
    form: Format = "lines",
    chunk_size: Annotated[int, typer.Option("--chunk-size", help="Objects of one insert.")] = 25,
    page_size: Annotated[int, typer.Option("--page-size", help="Keys of the manifest held at a time.")] = 1000,
    simultaneous: Annotated[int, typer.Option("--simultaneous", help="Batches at the same time.")] = 1,
    max_attempts: Annotated[int, typer.Option("--max-attempts", help="Attempts of a batch.")] = 1,
    setting: Setting = None,
    option: Option = None,
    dry_run: DryRun = False,
    force: Force = False,
    as_json: AsJson = False,
) -> None:
    """Make a run over the objects that an inventory lists.

    Example: schoolhouse backfill inventory create --date 2024-01-31 --section 123 --simultaneous 4
    """
    values = {
        "inventory_date": date,
        "manifest_url": manifest or "",
        "inventory_prefix": inventories,
        "date_range_start": start,
        "date_range_end": end,
        "key_prefix": prefix,
        "section_ids": section or [],
        "target_table": target,
        "format": form,
        "batch_chunk_size": chunk_size,
        "manifest_page_size": page_size,
        "max_simultaneous_batches": simultaneous,
        "max_batch_attempts": max_attempts,
        "clickhouse_settings": _pairs(setting),
        "options": _pairs(option),
        "dry_run": dry_run,
        "force": force,
    }
    _create("inventory", values, as_json)


def _list(kind: RunKind, limit: int, as_json: bool) -> None:
    from schoolhouse.backfill.runs import list_runs

    with _database() as (engine, _):
        runs = list_runs(engine, kind, limit=limit)
    if as_json:
        console.print_json(runs)
        return
    columns = ("run", "status", "what", "done", "objects", "rows", "failed", "dry run")
    rows = [
        (
            run["id"],
            run["status"],
            _what(run),
            f"{run['progress']:.0%}",
            f"{run['processed_objects']:,}/{run['total_objects']:,}",
            run["rows_written"],
            run["failed_objects"],
            run["dry_run"],
        )
        for run in runs
    ]
    console.print_table(f"{kind} runs", columns, rows)


def _show(kind: RunKind, run_id: int, as_json: bool) -> None:
    from schoolhouse.backfill.runs import read_run

    with _database() as (engine, _):
        run = read_run(engine, kind, run_id)
    if as_json:
        console.print_json(run)
        return
    plain = {name: value for name, value in run.items() if not isinstance(value, dict | list) and value != ""}
    console.print_facts(f"{kind} run {run_id}", plain)
    if estimate := run["metadata"].get("estimate"):
        console.print_facts("estimate", {name: str(value) for name, value in estimate.items()})
    if batches := run.get("batches"):
        columns = ("batch", "status", "data file", "processed", "loaded", "skipped", "empty", "failed", "rows", "error")
        rows = [
            (
                batch["id"],
                batch["status"],
                batch["parquet_key"],
                f"{batch['processed_objects']:,}/{batch['object_count']:,}",
                batch["loaded_objects"],
                batch["skipped_objects"],
                batch["empty_objects"],
                batch["failed_objects"],
                batch["rows_written"],
                batch["error"],
            )
            for batch in batches
        ]
        console.print_table("batches", columns, rows)


def _deed(kind: RunKind, run_id: int, deed: Deed, as_json: bool) -> None:
    from schoolhouse.backfill.runs import act_on_run

    with _database() as (engine, _):
        run = act_on_run(engine, kind, run_id, deed)
    if as_json:
        console.print_json(run)
    else:
        typer.echo(f"{kind} run {run_id} is {'deleted' if deed == 'delete' else run['status']}")


def _logs(kind: RunKind, run_id: int, batch: int | None, limit: int, follows: bool, as_json: bool) -> None:
    from schoolhouse.backfill.chunk_logs import follow, page_of_logs
    from schoolhouse.backfill.runs import read_run

    with _database() as (engine, _):
        if follows:
            wait = lambda: time.sleep(_POLL_SECONDS)  # noqa: E731
            for log in follow(engine, kind, run_id, batch_id=batch, last=limit, wait=wait):
                _print_log(log, as_json)
            return
        read_run(engine, kind, run_id)
        with engine.connect() as connection:
            logs = page_of_logs(connection, kind, run_id, batch_id=batch, limit=limit)
    if as_json:
        console.print_json(logs)
        return
    for log in reversed(logs):
        _print_log(log, as_json=False)


def _print_log(log: dict[str, Any], as_json: bool) -> None:
    import json

    if as_json:
        print(json.dumps(log, default=str), flush=True)
        return
    place = f"batch {log['batch_id']} " if log["batch_id"] else ""
    counts = f"{log['loaded_objects']} loaded, {log['skipped_objects']} skipped, {log['empty_objects']} empty, "
    print(
        f"{log['created_at']:%Y-%m-%d %H:%M:%S} {place}chunk {log['chunk_index']} attempt {log['attempt']} "
        f"{log['status']}: {counts}{log['failed_objects']} failed; {log['rows_written']:,} rows, "
        f"{console.size(log['bytes_read'])}, {log['execution_time_ms']:,} ms {log['error']}".rstrip(),
        flush=True,
    )
    for failure in log["failures"]:
        print(f"    {failure['state']}: {failure['source']}: {failure['reason']}", flush=True)


def _create(kind: RunKind, values: dict[str, Any], as_json: bool) -> None:
    import getpass

    from schoolhouse.backfill.requests import read_request
    from schoolhouse.backfill.runs import create_run

    request = read_request(kind, values)
    with _database() as (engine, settings):
        run = create_run(engine, settings, request, initiated_by=f"command line ({getpass.getuser()})")
    if as_json:
        console.print_json(run)
        return
    typer.echo(f"{kind} run {run['id']} is {run['status']}")
    typer.echo("A worker does it: `schoolhouse serve` has some, `schoolhouse worker` is one.", err=True)


@contextmanager
def _database() -> Iterator[tuple[Engine, Settings]]:
    import schoolhouse.backfill.tables  # noqa: F401 - declares the tables
    from schoolhouse.database import open_database

    settings = console.settings()
    engine = open_database(settings)
    try:
        yield engine, settings
    finally:
        engine.dispose()


def _pairs(given: list[str] | None) -> dict[str, str]:
    pairs = {}
    for pair in given or []:
        name, sign, value = pair.partition("=")
        if not sign:
            raise UsageError(f"{pair[:60]!r} is not NAME=VALUE.")
        pairs[name] = value
    return pairs


def _what(run: dict[str, Any]) -> str:
    return str(run.get("s3_pattern") or run.get("manifest_url") or run.get("inventory_date"))


def _add_commands(group: typer.Typer, kind: RunKind) -> None:
    """The commands that both kinds of runs have, and pause and resume where the kind has them."""

    def list_(
        limit: Annotated[int, typer.Option("--limit", min=1, max=1000, help="At most so many.")] = 25,
        as_json: AsJson = False,
    ) -> None:
        _list(kind, limit, as_json)

    def show(run: Run, as_json: AsJson = False) -> None:
        _show(kind, run, as_json)

    def logs(
        run: Run,
        batch: Batch = None,
        limit: Annotated[int, typer.Option("--limit", min=1, max=200, help="At most so many, the newest.")] = 50,
        follow: Annotated[bool, typer.Option("--follow", "-f", help="Go on until the run has ended.")] = False,
        as_json: AsJson = False,
    ) -> None:
        _logs(kind, run, batch, limit, follow, as_json)

    group.command("list", help="List the newest runs.")(list_)
    group.command("show", help="Show one run: state, counts, times, batches.")(show)
    group.command("logs", help="Show the logs of its chunks, or follow them as they come.")(logs)
    deeds: dict[Deed, str] = {
        "pause": "Stop after the chunks under way; `resume` goes on behind them.",
        "resume": "Go on where the run was paused.",
        "cancel": "End a run: inserts under way are killed, what got in stays.",
        "delete": "Delete the record of a run that has ended, not what it loaded.",
    }
    for deed, meaning in deeds.items():
        if kind == "inventory" or deed in {"cancel", "delete"}:
            group.command(deed, help=meaning)(_deed_command(kind, deed))


def _deed_command(kind: RunKind, deed: Deed) -> Any:
    def command(run: Run, as_json: AsJson = False) -> None:
        _deed(kind, run, deed, as_json)

    return command


_add_commands(manual, "manual")
_add_commands(inventory, "inventory")


@manual.command("retry")
def retry_manual(run: Run, as_json: AsJson = False) -> None:
    """Let a failed run go on behind its last completed chunk."""
    _deed("manual", run, "retry", as_json)


@inventory.command("retry")
def retry_inventory(
    run: Run,
    batch: Annotated[
        int | None,
        typer.Option("--batch", min=1, max=_LARGEST_ID, help="Only this batch, also while the run goes on."),
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Let the failed batches of a run (or one of them) go on behind their last completed chunk."""
    if batch is None:
        _deed("inventory", run, "retry", as_json)
        return
    from schoolhouse.backfill.runs import retry_batch

    with _database() as (engine, _):
        facts = retry_batch(engine, run, batch)
    if as_json:
        console.print_json(facts)
    else:
        typer.echo(f"batch {batch} of inventory run {run} is tried again")


def worker(
    threads: Annotated[int, typer.Option("--threads", min=1, max=64, help="Pieces of work at the same time.")] = 2,
    until_idle: Annotated[bool, typer.Option("--until-idle", help="Stop when nothing is left to do.")] = False,
) -> None:
    """Work on backfills, until stopped by Ctrl-C or SIGTERM. As many workers as wanted may share one database.

    A worker that is killed loses nothing: its work is taken over behind its last completed chunk.
    """
    import signal

    from schoolhouse.backfill.worker import Worker

    with _database() as (engine, settings):
        working = Worker(engine, settings, threads=threads)
        for number in (signal.SIGINT, signal.SIGTERM):
            signal.signal(number, lambda *_: working.stop())
        working.run(until_idle=until_idle)
