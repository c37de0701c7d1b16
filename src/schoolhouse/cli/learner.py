"""`schoolhouse learner`: one person's data."""

from __future__ import annotations

import sys
from typing import Annotated

import typer

from schoolhouse.cli import console

app = typer.Typer(cls=console.Commands, help="One learner's data.", no_args_is_help=True)


@app.callback()
def learner() -> None:
    """One learner's data."""


@app.command()
def erase(
    user_id: Annotated[
        str, typer.Argument(help="The learner's id, as statements name the actor; - reads it from standard input.")
    ],
    platform: Annotated[
        str, typer.Option("--platform", help="Home page of the account. Needed where several platforms have the id.")
    ] = "",
    username: Annotated[
        str, typer.Option("--username", help="Open edX's user name: takes the course tables and external ids along.")
    ] = "",
    yes: Annotated[bool, typer.Option("--yes", help="Do not ask.")] = False,
    as_json: Annotated[bool, typer.Option("--json", help="Print the answer as JSON.")] = False,
) -> None:
    """Remove one person's rows from every table, and prove it. It cannot be taken back.

    Statements that wait in the upload pipeline are delivered first: run `schoolhouse pipeline drain`. Bundles, S3 and
    backups are not touched; loading them again would bring the person back. The lake has `schoolhouse lake erase`.

    Example: schoolhouse learner erase - --platform https://torus.example --yes < id.txt
    """
    from schoolhouse.accounts.audit import AuditLog
    from schoolhouse.collect.pipeline import pipeline_stats
    from schoolhouse.errors import UsageError, WarehouseError
    from schoolhouse.warehouse.connection import open_warehouse
    from schoolhouse.warehouse.erasure import Learner, as_dicts, erase_learner, find_platforms
    from schoolhouse.warehouse.migrations import require_current

    settings = console.settings()
    if user_id == "-":
        user_id = sys.stdin.readline().strip()
    if not user_id and not username:
        raise UsageError("Whom? No id was given.")
    if pipeline_stats(settings).get("held_bytes"):
        raise UsageError("Statements wait in the upload pipeline.", hint="Run `schoolhouse pipeline drain` first.")
    if not yes:
        typer.confirm("Remove everything about this learner? It cannot be taken back.", abort=True, err=True)
    with open_warehouse(settings, who="learner erase") as warehouse:
        require_current(warehouse)
        platforms = [platform] if platform else find_platforms(warehouse, user_id)
        if len(platforms) != 1:
            problem = "Several platforms have a learner of this id." if platforms else "No platform has such a learner."
            raise UsageError(
                problem, hint="Name one with --platform" + (f": {', '.join(platforms)}." if platforms else ".")
            )
        report = erase_learner(warehouse, Learner(platforms[0], user_id, username))
    with console.database() as engine:
        AuditLog(engine).did("operator", "erase learner", platforms[0], f"{sum(each.found for each in report)} rows")
    if as_json:
        console.print_json(as_dicts(report))
    else:
        rows = [[each.table, each.found - each.left, each.left] for each in report]
        console.print_table("Erased", ("table", "rows removed", "rows left"), rows)
    if any(each.left for each in report):
        raise WarehouseError("Rows are left.", hint="Run it again when nothing is being loaded.")
