"""`lake`: what a manager of the lake does every day; how windows get into it stands in `lake_windows`."""

from __future__ import annotations

import sys
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from schoolhouse.cli import console, lake_windows
from schoolhouse.cli.lake_windows import MOST_DAYS, AsJson, opened_lake

if TYPE_CHECKING:
    from schoolhouse.lake.retention import Expired
    from schoolhouse.lake.summary import Held

app = typer.Typer(
    cls=console.Commands,
    help="The lake: hourly windows from Kafka, validated, into Delta tables; their upkeep and reports.",
    no_args_is_help=True,
)

DryRun = Annotated[bool, typer.Option("--dry-run", help="Only tell what would go.")]

app.command()(lake_windows.run)
app.command(name="backfill")(lake_windows.load_history)
app.command()(lake_windows.follow)
app.command()(lake_windows.status)


@app.command(name="summary")
def storage(as_json: AsJson = False) -> None:
    """Show every table of the lake: rows, files, bytes, days."""
    from schoolhouse.lake import summary

    held = summary.summary(opened_lake())
    if as_json:
        console.print_json([asdict(one) for one in held])
        return
    # Two tables, because a terminal has no room for all of it in one.
    console.print_table(
        "the lake",
        ["table", "rows", "files", "size", "kept (days)"],
        [(_name(one), one.rows, one.files, console.size(one.size_bytes), one.keep_days or "for ever") for one in held],
    )
    console.print_table(
        "its days",
        ["table", "days", "largest", "oldest", "newest"],
        [
            (_name(one), one.partitions, console.size(one.largest_partition_bytes), one.oldest, one.newest)
            for one in held
        ],
    )


@app.command()
def cleanup(dry_run: DryRun = False, as_json: AsJson = False) -> None:
    """Drop what is older than its zone keeps.

    And files that no table names any more.
    """
    from schoolhouse.lake import retention

    expired = retention.cleanup(opened_lake(), dry_run=dry_run)
    if as_json:
        console.print_json([asdict(one) for one in expired])
        return
    console.print_table(
        "would go" if dry_run else "gone",
        ["table", "before", "rows", "days", "size"],
        [(_name(one), one.before, one.rows, one.days, console.size(one.size_bytes)) for one in expired],
    )
    console.print_table(
        "files that no table names, and what could lie on cheaper storage",
        ["table", "unnamed", "cool", "hint"],
        [(_name(one), one.unnamed_files, console.size(one.cool_bytes), one.storage_class) for one in expired],
    )


@app.command()
def lifecycle() -> None:
    """Print rules that move seldom-read files to cheaper storage.

    In the form of the bucket's provider.
    """
    from schoolhouse.lake import retention

    console.print_json(retention.lifecycle(opened_lake()))


@app.command()
def compact(as_json: AsJson = False) -> None:
    """Join the small files of every table, and write checkpoints."""
    from schoolhouse.lake import upkeep

    done = upkeep.compact(opened_lake())
    if as_json:
        console.print_json([asdict(one) for one in done])
    else:
        rows = [(one.zone, one.table, one.files_before, one.files_after) for one in done]
        console.print_table("joined", ["zone", "table", "files before", "files after"], rows)


@app.command()
def validate(
    dataset: Annotated[str, typer.Argument(metavar="DATASET", help="Such as user_attempts.")],
    days: Annotated[int, typer.Option("--days", min=1, max=MOST_DAYS, help="Days up to now (or --until).")] = 7,
    until: Annotated[str, typer.Option("--until", help="The day or hour before which to stop.")] = "",
    as_json: AsJson = False,
) -> None:
    """Check the stored rows of a dataset, day by day.

    Exits 1 when a day is critical.

    Example: schoolhouse lake validate user_attempts --days 7
    """
    from schoolhouse.lake import integrity
    from schoolhouse.lake.clock import read_moment

    checked = integrity.validate(opened_lake(), dataset, days, until=read_moment(until) if until else None)
    if as_json:
        console.print_json([asdict(one) for one in checked])
    else:
        rows = [(one.day, one.rows, one.score, one.level, "; ".join(one.problems) or None) for one in checked]
        console.print_table(dataset, ["day", "rows", "score", "level", "problems"], rows)
    if any(one.is_broken for one in checked):
        raise typer.Exit(1)


