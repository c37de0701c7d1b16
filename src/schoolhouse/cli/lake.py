"""`lake`: hourly windows from Kafka into Delta tables, and what a manager of the lake does every day."""

from __future__ import annotations

import sys
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from schoolhouse.cli import console

if TYPE_CHECKING:
    from schoolhouse.lake.backfill import Failure
    from schoolhouse.lake.window import Outcome
    from schoolhouse.lake.zones import Lake

app = typer.Typer(
    cls=console.Commands,
    help="The lake: hourly windows from Kafka, validated, into Delta tables; their upkeep and reports.",
    no_args_is_help=True,
)

AsJson = Annotated[bool, typer.Option("--json", help="Print the answer as JSON.")]
Datasets = Annotated[list[str] | None, typer.Option("--dataset", help="Only this dataset; may be given again.")]
DryRun = Annotated[bool, typer.Option("--dry-run", help="Only tell what would go.")]
Again = Annotated[bool, typer.Option("--again", help="Work once more on what is loaded or quarantined, from raw rows.")]


@app.command()
def run(
    window: Annotated[
        str, typer.Option("--window", help="The hour, such as 2024-01-31T14 (UTC); without it, what is due.")
    ] = "",
    dataset: Datasets = None,
    again: Again = False,
    catch_up: Annotated[int, typer.Option("--catch-up", min=1, help="Without --window: hours to look back.")] = 24,
    as_json: AsJson = False,
) -> None:
    """Load one window, or all that are due.

    Without --window: every closed window of the last day that is not loaded. Made for cron as it stands.

    Example: schoolhouse lake run --window 2024-01-31T14
    """
    from schoolhouse.lake import backfill
    from schoolhouse.lake.clock import read_window

    lake = _lake()
    if window:
        hour = read_window(window)
        since, until = hour.start, hour.end
    else:
        since, until = backfill.due(lake, catch_up)
    _show(list(backfill.run(lake, since, until, _names(dataset), again=again)), as_json)


