"""`schoolhouse token`: what programs sign in with."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Annotated

import typer

from schoolhouse.cli import console

app = typer.Typer(cls=console.Commands, help="API tokens: what programs sign in with.", no_args_is_help=True)

AsJson = Annotated[bool, typer.Option("--json", help="Print the answer as JSON.")]


@app.command()
def create(
    account: Annotated[str, typer.Argument(help="The account that the token stands for.")],
    name: Annotated[str, typer.Option("--name", help="What the token is for.")] = "command line",
    days: Annotated[int | None, typer.Option("--days", min=1, max=3650, help="Days until it expires.")] = None,
    as_json: AsJson = False,
) -> None:
    """Create a token and print it, which happens this once.

    A program sends it as `Authorization: Bearer TOKEN`, and may do what the account may do.

    Example: schoolhouse token create ann@school.example --name "nightly report" --days 90
    """
    from schoolhouse.accounts.tokens import create_token

    with console.database() as engine:
        facts = {"account": account, "name": name, "token": create_token(engine, account, name, days=days)}
    if as_json:
        console.print_json(facts)
    else:
        console.print_facts("New token; keep it, it is not shown again", facts)


@app.command("list")
def list_all(as_json: AsJson = False) -> None:
    """List the tokens, without their secrets.

    Example: schoolhouse token list
    """
    from schoolhouse.accounts.tokens import list_tokens

    with console.database() as engine:
        found = [
            {
                "id": token.id,
                "account": token.account,
                "name": token.name,
                "created_at": _time(token.created_at),
                "expires_at": _time(token.expires_at),
                "last_used_at": _time(token.last_used_at),
            }
            for token in list_tokens(engine)
        ]
    if as_json:
        console.print_json(found)
    else:
        columns = ("id", "account", "name", "created_at", "expires_at", "last_used_at")
        console.print_table("Tokens (times in UTC)", columns, [list(token.values()) for token in found])


@app.command()
def revoke(
    token_id: Annotated[int, typer.Argument(min=1, max=2**63 - 1, help="Its number, from `token list`.")],
) -> None:
    """Make a token worthless, at once.

    Example: schoolhouse token revoke 3
    """
    from schoolhouse.accounts.tokens import revoke_token

    with console.database() as engine:
        revoke_token(engine, token_id)
    console.print_facts("", {"revoked": token_id})


def _time(seconds: float | None) -> str | None:
    return None if seconds is None else datetime.fromtimestamp(seconds, UTC).isoformat(timespec="seconds")
