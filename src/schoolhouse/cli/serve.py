"""`schoolhouse serve`: the pages and the API."""

from __future__ import annotations

from typing import Annotated

import typer

from schoolhouse.cli import console
from schoolhouse.errors import UsageError, install_hint


def serve(
    host: Annotated[
        str | None, typer.Option(help="Address to listen on [SCHOOLHOUSE_WEB_HOST, default 127.0.0.1].")
    ] = None,
    port: Annotated[
        int | None,
        typer.Option(min=0, max=65535, help="Port; 0 finds a free one [SCHOOLHOUSE_WEB_PORT, default 8000]."),
    ] = None,
) -> None:
    """Serve the pages and the API over the warehouse, until Ctrl-C."""
    settings = console.settings(web_host=host, web_port=port)
    try:
        from schoolhouse.web import serving
    except ModuleNotFoundError as error:
        if (error.name or "").startswith("schoolhouse"):
            raise
        raise UsageError(f"The pages need {error.name}, which is not installed.", hint=install_hint("web")) from None
    serving.serve(settings, announce=_announce)


def _announce(address: str) -> None:
    typer.echo(f"Schoolhouse serves on {address} (stop it with Ctrl-C)")