@app.command(name="backfill")
def load_history(
    since: Annotated[str, typer.Option("--from", help="First hour or day, such as 2024-01-01.")],
    until: Annotated[str, typer.Option("--to", help="The hour or day before which to stop.")],
    dataset: Datasets = None,
    again: Again = False,
    as_json: AsJson = False,
) -> None:
    """Load the windows of a span of time, oldest first.

    What is loaded is skipped; what fails does not stop the rest.

    Example: schoolhouse lake backfill --from 2024-01-01 --to 2024-02-01
    """
    from schoolhouse.lake import backfill
    from schoolhouse.lake.clock import read_moment

    lake, names = _lake(), _names(dataset)
    first, last = read_moment(since), read_moment(until)
    total = max(1, int((last - first).total_seconds() // 3600) * len(names))
    results = []
    with console.progress() as bar:
        task = bar.add_task("windows", total=total, note="")
        for result in backfill.run(lake, first, last, names, again=again):
            results.append(result)
            bar.update(task, advance=1, note=f"{result.window} {result.dataset}")
    _show(results, as_json)


@app.command()
def follow(
    dataset: Datasets = None,
    rounds: Annotated[int, typer.Option("--rounds", min=0, help="Stop after this many looks; 0: never.")] = 0,
    as_json: AsJson = False,
) -> None:
    """Keep the current hour fresh, until Ctrl-C or SIGTERM.

    It looks every LAKE_FOLLOW_SECONDS.
    """
    import json
    import signal

    from schoolhouse.lake.follow import Follower

    def tell(outcome: Outcome) -> None:
        facts = _facts(outcome)
        if as_json:
            print(json.dumps(facts, default=str), flush=True)
        else:
            print(f"{facts['window']} {facts['dataset']}: {facts['rows']} rows, {facts['state']}", flush=True)

    follower = Follower(_lake(), _names(dataset), tell=tell)
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, lambda *_: follower.stop())
    follower.run(rounds=rounds)


@app.command()
def status(
    hours: Annotated[int, typer.Option("--hours", min=1, help="Hours to look back.")] = 24,
    as_json: AsJson = False,
) -> None:
    """Tell how the last windows stand, and what waits in Kafka."""
    from schoolhouse.lake import summary

    standings = summary.status(_lake(), hours)
    if as_json:
        console.print_json([asdict(one) for one in standings])
        return
    columns = ["dataset", "newest", "state", "score", "loaded", "open", "quarantined", "failed", "missing", "lag"]
    rows = [
        (
            one.dataset,
            one.newest_loaded and f"{one.newest_loaded:%Y-%m-%d %H:%M}",
            one.newest_state or None,
            one.newest_score,
            one.loaded,
            one.open,
            one.quarantined,
            one.failed,
            len(one.missing),
            one.lag,
        )
        for one in standings
    ]
    console.print_turned(f"windows of the last {hours} hours", columns, rows)


@app.command(name="summary")
def storage(as_json: AsJson = False) -> None:
    """Show every table of the lake: rows, files, bytes, days."""
    from schoolhouse.lake import summary

    held = summary.summary(_lake())
    if as_json:
        console.print_json([asdict(one) for one in held])
        return
    columns = ["table", "rows", "files", "size", "days", "largest day", "oldest", "newest", "kept (days)"]
    console.print_table(
        "the lake",
        columns,
        [
            (
                f"{one.zone}/{one.table}",
                one.rows,
                one.files,
                console.size(one.size_bytes),
                one.partitions,
                console.size(one.largest_partition_bytes),
                one.oldest,
                one.newest,
                one.keep_days or "for ever",
            )
            for one in held
        ],
    )


@app.command()
def cleanup(dry_run: DryRun = False, as_json: AsJson = False) -> None:
    """Drop what is older than its zone keeps.

    And files that no table names any more.
    """
    from schoolhouse.lake import retention

    expired = retention.cleanup(_lake(), dry_run=dry_run)
    if as_json:
        console.print_json([asdict(one) for one in expired])
        return
    columns = ["table", "kept (days)", "before", "rows", "days", "size", "unnamed files", "cool", "hint"]
    console.print_table(
        "would go" if dry_run else "gone",
        columns,
        [
            (
                f"{one.zone}/{one.table}",
                one.keep_days or "for ever",
                one.before,
                one.rows,
                one.days,
                console.size(one.size_bytes),
                one.unnamed_files,
                console.size(one.cool_bytes),
                one.storage_class,
            )
            for one in expired
        ],
    )


@app.command()
def lifecycle() -> None:
    """Print rules that move seldom-read files to cheaper storage.

    In the form of the bucket's provider.
    """
    from schoolhouse.lake import retention

    console.print_json(retention.lifecycle(_lake()))


@app.command()
def compact(as_json: AsJson = False) -> None:
    """Join the small files of every table, and write checkpoints."""
    from schoolhouse.lake import upkeep

    done = upkeep.compact(_lake())
    if as_json:
        console.print_json([asdict(one) for one in done])
    else:
        rows = [(one.zone, one.table, one.files_before, one.files_after) for one in done]
        console.print_table("joined", ["zone", "table", "files before", "files after"], rows)


@app.command()
def validate(
    dataset: Annotated[str, typer.Argument(metavar="DATASET", help="Such as user_attempts.")],
    days: Annotated[int, typer.Option("--days", min=1, help="Days up to now (or --until).")] = 7,
    until: Annotated[str, typer.Option("--until", help="The day or hour before which to stop.")] = "",
    as_json: AsJson = False,
) -> None:
    """Check the stored rows of a dataset, day by day.

    Exits 1 when a day is critical.

    Example: schoolhouse lake validate user_attempts --days 7
    """
    from schoolhouse.lake import integrity
    from schoolhouse.lake.clock import read_moment

    checked = integrity.validate(_lake(), dataset, days, until=read_moment(until) if until else None)
    if as_json:
        console.print_json([asdict(one) for one in checked])
    else:
        rows = [(one.day, one.rows, one.score, one.level, "; ".join(one.problems) or None) for one in checked]
        console.print_table(dataset, ["day", "rows", "score", "level", "problems"], rows)
    if any(one.is_broken for one in checked):
        raise typer.Exit(1)


@app.command()
def report(
    days: Annotated[int, typer.Option("--days", min=1, help="Days up to now (or --until).")] = 30,
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

    used = usage(_lake(), days, until=read_moment(until) if until else None)
    if html is not None:
        html.write_text(page(used), encoding="utf-8")
    if as_json:
        console.print_json(asdict(used))
        return
    columns = ["dataset", "windows", "failed", "success", "messages", "rows", "duplicate", "late", "poison"]
    columns += ["per hour", "seconds", "p95", "score", "anomalies"]
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
                one.anomalies,
            )
            for one in used.datasets
        ],
    )