@app.command()
def report(
    days: Annotated[int, typer.Option("--days", min=1, max=MOST_DAYS, help="Days up to now (or --until).")] = 30,
    until: Annotated[str, typer.Option("--until", help="The day or hour before which to stop.")] = "",
    html: Annotated[
        Path | None, typer.Option("--html", help="Also write the report, with plots, to this file.")
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Tell how the lake did: windows, times, volumes, quality.

    As tables, JSON, or a page with plots.

    Example: schoolhouse lake report --days 30 --html report.html
    """
    from schoolhouse.lake.clock import read_moment
    from schoolhouse.lake.usage import usage
    from schoolhouse.lake.usage_page import page

    used = usage(opened_lake(), days, until=read_moment(until) if until else None)
    if html is not None:
        html.write_text(page(used), encoding="utf-8")
    if as_json:
        console.print_json(asdict(used))
        return
    columns = ["dataset", "windows", "failed", "success", "messages", "rows", "duplicate", "late", "poison"]
    columns += ["per hour", "seconds", "p95", "score", "failed checks", "anomalies", "schema"]
    console.print_turned(
        f"{used.since:%Y-%m-%d %H:%M} to {used.until:%Y-%m-%d %H:%M}",
        columns,
        [
            (
                one.dataset,
                one.windows,
                one.failures,
                one.success_rate,
                one.messages,
                one.rows,
                one.duplicates,
                one.late,
                one.poison,
                round(one.records_per_hour),
                one.seconds_mean,
                one.seconds_p95,
                one.score_mean,
                one.validation_failures,
                one.anomalies,
                one.schema_compliance,
            )
            for one in used.datasets
        ],
    )
    console.print_table(
        "stored in these days",
        ["zone", "table", "days", "rows", "size", "a day"],
        [
            (one.zone, one.table, one.days, one.rows, console.size(one.size_bytes), console.size(one.bytes_per_day))
            for one in used.growth
        ],
    )


@app.command()
def metrics() -> None:
    """Print the lake's figures in Prometheus's text form.

    For a file that a node exporter reads.
    """
    from schoolhouse.lake.metrics import exposition

    print(exposition(opened_lake()), end="")


@app.command()
def erase(dry_run: DryRun = False, as_json: AsJson = False) -> None:
    """Erase one learner from every zone.

    The identifier is read from standard input, so that no list of processes shows it.

    Example: schoolhouse lake erase < learner.txt
    """
    from schoolhouse.accounts.audit import AuditLog
    from schoolhouse.errors import UsageError
    from schoolhouse.lake.erasure import erase as erase_learner
    from schoolhouse.lake.zones import mapped_reads

    learner = sys.stdin.readline().strip()
    if not learner:
        raise UsageError("No learner was given.", hint="Write the identifier to standard input.")
    lake = opened_lake()
    with mapped_reads("the lake"):
        erased = erase_learner(lake, learner, dry_run=dry_run)
    if not dry_run:
        with console.database() as engine:
            rows = sum(one.rows for one in erased)
            AuditLog(engine).did("operator", "erase learner from the lake", lake.root, f"{rows} rows")
    if as_json:
        console.print_json([asdict(one) for one in erased])
    else:
        lines = [(one.zone, one.table, one.rows, one.days) for one in erased]
        console.print_table("would go" if dry_run else "erased", ["zone", "table", "rows", "days"], lines)


@app.command()
def tables(as_json: AsJson = False) -> None:
    """Make ClickHouse tables over the lake.

    SQL and charts then join it with `raw_events`.
    """
    from schoolhouse.lake import clickhouse
    from schoolhouse.warehouse.connection import open_warehouse

    settings = console.settings()
    with open_warehouse(settings, who="lake tables") as warehouse:
        made = clickhouse.create(warehouse, opened_lake())
    if as_json:
        console.print_json([asdict(one) for one in made])
    else:
        console.print_table("tables", ["table", "reads"], [(one.name, one.address) for one in made])


@app.command()
def fit(
    days: Annotated[int, typer.Option("--days", min=1, max=MOST_DAYS, help="Attempts of the last days.")] = 90,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Only tell what would be used.")] = False,
    as_json: AsJson = False,
) -> None:
    """Fit the learner models to stored attempts.

    BKT by topic, IRT by question; the next windows use them.
    """
    from schoolhouse.lake import fitted

    lake = opened_lake()
    found = fitted.fit_lake(lake, days)
    if not dry_run:
        fitted.keep(lake, found)
    if as_json:
        console.print_json(found.as_json() | {"kept": not dry_run})
        return
    columns = found.bkt.columns
    console.print_table("topics (BKT)", columns, [[_rounded(value) for value in row] for row in found.bkt.rows()])
    console.print_facts(
        "questions (IRT)",
        {
            "questions": found.irt.height,
            "median discrimination": _rounded(found.irt["discrimination"].median()),
            "median difficulty": _rounded(found.irt["difficulty"].median()),
        },
    )


def _name(one: Held | Expired) -> str:
    return f"{one.zone}/{one.table}"


def _rounded(value: Any) -> Any:
    return round(value, 3) if isinstance(value, float) else value
