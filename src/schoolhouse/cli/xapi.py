"""`schoolhouse xapi`: who may send statements to `/xAPI/statements`, and read them there."""

from __future__ import annotations

from typing import Annotated

import typer

from schoolhouse.cli import console

app = typer.Typer(cls=console.Commands, help="The xAPI resource: the clients that may use it.", no_args_is_help=True)

AsJson = Annotated[bool, typer.Option("--json", help="Print the answer as JSON.")]
Name = Annotated[str, typer.Argument(help="Name of the client: letters, digits, - and _.")]


@app.command("add-client")
def add_client(
    name: Name,
    right: Annotated[str, typer.Option("--right", help="read, write, or all.")] = "all",
    as_json: AsJson = False,
) -> None:
    """Add a client and print its secret, which is shown this once.

    The client signs in with HTTP Basic (its name and secret), or with `Authorization: Bearer NAME.SECRET`.

    Example: schoolhouse xapi add-client lms --right write
    """
    from typing import cast

    from schoolhouse.collect.clients import Clients, Right

    settings = console.settings()
    secret = Clients(settings.credentials_file).add(name, cast("Right", right))
    facts = {"name": name, "right": right, "secret": secret, "token": f"{name}.{secret}"}
    if as_json:
        console.print_json(facts)
    else:
        console.print_facts("New client; keep the secret, it is not shown again", facts)


@app.command()
def clients(as_json: AsJson = False) -> None:
    """List the clients.

    Example: schoolhouse xapi clients
    """
    from schoolhouse.collect.clients import Clients

    found = [
        {"name": client.name, "right": client.right, "created_at": client.created_at}
        for client in Clients(console.settings().credentials_file).all().values()
    ]
    if as_json:
        console.print_json(found)
    else:
        console.print_table("xAPI clients", ("name", "right", "created_at"), [list(one.values()) for one in found])


@app.command("remove-client")
def remove_client(name: Name) -> None:
    """Remove a client; running servers refuse it from its next request on.

    Example: schoolhouse xapi remove-client lms
    """
    from schoolhouse.collect.clients import Clients

    Clients(console.settings().credentials_file).remove(name)
    console.print_facts("", {"removed": name})