@app.command()
def metrics() -> None:
    """Print the lake's figures in Prometheus's text form.

    For a file that a node exporter reads.
    """
    from schoolhouse.lake.metrics import exposition

    print(exposition(_lake()), end="")


@app.command()
def erase(dry_run: DryRun = False, as_json: AsJson = False) -> None:
    """Erase one learner from every zone.

    The identifier is read from standard input, so that no list of processes shows it.

    Example: schoolhouse lake erase < learner.txt
    """
    from schoolhouse.errors import UsageError
    from schoolhouse.lake.erasure import erase as erase_learner

    learner = sys.stdin.readline().strip()
    if not learner:
        raise UsageError("No learner was given.", hint="Write the identifier to standard input.")
    erased = erase_learner(_lake(), learner, dry_run=dry_run)
    if as_json:
        console.print_json([asdict(one) for one in erased])
    else:
        rows = [(one.zone, one.table, one.rows, one.days) for one in erased]
        console.print_table("would go" if dry_run else "erased", ["zone", "table", "rows", "days"], rows)


@app.command()
def tables(as_json: AsJson = False) -> None:
    """Make ClickHouse tables over the lake.

    SQL and charts then join it with `raw_events`.
    """
    from schoolhouse.lake import clickhouse
    from schoolhouse.warehouse.connection import open_warehouse

    settings = console.settings()
    with open_warehouse(settings, who="lake tables") as warehouse:
        made = clickhouse.create(warehouse, _lake())
    if as_json:
        console.print_json([asdict(one) for one in made])
    else:
        console.print_table("tables", ["table", "reads"], [(one.name, one.address) for one in made])


@app.command()
def fit(
    days: Annotated[int, typer.Option("--days", min=1, help="Attempts of the last days.")] = 90,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Only tell what would be used.")] = False,
    as_json: AsJson = False,
) -> None:
    """Fit the learner models to stored attempts.

    BKT by topic, IRT by question; the next windows use them.
    """
    from schoolhouse.lake import fitted

    lake = _lake()
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


def _rounded(value: Any) -> Any:
    return round(value, 3) if isinstance(value, float) else value


def _lake() -> Lake:
    from schoolhouse.lake.zones import lake_of

    return lake_of(console.settings())


def _names(given: list[str] | None) -> list[str]:
    from schoolhouse.errors import UsageError
    from schoolhouse.lake.window import datasets

    known = datasets()
    for name in given or []:
        if name not in known:
            raise UsageError(f"No topic becomes the dataset {name!r}.", hint=f"There are {', '.join(known)}.")
    return given or known


def _facts(outcome: Outcome) -> dict[str, Any]:
    done = outcome.done
    return {
        "dataset": outcome.dataset,
        "window": str(outcome.window),
        "did": outcome.did,
        **asdict(done),
        "seconds": round(done.seconds, 3),
        "state": outcome.state,
    }


def _show(results: list[Outcome | Failure], as_json: bool) -> None:
    """What each window came to; exit 1 if one failed."""
    from schoolhouse.lake.backfill import Failure

    failures = [one for one in results if isinstance(one, Failure)]
    facts = [_facts(one) for one in results if not isinstance(one, Failure)]
    facts += [
        {"dataset": one.dataset, "window": str(one.window), "did": "failed", "state": "failed", "error": str(one.error)}
        for one in failures
    ]
    if as_json:
        console.print_json(facts)
    else:
        columns = ["window", "dataset", "state", "rows", "notes", "score"]
        console.print_table("windows", columns, [_line(one) for one in facts])
        for failure in failures:
            console.print_problem(f"{failure.window} {failure.dataset}: {failure.error}")
    if failures:
        raise typer.Exit(1)


def _line(facts: dict[str, Any]) -> list[Any]:
    """Of a window what fits a terminal; `--json` has the rest."""
    from schoolhouse.lake.window import ALREADY

    window, dataset, state = facts["window"], facts["dataset"], facts["state"]
    if facts["did"] == ALREADY:
        return [window, dataset, f"{state} already", None, "", None]
    notes = [f"{facts[name]} {name}" for name in ("duplicates", "poison", "late", "expired") if facts.get(name)]
    score = facts.get("score")
    return [window, dataset, state, facts.get("rows"), ", ".join(notes), None if score is None else round(score, 1)]
