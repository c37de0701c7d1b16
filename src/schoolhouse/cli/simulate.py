"""`schoolhouse simulate`: statements of a simulated campus, with the truth about them."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated, Any

import typer

from schoolhouse.cli import console

app = typer.Typer(
    cls=console.Commands, no_args_is_help=True, help="Make statements of a simulated campus whose truth is known."
)

Rate = Annotated[float, typer.Option(min=0.0, max=1.0)]


@app.command()
def statements(
    out: Annotated[str, typer.Option(help="A file, a directory, or an address that smart_open takes.")],
    dialect: Annotated[str, typer.Option(help="torus or openedx.")] = "torus",
    sections: Annotated[int, typer.Option(min=0, help="Sections (course runs); 0: to fit the learners.")] = 0,
    learners: Annotated[int, typer.Option(min=0, help="Learners on the campus; 0: to fit the statements.")] = 0,
    days: Annotated[int, typer.Option(min=1, help="Days of term.")] = 56,
    number: Annotated[
        int, typer.Option("--statements", min=0, help="Good statements to make; 0: as many as the learners make.")
    ] = 0,
    seed: Annotated[int, typer.Option(min=0, help="Equal seeds make equal bytes.")] = 1,
    start: Annotated[datetime, typer.Option(formats=["%Y-%m-%d"], help="First day.")] = datetime(2025, 9, 1),  # noqa: DTZ001
    form: Annotated[
        str, typer.Option("--format", help="jsonl, jsonl.gz, jsonl.zst, csv.gz, parquet or native.")
    ] = "jsonl.gz",
    host: Annotated[str, typer.Option(help="Address of the learning platform.")] = "https://campus.example",
    duplicates: Annotated[float, typer.Option(min=0, max=1, help="Share of lines sent twice.")] = 0.0,
    late: Annotated[float, typer.Option(min=0, max=1, help="Share of lines that stand late in the file.")] = 0.0,
    skewed_clocks: Annotated[float, typer.Option(min=0, max=1, help="Share of enrolments with a wrong clock.")] = 0.0,
    malformed: Annotated[float, typer.Option(min=0, max=1, help="Share of lines that are no statement.")] = 0.0,
    missing_fields: Annotated[float, typer.Option(min=0, max=1, help="Share of lines that lack a part.")] = 0.0,
    too_long: Annotated[float, typer.Option(min=0, max=0.01, help="Share of lines of a megabyte.")] = 0.0,
    rate: Annotated[list[str] | None, typer.Option(help="Another rate, as name=value; may be repeated.")] = None,
    quirks: Annotated[
        bool, typer.Option("--quirks", help="Torus statements with Torus's departures from xAPI.")
    ] = False,
    into_warehouse: Annotated[
        bool, typer.Option("--into-warehouse", help="Load our warehouse; OUT is where truth.json goes.")
    ] = False,
    bundles: Annotated[
        int, typer.Option(min=0, help="Bundles of so many statements under OLI Torus's keys, in place of one file.")
    ] = 0,
    resume: Annotated[bool, typer.Option("--resume", help="Go on where the same run was cut off.")] = False,
    workers: Annotated[int, typer.Option(min=0, help="Processes; 0: one a core.")] = 0,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Tell lines, bytes and time; write nothing.")] = False,
    as_json: Annotated[bool, typer.Option("--json", help="Print the result as JSON.")] = False,
) -> None:
    """Write the statements of a campus, and truth.json beside them."""
    from schoolhouse.simulate import Imperfections, campus_plan

    plan = campus_plan(
        dialect=dialect,
        sections=sections,
        learners=learners,
        days=days,
        statements=number,
        seed=seed,
        start=start.date(),
        host=host.rstrip("/"),
        quirks=quirks,
        rates=_rates(rate or []),
        flaws=Imperfections(
            duplicates=duplicates,
            late=late,
            skewed_clocks=skewed_clocks,
            malformed=malformed,
            missing_fields=missing_fields,
            too_long=too_long,
        ),
    )
    if dry_run:
        guess = _estimated(plan, out, "jsonl" if bundles or into_warehouse else form)
        if into_warehouse:
            del guess["seconds"]  # nearly all of them are the engine's
            guess["would write"] = "warehouse"
        elif bundles:
            guess["would write"] = f"{out.rstrip('/')}/"
        _report(guess, as_json)
        return
    form = "warehouse" if into_warehouse else "bundles" if bundles else form
    _report(_written(plan, out, form, size=bundles, workers=workers, resume=resume), as_json)


def _rates(pairs: list[str]) -> Any:
    from dataclasses import fields

    from schoolhouse.errors import UsageError
    from schoolhouse.simulate import Rates

    known = [one.name for one in fields(Rates)]
    given: dict[str, float] = {}
    for pair in pairs:
        name, _, value = pair.partition("=")
        if name not in known:
            raise UsageError(f"There is no rate {name!r}.", hint=f"The rates are {', '.join(known)}.")
        try:
            given[name] = float(value)
        except ValueError:
            raise UsageError(f"{value!r} is no number for the rate {name}.") from None
    return Rates(**given)


def _estimated(plan: Any, out: str, form: Any) -> dict[str, Any]:
    from schoolhouse.simulate.writing import estimate

    guess = estimate(plan, out, form)
    return {
        "would write": guess.out,
        "statements": guess.statements,
        "lines": guess.lines,
        "bytes": guess.size_bytes,
        "seconds": round(guess.seconds, 1),
    }


def _written(plan: Any, out: str, form: Any, *, size: int, **options: Any) -> dict[str, Any]:
    """Write a file in a form, or bundles, or load the warehouse."""
    from schoolhouse.simulate.campus import chunks_of

    total = sum(chunk.statements for chunk in chunks_of(plan))
    with console.progress() as bar:
        task = bar.add_task("Simulating", total=total, note="")

        def advance(lines: int, size_bytes: int) -> None:
            elapsed = bar.tasks[task].elapsed or 1e-9
            bar.update(task, completed=lines, note=f"{lines / elapsed:,.0f}/s {console.size(size_bytes)}")

        if form == "bundles":
            from schoolhouse.simulate.to_bundles import write_bundles

            done = write_bundles(plan, out, size=size, on_progress=advance, **options)
        elif form == "warehouse":
            done = _loaded(plan, out, on_progress=advance, **options)
        else:
            from schoolhouse.simulate import write_statements

            done = write_statements(plan, out, form, on_progress=advance, **options)
    return {
        "written": done.out,
        "truth": done.truth,
        "statements": done.statements,
        "lines": done.lines,
        "bytes": done.size_bytes,
        "seconds": round(done.seconds, 2),
        "statements_per_second": round(done.statements / max(done.seconds, 1e-9)),
    }


def _loaded(plan: Any, out: str, **options: Any) -> Any:
    from schoolhouse.simulate.into_warehouse import load_with_truth
    from schoolhouse.warehouse import migrations
    from schoolhouse.warehouse.connection import open_warehouse

    with open_warehouse(console.settings(), who="simulate statements") as warehouse:
        migrations.require_current(warehouse)
        return load_with_truth(warehouse, plan, out, **options)


def _report(facts: dict[str, Any], as_json: bool) -> None:
    if as_json:
        console.print_json(facts)
    else:
        console.print_facts("", facts)


ConfigFile = Annotated[str | None, typer.Option("--config_file", help="A YAML file as xapi-db-load reads it.")]


@app.command()
def load_db(
    config_file: ConfigFile = None,
    resume: Annotated[bool, typer.Option("--resume", help="Go on where an earlier run stopped.")] = False,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Tell rows, bytes and time; write nothing.")] = False,
    as_json: Annotated[bool, typer.Option("--json", help="Print the result as JSON.")] = False,
) -> None:
    """Make a campus for Open edX Aspects and bring it where a configuration says. Without one, a small default runs."""
    from schoolhouse.simulate.load_config import read_config
    from schoolhouse.simulate.load_run import outlook, run_load

    config = read_config(config_file)
    if dry_run:
        guess = outlook(config)
        facts = {"xapi statements": guess.statements, **{f"{name} rows": rows for name, rows in guess.rows.items()}}
        _report(facts | {"statement bytes": guess.size_bytes, "seconds": round(guess.seconds, 1)}, as_json)
        return
    with console.progress() as bar:
        tasks: dict[str, Any] = {}

        def advance(dataset: str, rows: int, expected: int) -> None:
            if dataset not in tasks:
                tasks[dataset] = bar.add_task(dataset, total=expected or None, note="")
            task = next(one for one in bar.tasks if one.id == tasks[dataset])
            rate = (task.completed + rows) / (task.elapsed or 1e-9)
            bar.update(tasks[dataset], advance=rows, note=f"{rate:,.0f}/s")

        done = run_load(config, resume=resume, on_progress=advance)
    _print_delivered(done, as_json, to_stderr=config.backend == "vector")


@app.command(name="load-db-from-s3")
def load_db_from_s3(
    config_file: Annotated[str, typer.Option("--config_file", help="A YAML file as xapi-db-load reads it.")],
    as_json: Annotated[bool, typer.Option("--json", help="Print the result as JSON.")] = False,
) -> None:
    """Let ClickHouse load the CSV files that an earlier run wrote to S3."""
    from schoolhouse.simulate.load_config import read_load_config
    from schoolhouse.simulate.load_run import load_from_s3

    _print_delivered(load_from_s3(read_load_config(config_file)), as_json, to_stderr=False)


def _print_delivered(done: list[Any], as_json: bool, *, to_stderr: bool) -> None:
    """What was written, where and how fast. Standard output belongs to the log lines where those go there."""
    from dataclasses import asdict

    if as_json and not to_stderr:
        console.print_json([asdict(one) for one in done])
        return
    rows = [
        (
            one.dataset,
            one.where,
            one.rows,
            console.size(one.size_bytes),
            round(one.rows / max(one.seconds, 1e-9)),
            one.note,
        )
        for one in done
    ]
    if to_stderr:
        for row in rows:
            typer.echo(" ".join(map(console.cell, row)), err=True)
        return
    console.print_table("", ("dataset", "where", "rows", "size", "rows/s", "note"), rows)


@app.command()
def topics(
    out: Annotated[Path | None, typer.Option(help="A directory: one file a topic. Without it: into Kafka.")] = None,
    attempts: Annotated[int, typer.Option(min=1, help="Attempts to make.")] = 20_000,
    learners: Annotated[int, typer.Option(min=1, help="Learners.")] = 200,
    subjects: Annotated[int, typer.Option("--topics", min=1, help="Topics (skills) that questions practise.")] = 5,
    items: Annotated[int, typer.Option(min=1, help="Questions.")] = 200,
    start: Annotated[
        datetime, typer.Option(formats=["%Y-%m-%d", "%Y-%m-%dT%H:%M"], help="First moment, in UTC.")
    ] = datetime(2025, 9, 1),  # noqa: DTZ001
    hours: Annotated[int, typer.Option(min=1, help="Hours in which sessions begin.")] = 168,
    seed: Annotated[int, typer.Option(min=0, help="Equal seeds make equal messages.")] = 1,
    model: Annotated[str, typer.Option(help="irt or bkt: what makes an answer right.")] = "irt",
    states: Annotated[bool, typer.Option(help="Messages carry what the platform holds of the learner.")] = True,
    examples: Annotated[float, typer.Option(min=0, max=1, help="Share of attempts that become an example.")] = 0.1,
    duplicates: Annotated[float, typer.Option(min=0, max=1, help="Share of messages sent twice.")] = 0.0,
    late: Annotated[float, typer.Option(min=0, max=1, help="Share of messages sent 1 to 6 hours late.")] = 0.0,
    malformed: Annotated[float, typer.Option(min=0, max=1, help="Share of messages sent cut off as well.")] = 0.0,
    rate: Annotated[list[str] | None, typer.Option(help="Another rate, as name=value; may be repeated.")] = None,
    compressed: Annotated[bool, typer.Option("--gzip", help="Compress the files.")] = False,
    partitions: Annotated[int, typer.Option(min=1, help="Partitions of Kafka topics that are not there yet.")] = 4,
    truth: Annotated[Path, typer.Option(help="With Kafka: the directory for truth.json.")] = Path(),
    as_json: Annotated[bool, typer.Option("--json", help="Print the result as JSON.")] = False,
) -> None:
    """Make attempts, sessions and training examples for the lake, into files or Kafka, and truth.json."""
    from schoolhouse.simulate.practising import TopicPlan
    from schoolhouse.simulate.to_topics import send_topics, write_topics

    plan = TopicPlan(
        attempts=attempts,
        learners=learners,
        topics=subjects,
        items=items,
        start=start.replace(tzinfo=UTC),
        hours=hours,
        seed=seed,
        model=model,  # type: ignore[arg-type]  # the plan refuses another one
        with_states=states,
        examples=examples,
        duplicates=duplicates,
        late=late,
        malformed=malformed,
        rates=_rates(rate or []),
    )
    with console.progress() as bar:
        task = bar.add_task("Simulating", total=None, note="")

        def advance(topic: str, count: int) -> None:
            bar.update(task, advance=count, note=topic)

        if out is not None:
            done = write_topics(plan, out, compressed=compressed, on_progress=advance)
        else:
            done = send_topics(plan, console.settings(), truth, partitions=partitions, on_progress=advance)
    total = sum(done.messages.values())
    facts: dict[str, Any] = {"written": done.out, "truth": done.truth, **done.messages}
    _report(
        facts | {"seconds": round(done.seconds, 2), "messages_per_second": round(total / max(done.seconds, 1e-9))},
        as_json,
    )
