"""The command line: one module a group of commands.

Doors only: a command parses its arguments, calls one function of the layers below, and formats the answer. Heavy
imports stand inside the commands, so `schoolhouse --help` answers at once.
"""

from __future__ import annotations

import sys

import typer

from schoolhouse.cli import (
    backfill,
    chart,
    console,
    demo,
    doctor,
    etl,
    flag,
    ingest,
    lake,
    learner,
    pipeline,
    query,
    serve,
    simulate,
    token,
    user,
    warehouse,
    xapi,
)

app = typer.Typer(
    cls=console.Commands,
    name="schoolhouse",
    rich_markup_mode=None,  # plain help: rich alone takes longer to import than all of ours
    help="Learning analytics on xAPI statements: collect them, keep each one once, and answer questions.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    add_completion=True,
)


@app.callback(invoke_without_command=True)
def common(
    version: bool = typer.Option(False, "--version", help="Show the version and stop."),
    verbose: bool = typer.Option(False, "--verbose", "-v", help="Log what happens (LOG_LEVEL=DEBUG)."),
    quiet: bool = typer.Option(False, "--quiet", "-q", help="No progress bars, and only errors in the log."),
) -> None:
    """Options that every command shares."""
    if version:
        from schoolhouse import __version__

        typer.echo(f"schoolhouse {__version__}")
        raise typer.Exit
    console.configure(verbose=verbose, quiet=quiet)


app.command(short_help="Make a small campus, load it, and show it.")(demo.demo)
app.command()(serve.serve)
app.command()(backfill.worker)
app.command(short_help="Load statements, each once however often it comes.")(ingest.ingest)
app.command(short_help="Judge statements without loading them.")(ingest.validate)
app.command(short_help="Map every stored statement anew, and swap the result in.")(warehouse.reprocess)
app.command()(query.query)
app.command(short_help="Show one chart as a table, or write it to a file.")(chart.chart)
app.command(short_help="Write every chart of a section or project to files.")(chart.export)
app.command(short_help="Test the warehouse, the database, and the bucket, queues and Kafka if set.")(doctor.doctor)
app.add_typer(warehouse.app, name="warehouse")
app.add_typer(etl.app, name="etl", short_help="Bundles from S3 into the warehouse, singly, in bulk or from a queue.")
app.add_typer(backfill.app, name="backfill", short_help="History into the warehouse: runs to pause, resume and retry.")
app.add_typer(pipeline.app, name="pipeline", short_help="The upload pipeline: what waits, and delivering it.")
app.add_typer(xapi.app, name="xapi")
app.add_typer(user.app, name="user")
app.add_typer(token.app, name="token")
app.add_typer(flag.app, name="flag")
app.add_typer(learner.app, name="learner")
app.add_typer(simulate.app, name="simulate")
app.add_typer(lake.app, name="lake", short_help="The lake: hourly windows from Kafka into Delta tables.")


def main() -> None:
    """Entry point of `schoolhouse`: exit 0 when it worked, 1 when a job failed, 2 for bad usage or settings."""
    sys.exit(console.guarded(app))
