"""`query`: the operator's own question, read-only and over everything."""

from __future__ import annotations

import json
from typing import Annotated, Final

import typer

from schoolhouse.cli import console

# Numbers are numbers in JSON, also those that JavaScript would round.
_OUTPUT: Final = {"output_format_json_quote_64bit_integers": 0}


def query(
    sql: Annotated[str, typer.Argument(help="One SELECT in ClickHouse's SQL.")],
    as_json: Annotated[bool, typer.Option("--json", help="Print a list of row objects.")] = False,
    as_csv: Annotated[bool, typer.Option("--csv", help="Print CSV with a header.")] = False,
) -> None:
    """Ask the warehouse one question in SQL. Read-only; sees every section.

    Read events with FINAL, or resent statements may count twice until the engine has merged them.

    Example: schoolhouse query "SELECT event_type, count() FROM raw_events FINAL GROUP BY event_type"
    """
    from schoolhouse.errors import UsageError

    if as_json and as_csv:
        raise UsageError("--json and --csv exclude each other.")
    output_format = "CSVWithNames" if as_csv else "JSON"
    answer = _ask(sql.strip().rstrip(";"), output_format)
    if as_csv:
        typer.echo(answer.decode("utf-8", errors="replace"), nl=False)
        return
    document = json.loads(answer)
    if as_json:
        console.print_json(document["data"])
        return
    columns = [column["name"] for column in document["meta"]]
    console.print_table("", columns, [[row[name] for name in columns] for row in document["data"]])
    typer.echo(f"{document['rows']:,} rows", err=True)


def _ask(sql: str, output_format: str) -> bytes:
    from schoolhouse.warehouse.connection import open_warehouse
    from schoolhouse.web.running import ask_through_serve

    settings = console.settings()
    if settings.is_embedded:
        answer = ask_through_serve(settings, sql, output_format)
        if answer is not None:
            return answer
    with open_warehouse(settings, role="reader", who="query") as warehouse:
        return warehouse.ask_bytes(sql, output_format=output_format, why="query", limits=_OUTPUT)
