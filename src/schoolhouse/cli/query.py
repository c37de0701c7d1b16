"""`query`: the operator's own question, read-only and over everything."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Annotated, Final

import typer

from schoolhouse.cli import console

# Numbers are numbers in JSON, also those that JavaScript would round.
_OUTPUT: Final = {"output_format_json_quote_64bit_integers": 0}


def query(
    sql: Annotated[str, typer.Argument(help="One SELECT in ClickHouse's SQL.")],
    as_json: Annotated[bool, typer.Option("--json", help="Print a list of row objects.")] = False,
    as_csv: Annotated[bool, typer.Option("--csv", help="Print CSV with a header.")] = False,
    section: Annotated[
        str, typer.Option("--section", help="Ask as an instructor of this section would: a slug or number.")
    ] = "",
    project: Annotated[
        str, typer.Option("--project", help="Ask as an author of this project would: a slug or number.")
    ] = "",
) -> None:
    """Ask the warehouse one question in SQL. Read-only; sees every section, or one section or project.

    Read events with FINAL, or resent statements may count twice until the engine has merged them. With --section or
    --project each statement counts once by itself, and docs/custom-sql.md says what may be asked.

    Example: schoolhouse query "SELECT event_type, count() FROM raw_events FINAL GROUP BY event_type"
    Example: schoolhouse query --section 42@torus.example "SELECT uniq(user_id) FROM raw_events"
    """
    from schoolhouse.errors import UsageError

    if as_json and as_csv:
        raise UsageError("--json and --csv exclude each other.")
    output_format = "CSVWithNames" if as_csv else "JSON"
    if section and project:
        raise UsageError("--section and --project exclude each other.")
    if section or project:
        answer = _ask_scoped(sql, output_format, section=section, project=project)
    else:
        answer = ask_operator(sql.strip().rstrip(";"), output_format)
    if as_csv:
        typer.echo(answer.decode("utf-8", errors="replace"), nl=False)
        return
    document = json.loads(answer)
    if as_json:
        console.print_json(document["data"])
        return
    columns = [column["name"] for column in document["meta"]]
    rows = [[row[name] for name in columns] for row in document["data"]]
    console.print_table("", columns, rows, separators=False)
    typer.echo(f"{document['rows']:,} rows", err=True)


def _ask_scoped(sql: str, output_format: str, *, section: str, project: str) -> bytes:
    from schoolhouse.analytics.projects import find_project
    from schoolhouse.analytics.readers import Readers
    from schoolhouse.analytics.scoped_sql.asking import ask_scoped_bytes
    from schoolhouse.analytics.scoped_sql.scopes import project_scope, section_scope
    from schoolhouse.analytics.sections import find_section
    from schoolhouse.web.running import post_to_serve

    settings = console.settings()
    if settings.is_embedded:
        body = {"sql": sql, "format": output_format, "section": section, "project": project}
        answer = post_to_serve(settings, "/api/query", body)
        if answer is not None:
            return answer
    readers = Readers(settings, size=1)
    try:
        if section:
            scope = section_scope(find_section(readers, section, who="query"))
        else:
            scope = project_scope(find_project(readers, project, who="query"))
        return ask_scoped_bytes(settings, sql, scope, who="query", output_format=output_format, sees_identifiers=True)
    finally:
        readers.close()


def ask_operator(sql: str, output_format: str, parameters: Mapping[str, int | str] | None = None) -> bytes:
    """Ask the operator's own question: through a running `serve`, or of the warehouse itself."""
    from schoolhouse.warehouse.connection import open_warehouse
    from schoolhouse.web.running import ask_through_serve

    settings = console.settings()
    if settings.is_embedded:
        answer = ask_through_serve(settings, sql, output_format, parameters)
        if answer is not None:
            return answer
    with open_warehouse(settings, role="reader", who="query") as warehouse:
        return warehouse.ask_bytes(sql, parameters, output_format=output_format, why="query", limits=_OUTPUT)
