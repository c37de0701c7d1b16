"""`schoolhouse flag`: which parts are switched on, and for whom."""

from __future__ import annotations

from typing import Annotated

import typer

from schoolhouse.cli import console
from schoolhouse.cli.user import read_scope

app = typer.Typer(cls=console.Commands, help="Feature flags: what is switched on, and for whom.", no_args_is_help=True)

AsJson = Annotated[bool, typer.Option("--json", help="Print the answer as JSON.")]


@app.command("list")
def list_all(as_json: AsJson = False) -> None:
    """List the flags with their shares and choices.

    Example: schoolhouse flag list
    """
    from schoolhouse.accounts.flags import list_flags

    with console.database() as engine:
        found = list_flags(engine)
    if as_json:
        console.print_json(found)
    else:
        rows = [[", ".join(map(str, v)) if isinstance(v, list) else v for v in flag.values()] for flag in found]
        console.print_table("Flags", ("flag", "what it switches", "share %", "on for", "off for"), rows)


@app.command("set")
def set_flag(
    flag: Annotated[str, typer.Argument(help="Name of the flag.")],
    share: Annotated[int | None, typer.Option("--share", min=0, max=100, help="Percent of subjects.")] = None,
    on: Annotated[str, typer.Option("--on", help="Switch it on for this subject: 42@https://torus.example.")] = "",
    off: Annotated[str, typer.Option("--off", help="Switch it off for this subject.")] = "",
    by_share: Annotated[
        str, typer.Option("--by-share", help="Let the share decide again for this subject, as `flag list` shows it.")
    ] = "",
) -> None:
    """Switch a flag on for a share of subjects, or on or off for one.

    A subject is a section or project, or, for clickhouse-olap and clickhouse-olap-bulk-ingest, an account's name.

    Example: schoolhouse flag set section-analytics --share 5 --on 42@https://torus.example
    """
    from schoolhouse.accounts.flags import choose, set_share
    from schoolhouse.errors import UsageError

    if share is None and not (on or off or by_share):
        raise UsageError("Nothing to change.", hint="Give --share, --on, --off or --by-share.")
    with console.database() as engine:
        if share is not None:
            set_share(engine, flag, share)
        for subject, is_on in ((_subject(flag, on), True), (_subject(flag, off), False), (by_share, None)):
            if subject:
                choose(engine, flag, subject, is_on=is_on)
    list_all()


def _subject(flag: str, text: str) -> str:
    """A subject as it is looked up: a section or project in full, or the name of an account."""
    kind = {"section-analytics": "section", "project-analytics": "project"}.get(flag)
    return str(read_scope(text, kind)) if kind and text else text.strip().lower()
