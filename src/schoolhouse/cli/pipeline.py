"""`schoolhouse pipeline`: what the upload pipeline holds, and delivering it by hand."""

from __future__ import annotations

import typer

from schoolhouse.cli import console

app = typer.Typer(
    cls=console.Commands, help="The upload pipeline: what waits in its spool, and delivering it.", no_args_is_help=True
)


@app.command()
def stats(json: bool = typer.Option(False, "--json", help="Print JSON.")) -> None:
    """Show what waits, what is under way, what was delivered, and how fast."""
    settings = console.settings()
    from schoolhouse.collect.pipeline import pipeline_stats

    found = pipeline_stats(settings)
    if json:
        console.print_json(found)
    else:
        console.print_facts("Upload pipeline", found)


@app.command()
def drain(
    timeout: int = typer.Option(600, "--timeout", min=1, help="Seconds to try for."),
    json: bool = typer.Option(False, "--json", help="Print JSON."),
) -> None:
    """Deliver everything that waits, now; exit 1 when something is left."""
    settings = console.settings(drain_seconds=0)
    from schoolhouse.collect.pipeline import Pipeline, pipeline_stats

    with Pipeline(settings) as pipeline:
        is_empty = pipeline.drain(timeout)
    found = pipeline_stats(settings)
    if json:
        console.print_json({"is_empty": is_empty, **found})
    else:
        console.print_facts("Upload pipeline", found)
    if not is_empty:
        raise typer.Exit(1)
