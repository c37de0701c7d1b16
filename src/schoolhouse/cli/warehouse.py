"""`warehouse …`: set up, migrate, inspect, check, optimize, back up and restore; and `reprocess`."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from schoolhouse.cli import console

app = typer.Typer(cls=console.Commands, no_args_is_help=True, help="Set up and look after the warehouse.")
migrate = typer.Typer(
    cls=console.Commands,
    no_args_is_help=False,
    invoke_without_command=True,
    help="Create and change the tables, step by step.",
)
app.add_typer(migrate, name="migrate")

AsJson = Annotated[bool, typer.Option("--json", help="Print the answer as JSON.")]


@app.command()
def setup(
    pseudonymous: Annotated[
        bool,
        typer.Option("--pseudonymous", help="Keep no actor, only pseudonyms; chosen before the first statement."),
    ] = False,
    as_json: AsJson = False,
) -> None:
    """Create the database and its tables, or bring them up to date; sets retention from the settings.

    Safe to run again at any time. Nothing else creates tables.
    """
    from schoolhouse.analytics.scoped_sql import row_policies
    from schoolhouse.warehouse import migrations
    from schoolhouse.warehouse.connection import open_warehouse
    from schoolhouse.warehouse.maintenance import apply_retention
    from schoolhouse.warehouse.pseudonyms import choose_pseudonyms, is_pseudonymous

    settings = console.settings()
    with open_warehouse(settings, who="setup", must_exist=False) as warehouse:
        done = migrations.up(warehouse)
        retention = apply_retention(warehouse)
        if pseudonymous:
            choose_pseudonyms(warehouse)
        if settings.clickhouse_questions_user and not warehouse.is_embedded:
            row_policies.apply(warehouse)
        where = str(settings.warehouse_dir) if warehouse.is_embedded else settings.clickhouse_host
        facts = {
            "engine": "embedded" if warehouse.is_embedded else "server",
            "where": where,
            "database": warehouse.database,
            "migrations_run": len(done),
            "migrations": len(migrations.available()),
            "retention_months": retention,
            "pseudonymous": is_pseudonymous(warehouse),
        }
    if as_json:
        console.print_json(facts)
    else:
        kept = ", ".join(f"{table} {months}" for table, months in retention.items() if months)
        console.print_facts("The warehouse is ready", {**facts, "retention_months": kept or "kept for ever"})


@app.command()
def access() -> None:
    """Print the grants and row policies of CLICKHOUSE_QUESTIONS_USER, for an administrator to run.

    `warehouse setup` runs them itself where CLICKHOUSE_USER may manage access.
    """
    from schoolhouse.analytics.scoped_sql import row_policies

    for sql in row_policies.statements(console.settings()):
        typer.echo(f"{sql.strip()};\n")


@migrate.callback()
def migrate_default(
    context: typer.Context, plan: Annotated[bool, typer.Option("--plan", help="Show what `up` would run.")] = False
) -> None:
    """Without a command, the state of every migration; with --plan, the statements that would run."""
    if context.invoked_subcommand:
        return
    if plan:
        migrate_plan()
    else:
        migrate_status()


@migrate.command("plan")
def migrate_plan() -> None:
    """Show the statements that `up` would run, and run none of them."""
    from schoolhouse.warehouse import migrations
    from schoolhouse.warehouse.connection import open_warehouse

    with open_warehouse(console.settings(), who="migrate") as warehouse:
        steps = migrations.plan(warehouse)
    for migration, statements in steps:
        typer.echo(f"-- {migration.version:04}_{migration.name}: {migration.title}")
        for sql in statements:
            typer.echo(f"{sql};\n")
    if not steps:
        typer.echo("Nothing to run: every migration has been applied.")


@migrate.command("status")
def migrate_status(as_json: AsJson = False) -> None:
    """Show every migration: applied, pending, changed since it ran, or unknown to this program."""
    from schoolhouse.warehouse import migrations
    from schoolhouse.warehouse.connection import open_warehouse

    with open_warehouse(console.settings(), who="migrate") as warehouse:
        states = migrations.status(warehouse)
    if as_json:
        console.print_json([state.__dict__ for state in states])
        return
    rows = [[f"{state.version:04}", state.name, state.state, state.applied_at] for state in states]
    console.print_table("Migrations", ["version", "name", "state", "applied at (UTC)"], rows)


@migrate.command("up")
def migrate_up() -> None:
    """Apply every pending migration, in order."""
    from schoolhouse.warehouse import migrations
    from schoolhouse.warehouse.connection import open_warehouse

    with open_warehouse(console.settings(), who="migrate", must_exist=False) as warehouse:
        done = migrations.up(warehouse, on_step=_print_step)
    typer.echo(f"{len(done)} migrations applied.")


@migrate.command("down")
def migrate_down(
    steps: Annotated[int, typer.Option(min=1, help="How many migrations to take back.")] = 1,
    yes: Annotated[bool, typer.Option("--yes", help="Do not ask.")] = False,
) -> None:
    """Take the newest migrations back. Tables that they made go, with their rows."""
    from schoolhouse.warehouse import migrations
    from schoolhouse.warehouse.connection import open_warehouse

    if not yes:
        typer.confirm(f"Take back {steps} migration(s) and lose the rows of their tables?", abort=True)
    with open_warehouse(console.settings(), who="migrate") as warehouse:
        done = migrations.down(warehouse, steps=steps, on_step=_print_step)
    typer.echo(f"{len(done)} migrations taken back.")


@migrate.command("redo")
def migrate_redo(yes: Annotated[bool, typer.Option("--yes", help="Do not ask.")] = False) -> None:
    """Take the newest migration back and apply it again."""
    from schoolhouse.warehouse import migrations
    from schoolhouse.warehouse.connection import open_warehouse

    if not yes:
        typer.confirm("Redo the newest migration and lose the rows of its table?", abort=True)
    with open_warehouse(console.settings(), who="migrate") as warehouse:
        migrations.redo(warehouse, on_step=_print_step)


def _print_step(action: str, name: str) -> None:
    typer.echo(f"{action:4} {name}")


@app.command()
def health(as_json: AsJson = False) -> None:
    """Version, uptime, migrations, newest event, and the size of every table."""
    from schoolhouse.warehouse import health as questions
    from schoolhouse.warehouse.connection import open_warehouse

    with open_warehouse(console.settings(), role="reader", who="health") as warehouse:
        facts = questions.read_health(warehouse)
        tables = questions.list_table_sizes(warehouse)
    if as_json:
        console.print_json({**facts, "tables": tables})
        return
    console.print_facts("Warehouse", facts)
    rows = [[t["table"], t["rows"], console.size(t["bytes"]), t["parts"], t["partitions"]] for t in tables]
    console.print_table("Tables", ["table", "rows", "size", "parts", "partitions"], rows)


@app.command()
def metrics(
    question: Annotated[str, typer.Option(help="Only this question; see the list with --names.")] = "",
    names: Annotated[bool, typer.Option("--names", help="List the questions and stop.")] = False,
    as_json: AsJson = False,
) -> None:
    """The sample questions about the whole warehouse: engagement, attempts, pages, sections, event types.

    Each reads every event once, so time grows with the warehouse.
    """
    from schoolhouse.errors import UsageError
    from schoolhouse.warehouse import health as questions
    from schoolhouse.warehouse.connection import open_warehouse

    known = questions.question_names()
    if names:
        typer.echo("\n".join(known))
        return
    if question and question not in known:
        raise UsageError(f"There is no question {question!r}.", hint=f"Known: {', '.join(known)}.")
    with open_warehouse(console.settings(), role="reader", who="metrics") as warehouse:
        answers = {name: questions.ask_question(warehouse, name) for name in ([question] if question else known)}
    if as_json:
        console.print_json({name: rows for name, (_, rows) in answers.items()})
        return
    for title, rows in answers.values():
        console.print_table(title, list(rows[0]) if rows else ["no rows"], [list(row.values()) for row in rows])


@app.command()
def check(as_json: AsJson = False) -> None:
    """Check the data: duplicates, timestamps, rejects, unknown types, conflicts, loads cut off.

    Exits 1 when a check fails. Up to 1 % of rejected lines and 5 % of events of type `other` are tolerated.
    """
    from schoolhouse.warehouse import health as questions
    from schoolhouse.warehouse.connection import open_warehouse

    with open_warehouse(console.settings(), role="reader", who="check") as warehouse:
        checks = questions.run_checks(warehouse)
    if as_json:
        console.print_json([each.as_dict() for each in checks])
    else:
        rows = [["ok" if c.passed else "FAILED", c.title, c.offenders, c.examined, c.name] for c in checks]
        console.print_table("Checks", ["", "check", "offenders", "examined", "name"], rows)
    if not all(each.passed for each in checks):
        raise typer.Exit(1)


@app.command()
def optimize() -> None:
    """Merge the parts of each partition, so that questions run faster. Takes about as long as loading did."""
    from schoolhouse.warehouse.connection import open_warehouse
    from schoolhouse.warehouse.maintenance import optimize as merge

    with open_warehouse(console.settings(), who="optimize") as warehouse:
        merged = merge(warehouse, on_step=typer.echo)
    typer.echo(f"{merged} partitions merged.")


@app.command()
def backup(folder: Annotated[Path, typer.Argument(help="A new directory for the backup.")]) -> None:
    """Write every table into a directory, with checksums."""
    from schoolhouse.warehouse.backup import back_up
    from schoolhouse.warehouse.connection import open_warehouse
    from schoolhouse.warehouse.pseudonyms import FILE_NAME

    with open_warehouse(console.settings(), role="reader", who="backup") as warehouse:
        manifest = back_up(warehouse, folder, on_file=lambda name, size: typer.echo(f"{name}  {console.size(size)}"))
    rows = sum(entry["rows"] for entries in manifest["tables"].values() for entry in entries)
    typer.echo(f"{rows:,} rows of {len(manifest['tables'])} tables are in {folder}.")
    if manifest["pseudonymous"]:
        typer.echo(f"The key of the pseudonyms is not: keep LEARNER_PSEUDONYM_KEY or {FILE_NAME} as well.")


@app.command()
def restore(folder: Annotated[Path, typer.Argument(help="A directory that `backup` wrote.")]) -> None:
    """Fill an empty warehouse from a backup, after checking its checksums."""
    from schoolhouse.warehouse.backup import restore as refill
    from schoolhouse.warehouse.connection import open_warehouse

    with open_warehouse(console.settings(), who="restore", must_exist=False) as warehouse:
        manifest = refill(warehouse, folder, on_file=lambda name, size: typer.echo(f"{name}  {console.size(size)}"))
    typer.echo(f"Restored the backup of {manifest['created_at']}.")


def reprocess(as_json: AsJson = False) -> None:
    """Map every stored statement anew, beside the live tables, then swap them in. Nothing that arrives is lost.

    Needed after an upgrade that changes the mapping. Takes about as long as loading the statements did, and as much
    room again on disk meanwhile.
    """
    from schoolhouse.warehouse.connection import open_warehouse
    from schoolhouse.warehouse.maintenance import reprocess as rebuild
    from schoolhouse.warehouse.migrations import require_current

    with open_warehouse(console.settings(), who="reprocess") as warehouse:
        require_current(warehouse)
        done = rebuild(warehouse, on_step=None if as_json else typer.echo)
    if as_json:
        console.print_json(done.__dict__)
    else:
        console.print_facts("Reprocessed", done.__dict__)
