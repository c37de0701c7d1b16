"""The command line: one module a group of commands.

Doors only: a command parses its arguments, calls one function of the layers below, and formats the answer. Heavy
imports stand inside the commands, so `schoolhouse --help` answers at once.
"""

from __future__ import annotations

import sys

import typer

from schoolhouse.cli import (
    chart,
    console,
    demo,
    doctor,
    etl,
    flag,
    ingest,
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
    name="schoolhouse",
    help="Learning analytics on xAPI statements: collect them, keep each one once, and answer questions.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    add_completion=True,
    rich_markup_mode="rich",
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


app.command()(demo.demo)
app.command()(serve.serve)
app.command()(ingest.ingest)
app.command()(ingest.validate)
app.command()(warehouse.reprocess)
app.command()(query.query)
app.command()(chart.chart)
app.command()(chart.export)
app.command()(doctor.doctor)
app.add_typer(warehouse.app, name="warehouse")
app.add_typer(etl.app, name="etl")
app.add_typer(pipeline.app, name="pipeline")
app.add_typer(xapi.app, name="xapi")
app.add_typer(user.app, name="user")
app.add_typer(token.app, name="token")
app.add_typer(flag.app, name="flag")
app.add_typer(learner.app, name="learner")
app.add_typer(simulate.app, name="simulate")


def main() -> None:
    """Entry point of `schoolhouse`: exit 0 when it worked, 1 when a job failed, 2 for bad usage or settings."""
    sys.exit(console.guarded(app))
